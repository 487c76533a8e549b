"""Resolves relative resources against the base of a flow, the folder or URL where the flow belongs."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from lfr.errors import BadInput

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BASE_SCHEMES: Final = ("http", "https", "file")
_NO_HOST: Final = "file:///"
_LOCAL_HOST: Final = "file://localhost/"
"""The same as `file:///`. (RFC 8089, section 2)"""
_SAFE: Final = "%!#$&'()*+,/:;=?@[]~"
"""Characters that need no encoding in a URI. (RFC 3986, sections 2.1 to 2.3)"""


def is_url(base: str) -> bool:
    """Return whether a base is a URL; otherwise it is a folder."""
    return "://" in base and _SCHEME.match(base) is not None


def is_absolute(uri: str) -> bool:
    """Return whether the URI of a resource needs no base: it begins with a scheme or a slash."""
    return uri.startswith("/") or _SCHEME.match(uri) is not None


def parse_base(base: str) -> str:
    """Return the URL against which relative resources are resolved.

    An absolute folder becomes `file:///FOLDER/`; a URL is returned unchanged, and `resolve_uri` ignores what
    follows its last slash, as browsers do. Raises BadInput for anything else.
    """
    if base.startswith("/"):
        return f"file://{quote(base.rstrip('/'), errors='surrogateescape')}/"
    try:
        parts = urlsplit(base)
    except ValueError:  # such as a host in brackets that are not closed
        parts = urlsplit("")
    if parts.scheme not in _BASE_SCHEMES or not (parts.netloc or parts.path.startswith("/")):
        raise BadInput(
            f"the base {base[:80]!r} cannot be used",
            hint="it must be an absolute folder, or a URL with http, https or file",
        )
    return base


def resolve_uri(uri: str, root: str) -> str:
    """Return the absolute URI of a resource; `root` is the result of `parse_base`. (RFC 3986, section 5)

    A URI with a scheme is returned unchanged. In a relative one, characters that a URI cannot hold are
    percent-encoded; encoded ones stay. Raises ValueError for a URI that cannot be parsed.
    """
    if _SCHEME.match(uri):
        return uri
    reference = quote(_STRAY_PERCENT.sub("%25", uri), safe=_SAFE)
    # Python 3.13.0 loses the slashes of a URL without a host when there are more `..` than folders.
    joined = urljoin(root.replace(_NO_HOST, _LOCAL_HOST, 1), reference)
    return joined.replace(_LOCAL_HOST, _NO_HOST, 1)
