"""URIs -> places, and which places are allowed: folders, and URLs by how they begin.

What a flow names is not trusted. A URI is taken apart here, once; what cannot be read in one way only
is refused; and what is fetched is put together again from the parts that were checked, so nobody reads
it in another way later. Paths of files are compared when links are resolved, which is for the caller
to do: this room asks no disk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlsplit

SETTING: Final = "resources.allow"

_PORTS: Final = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_SAFE: Final = "%!$&'()*+,/:;=@~?"
"""What stands in a path or a query as it is. (RFC 3986, sections 3.3 and 3.4)"""


class BadLocation(ValueError):
    """A URI that cannot be used, or is not allowed; the text says which and why."""


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file or a folder, by its absolute path."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class WebLocation:
    """Something on the web, in normal form: letter case, port and percent-encoding say nothing any more.

    `path` begins with a slash; `query` has no question mark and may be empty.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    def __str__(self) -> str:
        """The URL to ask for."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.origin}{self.path}{query}"

    @property
    def origin(self) -> str:
        """Scheme, host and, if it is not the usual one, port."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


Location: TypeAlias = FileLocation | WebLocation


def parse_location(uri: str) -> Location:
    """The place that a URI names: http, https or file, or an absolute path. Raises BadLocation."""
    if _FORBIDDEN.search(uri):
        raise BadLocation(f"{_shown(uri)}: a URI has no blanks, control characters or backslashes")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise BadLocation(f"{_shown(uri)} is no URI: {error}") from None
    if parts.scheme in _PORTS:
        return _web_place(uri, parts)
    if parts.scheme == "file" or (not parts.scheme and uri.startswith("/") and not parts.netloc):
        return _file_place(uri, parts)
    if parts.scheme and ":" in uri.partition("/")[0]:
        raise BadLocation(f"{_shown(uri)}: resources are http, https and files, not {_shown(parts.scheme)}")
    raise BadLocation(
        f"{_shown(uri)} is relative, and the flow was started without a base: "
        "say what it is relative to with --base, a folder or a URL"
    )


def parse_allow_list(entries: Sequence[str]) -> tuple[Location, ...]:
    """The places of the setting `resources.allow`. Raises BadLocation for one that could never match."""
    places = []
    for entry in entries:
        if entry.startswith("/"):
            place: Location = FileLocation(entry)
        elif "://" in entry:
            place = parse_location(entry)
        else:
            raise BadLocation(f"{SETTING}: {_shown(entry)} is neither an absolute path nor a URL")
        if isinstance(place, WebLocation) and place.query:
            raise BadLocation(f"{SETTING}: {_shown(entry)} has a query, which is not compared")
        places.append(place)
    return tuple(places)


def is_allowed(place: Location, allowed: Sequence[Location]) -> bool:
    """Whether one of the allowed places is this place or holds it.

    Of files, all paths must be real ones, without links.
    """
    return any(_holds(each, place) for each in allowed)


def _holds(outer: Location, inner: Location) -> bool:
    if isinstance(outer, WebLocation) and isinstance(inner, WebLocation):
        same = (outer.scheme, outer.host, outer.port) == (inner.scheme, inner.host, inner.port)
        return same and _is_under(inner.path, outer.path)
    if isinstance(outer, FileLocation) and isinstance(inner, FileLocation):
        return _is_under(inner.path, outer.path)
    return False


def _is_under(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def denial_reason(place: Location, allowed: Sequence[str]) -> str:
    """Why a place is not used that is not among the allowed ones, with the line that would allow its folder:
    `not allowed: ...`."""
    folder = place.path.rpartition("/")[0]
    entry = f"{place.origin}{folder}/" if isinstance(place, WebLocation) else folder or place.path
    line = f"{SETTING}: {json.dumps([*allowed, entry], ensure_ascii=False)}"
    instead = f", in place of its present {SETTING}" if allowed else ""
    return (
        f"not allowed: to allow what is in {entry}, the configuration file of the resource role needs "
        f"the line `{line}`{instead}"
    )


def _web_place(uri: str, parts: SplitResult) -> WebLocation:
    if "@" in parts.netloc:
        raise BadLocation(f"{_shown(uri.rpartition('@')[2])}: no user or password may stand before the host")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise BadLocation(f"{_shown(uri)}: the port is not a number from 1 to 65535") from None
    host = f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise BadLocation(f"{_shown(uri)}: the host must be letters, digits, dots and hyphens, or an address")
    path = _normal(parts.path or "/")
    if _has_dots(path):
        raise BadLocation(f"{_shown(uri)}: a path must not have . or .. between its slashes")
    return WebLocation(parts.scheme, host, port, path, _normal(parts.query))


def _file_place(uri: str, parts: SplitResult) -> FileLocation:
    if parts.netloc not in ("", "localhost"):
        raise BadLocation(f"{_shown(uri)}: a file has no host; it is file:///FOLDER/FILE")
    if parts.query or parts.fragment:
        raise BadLocation(f"{_shown(uri)}: in a file's name ? is written %3F, and # is written %23")
    path = unquote(parts.path, errors="surrogateescape")
    if not path.startswith("/") or "\0" in path or not _is_name(path):
        raise BadLocation(f"{_shown(uri)} is not the absolute path of a file")
    return FileLocation(path)


def _is_name(path: str) -> bool:
    """Whether a path can be that of a file: Python keeps bytes that are no UTF-8 as halves of surrogates,
    and other halves stand for nothing."""
    try:
        return bool(path.encode(errors="surrogateescape"))
    except UnicodeEncodeError:
        return False


def _normal(text: str) -> str:
    """With what cannot stand in a URI encoded, and what need not be encoded decoded. (RFC 3986, 6.2.2)"""
    return _ENCODED.sub(_normal_octet, quote(text, safe=_SAFE, errors="surrogatepass"))


def _normal_octet(found: re.Match[str]) -> str:
    if found[1] is None:
        return "%25"
    char = chr(int(found[1], 16))
    return char if _UNRESERVED.fullmatch(char) else found[0].upper()


def _has_dots(path: str) -> bool:
    """Whether some server might see . or .. in it: some decode twice, some read a backslash as a slash,
    some leave out what follows a semicolon."""
    while path != (decoded := unquote(path)):
        path = decoded
    return any(part.partition(";")[0] in (".", "..") for part in re.split(r"[/\\]", path))


def _shown(text: str) -> str:
    return repr(text[:200])
