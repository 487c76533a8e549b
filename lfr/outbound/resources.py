"""Loads and stores resources, as files and by HTTP: what the settings allow, and no more of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urljoin

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound.http_client import HttpClient, HttpResponse, NoResponse
from lfr.outbound.safe_files import read_file, real_path, replace_file
from lfr.tasks.content import BadContent, decode, encode
from lfr.tasks.content_types import UnknownType, detect_content_type
from lfr.tasks.resource import REPEATABLE, Load, Store
from lfr.tasks.uri_policy import (
    BadLocation,
    FileLocation,
    Location,
    WebLocation,
    denial_reason,
    is_allowed,
    parse_allow_list,
    parse_location,
)
from lfr.values.json import Json

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_REDIRECTS: Final = 5
_MOST_SHOWN: Final = 200
_ACCEPT: Final = "application/json, application/yaml, text/*;q=0.9, */*;q=0.5"


class ResourceFailed(Exception):
    """A resource cannot be loaded or stored; the text says which one and why."""


class ResourceClient:
    """What `resources.*` allows. Any number of threads may use it. Raises BadSettings."""

    def __init__(self, settings: Settings) -> None:
        self._entries = settings.resources_allow
        self._most_bytes = settings.resources_size
        self._timeout_seconds = settings.resources_timeout_seconds
        self._web = HttpClient(self._most_bytes)
        try:
            self._allowed = parse_allow_list(self._entries)
        except BadLocation as error:
            raise BadSettings(str(error), hint="lfr config says where it is set") from None

    def load(self, load: Load) -> Json:
        """What is in a file, or what a server answers. Raises ResourceFailed."""
        with _failing_with(load.place):
            place = self._permitted(load.place, load.place)
            if isinstance(place, FileLocation):
                content, told, path = self._read(place), "", load.place.path
            else:
                place, answer = self._fetch(place, load.type.name if load.type else _ACCEPT)
                content, told, path = answer.content, answer.headers.get("Content-Type", ""), place.path
            return decode(content, load.type or detect_content_type(told, path))

    def store(self, store: Store, value: Json, key: str) -> None:
        """Write a value to a file, or send it to a server. Raises ResourceFailed.

        `key` names this store, for a server that is to do it once although it is asked twice.
        """
        with _failing_with(store.place):
            place = self._permitted(store.place, store.place)
            content = encode(value, store.type)
            if len(content) > self._most_bytes:
                raise _Failed(f"it has {len(content)} bytes, more than {self._limit}")
            if isinstance(place, FileLocation):
                self._write(place, content)
            else:
                self._send(place, store, content, key)

    @property
    def _limit(self) -> str:
        return f"the {self._most_bytes} that resources.size allows"

    def _permitted(self, place: Location, named: Location) -> Location:
        """The place, of a file by its real path, if it is allowed. `named` is what the flow says."""
        real = _real(place)
        if not is_allowed(real, [_real(each) for each in self._allowed]):
            where = "it is" if real == place == named else f"it leads to {real}, which is"
            raise _Failed(f"{where} {denial_reason(real, self._entries)}")
        return real

    def _read(self, place: FileLocation) -> bytes:
        try:
            content, is_cut = read_file(place.path, self._most_bytes)
        except FileNotFoundError:
            raise _Failed("there is no such file") from None
        except OSError as error:
            raise _Failed(f"it cannot be read: {error.strerror}") from None
        if is_cut:
            raise _Failed(f"it has more than {self._limit}")
        return content

    def _write(self, place: FileLocation, content: bytes) -> None:
        try:
            replace_file(place.path, content)
        except FileNotFoundError:
            raise _Failed("there is no such folder") from None
        except OSError as error:
            raise _Failed(f"it cannot be written: {error.strerror}") from None

    def _fetch(self, named: WebLocation, accept: str) -> tuple[WebLocation, HttpResponse]:
        """The answer, and the place where the last redirect led: each of these must be allowed too."""
        place = named
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._ask("GET", place, {"Accept": accept})
            target = _redirected(place, answer)
            if target is None:
                _check(answer)
                if answer.is_cut:
                    raise _Failed(f"it has more than {self._limit}")
                return place, answer
            self._permitted(target, named)
            place = target
        raise _Failed(f"it is redirected more than {_MOST_REDIRECTS} times")

    def _ask(
        self, method: str, place: WebLocation, headers: Mapping[str, str], content: bytes | None = None
    ) -> HttpResponse:
        return self._web.ask(method, str(place), headers, content, timeout_seconds=self._timeout_seconds)

    def _send(self, place: WebLocation, store: Store, content: bytes, key: str) -> None:
        headers = {"Content-Type": store.type.name}
        if store.method not in REPEATABLE:
            headers["Idempotency-Key"] = key
        answer = self._ask(store.method, place, headers, content)
        target = _redirected(place, answer)
        if target is not None:
            raise _Failed(f"it answers {answer.status} and leads to {target}, and a store follows nowhere")
        _check(answer)


class _Failed(Exception):
    """Why it failed, without which resource it was."""


@contextmanager
def _failing_with(place: Location) -> Iterator[None]:
    try:
        yield
    except (_Failed, NoResponse, BadContent, UnknownType, BadLocation) as error:
        raise ResourceFailed(f"{place}: {error}") from None


def _real(place: Location) -> Location:
    return FileLocation(real_path(place.path)) if isinstance(place, FileLocation) else place


def _redirected(place: WebLocation, answer: HttpResponse) -> WebLocation | None:
    """Where an answer leads, if it leads somewhere. (RFC 9110, 15.4)"""
    location = answer.headers.get("Location", "")
    if answer.code not in _REDIRECTS or not location:
        return None
    try:
        target = parse_location(urljoin(str(place), location))
    except ValueError as error:  # also that of a URI that `urljoin` cannot read
        raise _Failed(f"it is redirected to what cannot be used: {error}") from None
    if not isinstance(target, WebLocation):
        raise _Failed(f"it is redirected to {target}, which is not on the web")
    return target


def _check(answer: HttpResponse) -> None:
    if answer.is_ok:
        return
    said = " ".join(answer.content[:_MOST_SHOWN].decode(errors="replace").split())
    raise _Failed(f"it answers {answer.status}" + (f": {said}" if said else ""))
