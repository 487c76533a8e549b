"""The loop that serves: waitress, which tells errors of its own as problems, waits for nobody for ever, and
can be drained.

waitress reads requests and writes answers in one loop, and lets threads work them out. What is added here is
called by that loop, but for `drain` and `has_turned`.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import waitress
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

from lfr.web.problems import SAFE_HEADERS, problem

_LONGEST_REQUEST_SECONDS: Final = 60.0
"""A request must be there as a whole within this time."""

_LONGEST_UNREAD_SECONDS: Final = 60.0
"""Who reads nothing of an answer for so long, has gone."""


class TooSlow(Error):  # type: ignore[misc]  # waitress has no types
    """A request that has not come as a whole in time. (RFC 9110, section 15.5.9)"""

    code = int(HTTPStatus.REQUEST_TIMEOUT)
    reason = HTTPStatus.REQUEST_TIMEOUT.phrase


_WORDS: Final = {413: "the body has too many bytes", 431: "the headers have too many bytes"}


class _Problem(ErrorTask):  # type: ignore[misc]
    """Tells what waitress finds wrong with a request as problem details."""

    def execute(self) -> None:
        """Write the answer."""
        error = self.request.error
        answer = problem(HTTPStatus(error.code), _WORDS.get(error.code) or str(error.body))
        assert isinstance(answer.content, bytes)
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend({**SAFE_HEADERS, "Content-Type": answer.content_type}.items())
        self.set_close_on_finish()
        self.content_length = len(answer.content)
        self.write(answer.content)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows when the request that it is reading began."""

    error_task_class = _Problem
    request: Any
    begun = 0.0

    def received(self, data: bytes) -> bool:
        """Take in what has come."""
        before = self.request
        result = bool(super().received(data))
        if self.request is not None and self.request is not before:
            self.begun = time.time()
        return result

    def hurry(self, now: float) -> None:
        """End it if whoever is at its other end makes us wait for too long."""
        if self.total_outbufs_len and now - self.last_activity > _LONGEST_UNREAD_SECONDS:
            self.handle_close()  # at once: `will_close` is looked at when more can be sent
        elif self.request is not None and now - self.begun > _LONGEST_REQUEST_SECONDS:
            self._give_up()

    def _give_up(self) -> None:
        with self.requests_lock:
            if self.requests or self.request is None:
                self.will_close = True
                return
            request, self.request = self.request, None
            request.error = TooSlow("the request did not come as a whole in time")
            request.completed = True
            self.requests.append(request)
            self.server.add_task(self)


class Loop:
    """Serves an application at sockets that listen."""

    def __init__(
        self, app: Callable[..., Any], listening: Sequence[socket.socket], limits: Mapping[str, Any]
    ) -> None:
        logging.getLogger("waitress").setLevel(logging.WARNING)  # else a line for each reader that goes away
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # and for each request that has to wait
        self._sockets: dict[int, Any] = {}
        self._server = waitress.create_server(app, map=self._sockets, sockets=list(listening), **limits)
        self._servers = [each for each in self._sockets.values() if isinstance(each, BaseWSGIServer)]
        for server in self._servers:
            server.channel_class = _Channel
        self._turned = threading.Event()
        self._stopping = threading.Event()

    def run(self) -> None:
        """What `server.run` does, without an end; each turn comes within a second."""
        while True:
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._sockets, count=1)
            now = time.time()
            for channel in self._channels():
                channel.hurry(now)
            if self._stopping.is_set() and self._servers[0].accepting:
                self._stop_listening()
            self._turned.set()

    def has_turned(self) -> bool:
        """Whether it has made a turn since this was asked last."""
        turned = self._turned.is_set()
        self._turned.clear()
        return turned

    def drain(self, seconds: float) -> None:
        """Take no more connections; wait until all requests have been answered, for so long at most."""
        deadline = time.monotonic() + seconds
        self._stopping.set()
        self._servers[0].pull_trigger()
        self._server.task_dispatcher.shutdown(timeout=seconds)
        while time.monotonic() < deadline and any(each.total_outbufs_len for each in self._channels()):
            time.sleep(0.02)

    def _channels(self) -> list[_Channel]:
        return [channel for server in self._servers for channel in list(server.active_channels.values())]

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.accepting = False
            server.del_channel()
            server.socket.close()
