"""An HTTP client: sends one request and reads one response, within a time and a size. Follows no redirect."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, cast

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection

from lfr import __version__
from lfr.outbound.timed_socket import TimedSocket, connect, remaining
from lfr.tasks.addresses import Address
from lfr.tasks.uri_policy import WebLocation

_CHUNK = 64 * 1024

LocationCheck: TypeAlias = Callable[[WebLocation, Address], str]
"""Returns why a request to a location may not go to an address of its host, or an empty text."""


class NoResponse(Exception):
    """No response has arrived, or only a part of it; the text says why."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The response of a server.

    code     the status code; `phrase`: its text, as `Not Found`
    headers  the letter case of names does not matter
    content  decompressed; `is_cut`: only the beginning, because there is more than `max_bytes`
    """

    code: int
    phrase: str
    headers: Mapping[str, str]
    content: bytes
    is_cut: bool

    @property
    def status(self) -> str:
        """Return code and phrase: `404 Not Found`."""
        return f"{self.code} {self.phrase}".rstrip()

    @property
    def is_ok(self) -> bool:
        """Return whether the request has succeeded. (RFC 9110, 15.3)"""
        return 200 <= self.code < 300


class HttpClient:
    """Sends requests. Thread-safe. The system's certificates decide which servers are trusted.

    Each request has a connection of its own: a kept connection may be dead by its next use, and then it is
    unknown whether the server has processed a POST. Proxies are not used: they would look up hosts again.
    """

    def __init__(self, max_bytes: int, check: LocationCheck) -> None:
        self._max_bytes = max_bytes
        self._check = check
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    def request(
        self,
        method: str,
        location: WebLocation,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        timeout_seconds: float,
    ) -> HttpResponse:
        """Send a request and return its response, of any status, up to `max_bytes` of content.

        `timeout_seconds` limits the whole exchange: from the look-up of the host to the last byte. Raises
        NoResponse, and AddressDenied if `check` allows none of the host's addresses.
        """
        deadline = time.monotonic() + timeout_seconds
        all_headers = urllib3.HTTPHeaderDict({"User-Agent": f"lfr/{__version__}", "Connection": "close"})
        all_headers.update(headers)
        all_headers["Host"] = location.origin.partition("://")[2]
        try:
            with closing(self._connect(location, deadline)) as connection:
                timed = TimedSocket(connection, deadline)
                with closing(_exchange(timed, method, location, all_headers, content)) as response:
                    timed.end_head()
                    body, is_cut = self._read(response, deadline)
        except (exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise NoResponse(_reason(error, timeout_seconds)) from None
        return HttpResponse(response.status, response.reason or "", response.headers, body, is_cut)

    def _connect(self, location: WebLocation, deadline: float) -> socket.socket:
        """Return a connection to a server, with TLS for https. Raises OSError, and NoResponse if there is no
        connection."""
        host = location.host.strip("[]")
        try:
            connection = connect(host, location.port, deadline, partial(self._check, location))
        except (TimeoutError, socket.gaierror):
            raise
        except OSError as error:
            raise NoResponse(f"no connection: {error.strerror or error}") from None
        if location.scheme == "http":
            return connection
        try:
            connection.settimeout(remaining(deadline))
            return self._tls.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise

    def _read(self, response: urllib3.HTTPResponse, deadline: float) -> tuple[bytes, bool]:
        """Return the content, and whether it is cut. Raises TimeoutError."""
        body = bytearray()
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                return bytes(body[: self._max_bytes]), True
            remaining(deadline)
        return bytes(body), False


def _exchange(
    timed: TimedSocket, method: str, location: WebLocation, headers: Mapping[str, str], content: bytes | None
) -> urllib3.HTTPResponse:
    """Send a request and return the response, of which the head has been read."""
    connection = HTTPConnection(location.host, location.port)
    connection.sock = cast(socket.socket, timed)
    target = f"{location.path}?{location.query}" if location.query else location.path
    # A server may answer and close the connection before it has read all of a body.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, target, content, headers, preload_content=False)
    return connection.getresponse()


def _reason(error: Exception, seconds: float) -> str:
    match error:
        case socket.gaierror():
            return "there is no such host"
        case TimeoutError() | exceptions.TimeoutError():
            return f"no whole answer within {seconds:g} s"
        case ssl.SSLError() | exceptions.SSLError():
            return f"TLS: {error}"
        case exceptions.ProtocolError():
            return f"the connection broke off: {error.args[-1]}"
        case OSError() | http.client.HTTPException():
            return f"the connection broke off: {getattr(error, 'strerror', None) or error}"
    return str(error)
