"""HTTP from our side: one request, one answer, within a time and a size. No redirect is followed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3
from urllib3 import exceptions

from lfr import __version__

_CHUNK = 64 * 1024


class NoResponse(Exception):
    """There is no answer, or not all of it; the text says why."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a server has answered.

    status   the status code and its phrase, as `404 Not Found`: `code` is the number alone
    headers  by name, in any letter case
    content  decompressed; `is_cut` says that there is more of it
    """

    code: int
    phrase: str
    headers: Mapping[str, str]
    content: bytes
    is_cut: bool

    @property
    def status(self) -> str:
        """Code and phrase: `404 Not Found`."""
        return f"{self.code} {self.phrase}".rstrip()

    @property
    def is_ok(self) -> bool:
        """Whether it was done. (RFC 9110, 15.3)"""
        return 200 <= self.code < 300


class HttpClient:
    """Asks servers, for any number of threads. Certificates are checked against the system's.

    Each request has a connection of its own: one that was kept may be dead by its next use, and nobody
    could tell then whether a POST was done.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._pool = urllib3.PoolManager(retries=False)

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        *,
        timeout_seconds: float,
    ) -> HttpResponse:
        """Send a request and read its answer, up to `most_bytes` of it. Raises NoResponse.

        `timeout_seconds` bound each wait for the server, and all of the reading.
        """
        deadline = time.monotonic() + timeout_seconds
        sent = urllib3.HTTPHeaderDict({"User-Agent": f"lfr/{__version__}", "Connection": "close"})
        sent.update(headers or {})
        try:
            response = self._pool.request(
                method,
                url,
                body=content,
                headers=sent,
                timeout=urllib3.Timeout(total=timeout_seconds),
                redirect=False,
                preload_content=False,
            )
            try:
                read, is_cut = self._read(response, deadline)
            finally:
                response.close()
        except exceptions.HTTPError as error:
            raise NoResponse(_told(error, timeout_seconds)) from None
        return HttpResponse(response.status, response.reason or "", response.headers, read, is_cut)

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> tuple[bytes, bool]:
        """What came, and whether there is more. `read1` returns what there is: a server that trickles
        cannot hold us."""
        read = bytearray()
        while chunk := response.read1(_CHUNK):
            read += chunk
            if len(read) > self._most_bytes:
                return bytes(read[: self._most_bytes]), True
            if time.monotonic() > deadline:
                raise exceptions.TimeoutError
        return bytes(read), False


def _told(error: exceptions.HTTPError, seconds: float) -> str:
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
