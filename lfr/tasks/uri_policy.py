"""URIs of resources and requests: parsed into locations, which `allow_list` compares.

Flows are not trusted. A URI is parsed here, once; an ambiguous one is refused; and the URL that is requested
is built from the parts that were checked, so that no later reader understands it differently. The caller
resolves the links in paths of files before they are compared: this module does no I/O.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlsplit

from lfr.tasks.addresses import normal_host

_PORTS: Final = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_SAFE: Final = "%!$&'()*+,/:;=@~?"
"""Characters that need no encoding in a path or a query. (RFC 3986, sections 3.3 and 3.4)"""


class BadLocation(ValueError):
    """A URI that cannot be used; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file or a folder, by its absolute path."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class WebLocation:
    """A location on the web in normal form: equal locations are equal in letter case, port and encoding.

    `host` is as `normal_host` returns it; `path` begins with a slash; `query` has no question mark and may be
    empty.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.origin}{self.path}{query}"

    @property
    def origin(self) -> str:
        """Return scheme, host and, unless it is the default, port."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


Location: TypeAlias = FileLocation | WebLocation


def parse_location(uri: str) -> Location:
    """Return the location that a URI names: http, https, file, or an absolute path. Raises BadLocation."""
    if _FORBIDDEN.search(uri):
        raise BadLocation(f"{_short(uri)}: a URI has no blanks, control characters or backslashes")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise BadLocation(f"{_short(uri)} is no URI: {error}") from None
    if parts.scheme in _PORTS:
        return _web_location(uri, parts)
    if parts.scheme == "file" or (not parts.scheme and uri.startswith("/") and not parts.netloc):
        return _file_location(uri, parts)
    if parts.scheme and ":" in uri.partition("/")[0]:
        raise BadLocation(f"{_short(uri)}: resources are http, https and files, not {_short(parts.scheme)}")
    raise BadLocation(
        f"{_short(uri)} is relative, and the flow was started without a base: "
        "say what it is relative to with --base, a folder or a URL"
    )


def _web_location(uri: str, parts: SplitResult) -> WebLocation:
    if "@" in parts.netloc:
        raise BadLocation(f"{_short(uri.rpartition('@')[2])}: no user or password may stand before the host")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise BadLocation(f"{_short(uri)}: the port is not a number from 1 to 65535") from None
    host = f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or ""
    try:
        host = normal_host(host) if _HOST.fullmatch(host) else ""
    except ValueError:
        host = ""
    if not host:
        raise BadLocation(
            f"{_short(uri)}: the host must be letters, digits, dots and hyphens, or an address such as "
            "192.0.2.1 or [2001:db8::1]"
        )
    path = _normal(parts.path or "/")
    if _has_dots(path):
        raise BadLocation(f"{_short(uri)}: a path must not have . or .. between its slashes")
    return WebLocation(parts.scheme, host, port, path, _normal(parts.query))


def _file_location(uri: str, parts: SplitResult) -> FileLocation:
    if parts.netloc not in ("", "localhost"):
        raise BadLocation(f"{_short(uri)}: a file has no host; it is file:///FOLDER/FILE")
    if parts.query or parts.fragment:
        raise BadLocation(f"{_short(uri)}: in a file's name ? is written %3F, and # is written %23")
    path = unquote(parts.path, errors="surrogateescape")
    if not path.startswith("/") or "\0" in path or not _is_name(path):
        raise BadLocation(f"{_short(uri)} is not the absolute path of a file")
    return FileLocation(path)


def _is_name(path: str) -> bool:
    """Return whether a path has no surrogates but those for bytes that are not UTF-8."""
    with suppress(UnicodeEncodeError):
        return bool(path.encode(errors="surrogateescape"))
    return False


def _normal(text: str) -> str:
    """Encode exactly those characters that need it. (RFC 3986, 6.2.2)"""
    return _ENCODED.sub(_normal_octet, quote(text, safe=_SAFE, errors="surrogatepass"))


def _normal_octet(match: re.Match[str]) -> str:
    if match[1] is None:
        return "%25"
    char = chr(int(match[1], 16))
    return char if _UNRESERVED.fullmatch(char) else match[0].upper()


def _has_dots(path: str) -> bool:
    """Return whether a path has . or .. for some server.

    Some decode twice, some read a backslash as a slash, some drop what follows a semicolon.
    """
    while path != (decoded := unquote(path)):
        path = decoded
    return any(part.partition(";")[0] in (".", "..") for part in re.split(r"[/\\]", path))


def _short(text: str) -> str:
    return repr(text[:200])
