"""Relative resources -> absolute ones, against a flow's base: the folder or the URL that it belongs to."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from lfr.errors import BadInput

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BASES: Final = ("http", "https", "file")
_NO_HOST: Final = "file:///"
_LOCAL_HOST: Final = "file://localhost/"
"""These say the same. (RFC 8089, section 2)"""
_SAFE: Final = "%!#$&'()*+,/:;=?@[]~"
"""What may stand in a URI as it is. (RFC 3986, sections 2.1 to 2.3)"""


def is_url(base: str) -> bool:
    """Whether a base is a URL, and not a folder."""
    return "://" in base and _SCHEME.match(base) is not None


def is_absolute(uri: str) -> bool:
    """Whether a resource names its place without a base."""
    return uri.startswith("/") or _SCHEME.match(uri) is not None


def root_of(base: str) -> str:
    """The URL against which relative resources are resolved.

    A folder, which must be absolute, becomes `file:///FOLDER/`. Of a URL, what stands behind its last
    slash is left out, as browsers do. Raises BadInput for anything else.
    """
    if base.startswith("/"):
        return f"file://{quote(base.rstrip('/'), errors='surrogateescape')}/"
    try:
        parts = urlsplit(base)
    except ValueError:  # such as a host in brackets that are not closed
        parts = urlsplit("")
    if parts.scheme not in _BASES or not (parts.netloc or parts.path.startswith("/")):
        raise BadInput(
            f"the base {base[:80]!r} cannot be used",
            hint="it must be an absolute folder, or a URL with http, https or file",
        )
    return base


def resolve(uri: str, root: str) -> str:
    """The absolute URI of a resource. (RFC 3986, section 5)

    One with a scheme stays as it is. In a relative one, what cannot stand in a URI is percent-encoded;
    what is encoded already stays so. Raises ValueError if it cannot be read.
    """
    if _SCHEME.match(uri):
        return uri
    reference = quote(_STRAY_PERCENT.sub("%25", uri), safe=_SAFE)
    # Python 3.13.0 loses the slashes of a URL without a host when there are more `..` than folders.
    joined = urljoin(root.replace(_NO_HOST, _LOCAL_HOST, 1), reference)
    return joined.replace(_LOCAL_HOST, _NO_HOST, 1)
