"""An HTTP client: sends one request and reads one response, within a time and a size. Follows no redirect."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import urllib3
from urllib3 import exceptions

from lfr import __version__

_CHUNK = 64 * 1024


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
    unknown whether the server has processed a POST.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pool = urllib3.PoolManager(retries=False)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        timeout_seconds: float,
    ) -> HttpResponse:
        """Send a request and return its response, of any status, up to `max_bytes` of content.

        `timeout_seconds` limits each wait for the server, and the reading as a whole. Raises NoResponse.
        """
        deadline = time.monotonic() + timeout_seconds
        all_headers = urllib3.HTTPHeaderDict({"User-Agent": f"lfr/{__version__}", "Connection": "close"})
        all_headers.update(headers)
        try:
            response = self._pool.request(
                method,
                url,
                body=content,
                headers=all_headers,
                timeout=urllib3.Timeout(total=timeout_seconds),
                redirect=False,
                preload_content=False,
            )
            with closing(response):
                body, is_cut = self._read(response, deadline)
        except exceptions.HTTPError as error:
            raise NoResponse(_reason(error, timeout_seconds)) from None
        return HttpResponse(response.status, response.reason or "", response.headers, body, is_cut)

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> tuple[bytes, bool]:
        """Return the content, and whether it is cut. Raises TimeoutError of urllib3."""
        body = bytearray()
        while chunk := response.read1(_CHUNK):  # what has arrived: a slow server must not exceed the deadline
            body += chunk
            if len(body) > self._max_bytes:
                return bytes(body[: self._max_bytes]), True
            if time.monotonic() > deadline:
                raise exceptions.TimeoutError
        return bytes(body), False


def _reason(error: exceptions.HTTPError, seconds: float) -> str:
    match error:
        case exceptions.NameResolutionError():
            return "there is no such host"
        case exceptions.NewConnectionError():
            cause = error.__cause__ or error.__context__
            return f"no connection: {getattr(cause, 'strerror', None) or cause}"
        case exceptions.TimeoutError():
            return f"no whole answer within {seconds:g} s"
        case exceptions.SSLError():
            return f"TLS: {error}"
        case exceptions.ProtocolError():
            return f"the connection broke off: {error.args[-1]}"
    return str(error)
