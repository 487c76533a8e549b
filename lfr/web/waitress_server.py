"""A waitress server with problem documents for protocol errors, time-outs for slow clients, and draining.

waitress reads requests and writes responses in one loop, and runs the application in threads. Only `drain`
and `has_iterated` are called from outside that loop.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import waitress
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

from lfr.web.client_network import client_network
from lfr.web.problems import SECURITY_HEADERS, problem_response

BodyCheck: TypeAlias = Callable[[Mapping[str, str], str, str], bool]

_REQUEST_TIMEOUT_SECONDS: Final = 60.0
"""A request must arrive completely within this time."""

_FREE_SHARE: Final = 0.1
"""The share of the connection limit that is kept free, by closing connections on which nothing happens."""

_SHORTEST_IDLE_SECONDS: Final = 1.0
_SHORTEST_REQUEST_SECONDS: Final = 5.0
_SHORTEST_RESPONSE_SECONDS: Final = 10.0
"""No connection is closed to make room for others before it has been idle, its request incomplete, or its
response unread, for this long."""

_MAX_REQUESTS: Final = 2
"""How many requests of a connection wait for their responses: one packet may hold hundreds, each with a
response that stays in memory until the client reads it."""

_MAX_UNREAD_BYTES: Final = 256 * 2**20
"""How many bytes of responses, in memory or in files of the system's temporary folder, wait to be read by all
clients. Beyond it the slowest readers are closed, all but one. No client is refused anything: behind a proxy
all have one address."""

_MAX_ARRIVING_BYTES: Final = 256 * 2**20
"""How many bytes of bodies are there of all clients, of requests that arrive or wait for a thread. Beyond it
the slowest of those that arrive are closed, all but one."""

_SHORTEST_RATE_SECONDS: Final = 1.0
_LEAST_SECONDS: Final = 0.001
"""For how long a response waits to be read, or a body arrives, before it counts how fast its client is; the
least time by which its bytes are divided."""

_FREE_BODY: Final = 8192
"""The bytes of a body that are read in any case: those of a login, and what comes with the headers."""

_SEND_TIMEOUT_SECONDS: Final = 60.0
"""Close connections whose client has read nothing for this long."""


class RequestTimeout(Error):  # type: ignore[misc]  # waitress has no types
    """A request that did not arrive completely in time. (RFC 9110, section 15.5.9)"""

    code = int(HTTPStatus.REQUEST_TIMEOUT)
    reason = HTTPStatus.REQUEST_TIMEOUT.phrase


class TokenRequired(Error):  # type: ignore[misc]
    """A request whose body is not read, because it has no right token. (RFC 9110, section 15.5.2)"""

    code = int(HTTPStatus.UNAUTHORIZED)
    reason = HTTPStatus.UNAUTHORIZED.phrase


_DETAILS: Final = {413: "the body has too many bytes", 431: "the headers have too many bytes"}


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers a request that waitress refuses with a problem document."""

    def execute(self) -> None:
        """Write the response and close the connection."""
        error = self.request.error
        response = problem_response(HTTPStatus(error.code), _DETAILS.get(error.code) or str(error.body))
        assert isinstance(response.content, bytes)
        self.status = f"{error.code} {error.reason}"
        headers = {**SECURITY_HEADERS, "Content-Type": response.content_type}
        self.response_headers.extend(headers.items())
        self.set_close_on_finish()
        self.content_length = len(response.content)
        self.write(response.content)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Parses a request whose end no proxy before this server can see elsewhere."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the headers. Raises ParsingError, also if they give the length of the body in two ways.
        (RFC 9112, 6.1)"""
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("the headers have both Content-Length and Transfer-Encoding")


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that records when its current request began, and reads no body from strangers."""

    error_task_class = _ProblemTask
    parser_class = _Parser
    request: Any
    began_at = 0.0
    unread_since = 0.0
    read_bytes = 0
    is_checked = False

    def received(self, data: bytes) -> bool:
        """Parse received bytes, and note the time if they begin a request. Return waitress's result."""
        before = self.request
        result = bool(super().received(data))
        if self.request is not None and self.request is not before:
            self.began_at = time.time()
            self.is_checked = False
        if self.request is not None and self.request.headers_finished and not self.is_checked:
            self.is_checked = True
            self._check_body()
        self._limit_requests()
        return result

    def service(self) -> None:
        """Execute one request. If an earlier response on this connection is not read yet, this one would wait
        for that in a thread: so it is dropped."""
        if self.total_outbufs_len:
            self._drop_requests()
            return
        super().service()

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send bytes, and count them. Return how many the system has taken."""
        sent = int(super().send(data, do_close=do_close))
        self.read_bytes += sent
        return sent

    @property
    def client(self) -> str:
        """The client, as `client_network` names it; empty for one without an address."""
        return client_network(str(self.addr[0])) if isinstance(self.addr, tuple) else ""

    def _limit_requests(self) -> None:
        """Drop all but the first requests that wait, and close the connection after their responses: a client
        then sends the others again. (RFC 9112, 9.3.2)"""
        with self.requests_lock:
            if len(self.requests) <= _MAX_REQUESTS:
                return
            for request in [*self.requests[_MAX_REQUESTS:], self.request]:
                if request is not None:
                    request.close()
            del self.requests[_MAX_REQUESTS:]
            self.request = None
            self.requests[-1].headers["CONNECTION"] = "close"

    def _drop_requests(self) -> None:
        """Drop all requests that wait, and close the connection after the responses that it has."""
        with self.requests_lock:
            for request in [*self.requests, self.request]:
                if request is not None:
                    request.close()
            del self.requests[:]
            self.request = None
            self.close_when_flushed = True
        self.server.pull_trigger()

    def _check_body(self) -> None:
        """Answer a request (401) before its body has come, if its token does not permit to send one."""
        request = self.request
        is_small = not request.chunked and request.content_length <= _FREE_BODY
        headers = {name.lower().replace("_", "-"): value for name, value in request.headers.items()}
        protocol = f"HTTP/{request.version}"
        if not is_small and not self.server.may_send_body(headers, self.client, protocol):
            self._answer(TokenRequired("a right token must come before a body: Authorization: Bearer TOKEN"))

    def enforce_timeouts(self, now: float) -> None:
        """Close the connection if its client is too slow to read; answer a request that is too slow (408)."""
        if not self.total_outbufs_len:
            self.unread_since, self.read_bytes = 0.0, 0
        elif not self.unread_since:
            self.unread_since = now
        if self.total_outbufs_len and now - self.last_activity > _SEND_TIMEOUT_SECONDS:
            self.handle_close()  # waitress would honour `will_close` only once the client reads again
        elif self.request is not None and now - self.began_at > _REQUEST_TIMEOUT_SECONDS:
            self._answer(RequestTimeout("the request did not arrive completely in time"))

    def dispensable_since(self, now: float) -> float | None:
        """Return since when nothing has happened on the connection that a server without room has to wait
        for: no request, or one that does not arrive, or a response that is read slowly, be it complete or a
        stream; None if something has."""
        if self.will_close or (self.requests and not self.total_outbufs_len):
            return None
        since, least = float(self.last_activity), _SHORTEST_IDLE_SECONDS
        if self.total_outbufs_len:
            since, least = self.unread_since or now, _SHORTEST_RESPONSE_SECONDS
        elif self.request is not None:
            since, least = self.began_at, _SHORTEST_REQUEST_SECONDS
        return since if now - since >= least else None

    def handle_close(self) -> None:
        """Close the connection, and the file with the body of a request that has not arrived completely."""
        super().handle_close()
        with self.requests_lock:
            request, self.request = self.request, None
        if request is not None:
            request.close()

    def reading_rate(self, now: float) -> float | None:
        """Return how many bytes of what waits the client reads in a second; None: it is too early to say."""
        return _rate(self.read_bytes, self.unread_since, now) if self.unread_since else None

    def sending_rate(self, now: float) -> float | None:
        """Return how many bytes in a second arrive of the body of a request; None: none does, or it is too
        early to say."""
        request = self.request
        return None if request is None else _rate(request.body_bytes_received, self.began_at, now)

    @property
    def body_bytes(self) -> int:
        """How many bytes of bodies there are, of the request that arrives and of those that wait."""
        with self.requests_lock:
            return sum(
                each.body_bytes_received for each in (*self.requests, self.request) if each is not None
            )

    def _answer(self, error: Error) -> None:
        """Answer the incomplete request with an error and close the connection."""
        with self.requests_lock:
            if self.requests or self.request is None:
                self.will_close = True
                return
            request, self.request = self.request, None
            request.error = error
            request.completed = True
            self.requests.append(request)
            self.server.add_task(self)


class WaitressServer:
    """Serves an application at listening sockets, from `run` on.

    limits         settings of waitress
    may_send_body  returns whether a request may have a long body, from its headers, with names in lower case,
                   the address of the client, and the version of HTTP, as `HTTP/1.1`
    """

    def __init__(
        self,
        app: Callable[..., Any],
        listening: Sequence[socket.socket],
        limits: Mapping[str, Any],
        may_send_body: BodyCheck,
    ) -> None:
        logging.getLogger("waitress").setLevel(logging.WARNING)  # else it logs each client that disconnects
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # and each request that is queued
        self._sockets: dict[int, Any] = {}
        self._server = waitress.create_server(app, map=self._sockets, sockets=list(listening), **limits)
        self._servers = [each for each in self._sockets.values() if isinstance(each, BaseWSGIServer)]
        for server in self._servers:
            server.channel_class = _Channel
            server.may_send_body = may_send_body
        self._iterated = threading.Event()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Run the loop of `waitress.server.run` endlessly; an iteration waits for at most a second."""
        while True:
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._sockets, count=1)
            now = time.time()
            for channel in self._channels():
                channel.enforce_timeouts(now)
            channels = self._channels()
            unread = [(each.reading_rate(now), each.total_outbufs_len, each) for each in channels]
            _close_slowest(unread, _MAX_UNREAD_BYTES)
            arriving = [(each.sending_rate(now), each.body_bytes, each) for each in channels]
            _close_slowest(arriving, _MAX_ARRIVING_BYTES)
            self._make_room(now)
            if self._stopping.is_set() and self._servers[0].accepting:
                self._stop_listening()
            self._iterated.set()

    def has_iterated(self) -> bool:
        """Return whether the loop has completed an iteration since the last call."""
        has_iterated = self._iterated.is_set()
        self._iterated.clear()
        return has_iterated

    def drain(self, seconds: float) -> None:
        """Accept no more connections; wait up to `seconds` until all responses are sent. `run` goes on."""
        deadline = time.monotonic() + seconds
        self._stopping.set()
        self._servers[0].pull_trigger()
        self._server.task_dispatcher.shutdown(timeout=seconds)
        while time.monotonic() < deadline and any(each.total_outbufs_len for each in self._channels()):
            time.sleep(0.02)

    def _make_room(self, now: float) -> None:
        """Close connections on which nothing happens, the longest idle first, if the limit is near: without
        room, the server accepts nobody."""
        limit = self._server.adj.connection_limit
        excess = len(self._sockets) - int(limit * (1 - _FREE_SHARE))
        if excess < 0:
            return
        dispensable = [
            (since, channel)
            for channel in self._channels()
            if (since := channel.dispensable_since(now)) is not None
        ]
        dispensable.sort(key=lambda pair: pair[0])
        for _, channel in dispensable[: excess + int(limit * _FREE_SHARE)]:
            channel.handle_close()

    def _channels(self) -> list[_Channel]:
        return [channel for server in self._servers for channel in list(server.active_channels.values())]

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.accepting = False
            server.del_channel()
            server.socket.close()


def _rate(count: int, since: float, now: float) -> float | None:
    seconds = now - since
    return None if seconds < _SHORTEST_RATE_SECONDS else count / max(seconds, _LEAST_SECONDS)


def _close_slowest(connections: Iterable[tuple[float | None, int, _Channel]], most: int) -> None:
    """Close the slowest connections, all but one, while they hold more than `most` bytes. Each has a rate
    (None: it is not to be closed), the bytes that it holds, and the connection."""
    holding = [each for each in connections if each[1]]
    rest, count = sum(size for _, size, _ in holding), len(holding)
    closable = [(rate, size, channel) for rate, size, channel in holding if rate is not None]
    for _, size, channel in sorted(closable, key=lambda each: each[0]):
        if rest <= most or count == 1:
            return
        rest, count = rest - size, count - 1
        channel.handle_close()
