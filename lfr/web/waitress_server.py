"""A waitress server with problem documents for protocol errors, time-outs for slow clients, and draining.

waitress reads requests and writes responses in one loop, and runs the application in threads. Only `drain`
and `has_iterated` are called from outside that loop.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
"""No connection is closed to make room before it has been idle, its request incomplete, or its response
unread, for this long."""

_MAX_REQUESTS: Final = 2
"""How many requests of a connection wait for their responses: one packet may hold hundreds, each with a
response that stays in memory until the client reads it."""

_MAX_UNREAD_BYTES: Final = 256 * 2**20
_MAX_UNREAD_BYTES_OF_CLIENT: Final = 64 * 2**20
"""How many bytes of responses, in files of the system's temporary folder, wait to be read: of all clients,
and of one. Beyond it a request is refused; slow readers make room for others."""

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


class TooMuchUnread(Error):  # type: ignore[misc]
    """A request that is refused because clients do not read their responses. (RFC 9110, section 15.6.4)"""

    code = int(HTTPStatus.SERVICE_UNAVAILABLE)
    reason = HTTPStatus.SERVICE_UNAVAILABLE.phrase


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
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = "10"
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
        """Execute one request; refuse it if too much is to be read already. If an earlier response on this
        connection is not read yet, this one would wait for that in a thread: so it is dropped."""
        if self.total_outbufs_len:
            self._drop_requests()
            return
        request = self.requests[0]
        if not request.error and (whose := self.server.too_much_unread(self.client)):
            request.error = TooMuchUnread(f"too many bytes of responses {whose} are not read yet")
        super().service()

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
            self.unread_since = 0.0
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
            server.too_much_unread = self._too_much_unread
        self._iterated = threading.Event()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Run the loop of `waitress.server.run` endlessly; an iteration waits for at most a second."""
        while True:
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._sockets, count=1)
            now = time.time()
            for channel in self._channels():
                channel.enforce_timeouts(now)
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

    def _too_much_unread(self, client: str) -> str:
        """Return whose responses are too much to take more requests of a client; empty: it may have more."""
        unread = self._unread()
        if sum(size for each, size in unread if each.client == client) > _MAX_UNREAD_BYTES_OF_CLIENT:
            return f"to {client}"
        return "to all clients" if sum(size for _, size in unread) > _MAX_UNREAD_BYTES else ""

    def _unread(self) -> list[tuple[_Channel, int]]:
        """Return the connections with responses that are not read yet, and how many bytes these have."""
        return [(each, size) for each in self._channels() if (size := each.total_outbufs_len)]

    def _make_room(self, now: float) -> None:
        """Close connections on which nothing happens, the longest idle first, if the limit is near: without
        room, the server accepts nobody. Close those with responses that are read slowly if these are too
        much."""
        self._drop_unread(now)
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

    def _drop_unread(self, now: float) -> None:
        """Close connections whose client reads slowly, the longest unread first, while too much is unread of
        one client or of all: else one reader would hold up others, also those at its address."""
        unread = self._unread()
        rest = sum(size for _, size in unread)
        rest_by_client: Counter[str] = Counter()
        for channel, size in unread:
            rest_by_client[channel.client] += size
        slow = [(since, *each) for each in unread if (since := each[0].dispensable_since(now)) is not None]
        for _, channel, size in sorted(slow, key=lambda each: each[0]):
            if rest > _MAX_UNREAD_BYTES or rest_by_client[channel.client] > _MAX_UNREAD_BYTES_OF_CLIENT:
                rest -= size
                rest_by_client[channel.client] -= size
                channel.handle_close()

    def _channels(self) -> list[_Channel]:
        return [channel for server in self._servers for channel in list(server.active_channels.values())]

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.accepting = False
            server.del_channel()
            server.socket.close()
