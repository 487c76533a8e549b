"""Loads and stores resources, from files and by HTTP, within what the settings allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound.http_client import HttpClient, HttpResponse, NoResponse
from lfr.outbound.safe_files import read_file, real_path, replace_file
from lfr.outbound.timed_socket import AddressDenied
from lfr.tasks.allow_list import parse_allow_list
from lfr.tasks.content import BadContent, UnknownType, decode, detect_content_type, encode
from lfr.tasks.http import MAX_REDIRECTS, NOT_IDEMPOTENT, excerpt, redirect_target
from lfr.tasks.resource import Load, Store
from lfr.tasks.uri_policy import BadLocation, FileLocation, Location, WebLocation
from lfr.values.json import Json

_ACCEPT: Final = "application/json, application/yaml, text/*;q=0.9, */*;q=0.5"


class ResourceFailed(Exception):
    """A resource cannot be loaded or stored; the text says which one and why."""


class ResourceClient:
    """Loads and stores resources that `resources.allow` names. Thread-safe. Raises BadSettings."""

    def __init__(self, settings: Settings) -> None:
        self._max_bytes = settings.resources_size
        self._limit = f"the {self._max_bytes} that resources.size allows"
        try:
            self._allowed = parse_allow_list(settings.resources_allow)
        except BadLocation as error:
            raise BadSettings(str(error), hint="lfr config says where it is set") from None
        client = HttpClient(self._max_bytes, self._allowed.address_denial)
        self._request = partial(client.request, timeout_seconds=settings.resources_timeout_seconds)

    def load(self, load: Load) -> Json:
        """Return the decoded content of a file or of a server's response. Raises ResourceFailed."""
        with _errors_located(load.location):
            location = self._permitted(load.location, load.location)
            if isinstance(location, FileLocation):
                content, header, path = self._read(location), "", load.location.path
            else:
                location, response = self._fetch(location, load.type.name if load.type else _ACCEPT)
                content, path = response.content, location.path
                header = response.headers.get("Content-Type", "")
            return decode(content, load.type or detect_content_type(header, path))

    def store(self, store: Store, value: Json, key: str) -> None:
        """Write a value to a file, or send it to a server. Raises ResourceFailed.

        `key` is the Idempotency-Key of this store: a server that gets it twice may store it once.
        """
        with _errors_located(store.location):
            location = self._permitted(store.location, store.location)
            content = encode(value, store.type)
            if len(content) > self._max_bytes:
                raise _Failed(f"it has {len(content)} bytes, more than {self._limit}")
            if isinstance(location, FileLocation):
                self._write(location, content)
            else:
                self._send(location, store, content, key)

    def _permitted(self, location: Location, named: Location) -> Location:
        """Return an allowed location, with the real path of a file. Raises _Failed if it is not allowed.

        `named` is the location in the flow, from which links and redirects may have led to this one.
        """
        real = _real(location)
        if not self._allowed.mapped(_real).allows(real):
            subject = "it is" if real == location == named else f"it leads to {real}, which is"
            raise _Failed(f"{subject} {self._allowed.denial_reason(real)}")
        return real

    def _read(self, location: FileLocation) -> bytes:
        try:
            content, is_cut = read_file(location.path, self._max_bytes)
        except FileNotFoundError:
            raise _Failed("there is no such file") from None
        except OSError as error:
            raise _Failed(f"it cannot be read: {error.strerror}") from None
        if is_cut:
            raise _Failed(f"it has more than {self._limit}")
        return content

    def _write(self, location: FileLocation, content: bytes) -> None:
        try:
            replace_file(location.path, content)
        except FileNotFoundError:
            raise _Failed("there is no such folder") from None
        except OSError as error:
            raise _Failed(f"it cannot be written: {error.strerror}") from None

    def _fetch(self, named: WebLocation, accept: str) -> tuple[WebLocation, HttpResponse]:
        """Return the response and its location, after redirects, each of which must be allowed too."""
        location = named
        for _ in range(MAX_REDIRECTS + 1):
            response = self._request("GET", location, {"Accept": accept})
            target = _redirect_target(location, response)
            if target is None:
                _check_status(response)
                if response.is_cut:
                    raise _Failed(f"it has more than {self._limit}")
                return location, response
            self._permitted(target, named)
            location = target
        raise _Failed(f"it is redirected more than {MAX_REDIRECTS} times")

    def _send(self, location: WebLocation, store: Store, content: bytes, key: str) -> None:
        headers = {"Content-Type": store.type.name}
        if store.method in NOT_IDEMPOTENT:
            headers["Idempotency-Key"] = key
        response = self._request(store.method, location, headers, content)
        target = _redirect_target(location, response)
        if target is not None:
            reason = "and a store follows no redirect"
            raise _Failed(f"it answers {response.status} and leads to {target}, {reason}")
        _check_status(response)


class _Failed(Exception):
    """Why a resource failed; the text does not name the resource."""


@contextmanager
def _errors_located(location: Location) -> Iterator[None]:
    try:
        yield
    except AddressDenied as error:
        raise ResourceFailed(f"{location}: it is {error}") from None
    except (_Failed, NoResponse, BadContent, UnknownType, BadLocation) as error:
        raise ResourceFailed(f"{location}: {error}") from None


def _real(location: Location) -> Location:
    return FileLocation(real_path(location.path)) if isinstance(location, FileLocation) else location


def _redirect_target(location: WebLocation, response: HttpResponse) -> WebLocation | None:
    try:
        target = redirect_target(location, response.code, response.headers.get("Location", ""))
    except BadLocation as error:
        raise _Failed(f"it is redirected to what cannot be used: {error}") from None
    if isinstance(target, FileLocation):
        raise _Failed(f"it is redirected to {target}, which is not on the web")
    return target


def _check_status(response: HttpResponse) -> None:
    if not response.is_ok:
        body = excerpt(response.content)
        raise _Failed(f"it answers {response.status}" + (f": {body}" if body else ""))
