"""Server-sent events (WHATWG HTML, section 9.2): messages over one response that stays open."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeAlias

from lfr.errors import LfrError
from lfr.values.json import decode_json, encode_json
from lfr.web.http import Request, Response
from lfr.web.problems import HttpError, error_response


class Message(NamedTuple):
    """One message of a stream. A client that resumes sends back the last `id` that it has read; "": none."""

    name: str
    data: dict[str, Any]
    id: str = ""

    def encode(self) -> bytes:
        """Encode the message as the lines of the stream, with the empty line that ends it."""
        id_line = f"id: {self.id}\n" if self.id else ""
        return f"{id_line}event: {self.name}\ndata: {encode_json(self.data)}\n\n".encode()


Messages: TypeAlias = Generator[Message | None, None, None]
"""The messages of a stream. While there is none it yields None, at least every other second."""

_KEEPALIVE_SECONDS: Final = 5.0
"""The interval of comment lines on an idle stream: they keep proxies from closing it, and let clients notice
a server that hangs."""


def stream_events(request: Request, messages: Messages) -> Response:
    """Return a response that streams the messages.

    It ends with the messages, with the client's connection or token, or when the server stops. An LfrError
    ends it with the message `problem`. Raises HttpError if too many streams are open or the server stops.
    """
    _take_slot(request)
    headers = {"X-Accel-Buffering": "no"}
    return Response(_EventStream(messages, request), content_type="text/event-stream", headers=headers)


@contextmanager
def held_slot(request: Request) -> Iterator[None]:
    """Hold the slot of a stream for a response that takes as long, while the block runs. Raises HttpError
    (503) if there is none, or the server stops."""
    _take_slot(request)
    try:
        yield
    finally:
        request.streams.release()


def _take_slot(request: Request) -> None:
    if not request.streams.acquire():
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "too many streams are open")


class _EventStream:
    """The body of a response, as encoded messages. `close` frees its slot, even if nothing has been read."""

    def __init__(self, messages: Messages, request: Request) -> None:
        self._encoded_messages = _encode_messages(messages, request)
        self._messages = messages
        self._slots = request.streams
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self._encoded_messages

    def __next__(self) -> bytes:
        return next(self._encoded_messages)

    def close(self) -> None:
        """Free the slot and end the messages; a second call does nothing. WSGI servers call it. (PEP 3333)"""
        if self._is_open:
            self._is_open = False
            self._slots.release()
            self._encoded_messages.close()
            self._messages.close()


def _encode_messages(messages: Messages, request: Request) -> Generator[bytes, None, None]:
    yield b"retry: 2000\n\n"
    sent_at = time.monotonic()
    try:
        for message in messages:
            if request.streams.is_closed or request.is_disconnected() or not request.is_permitted():
                return
            if message is None and time.monotonic() - sent_at < _KEEPALIVE_SECONDS:
                continue
            sent_at = time.monotonic()
            if message is None:
                yield b": alive\n\n"
                continue
            encoded = message.encode()
            message.data.clear()  # a slow reader would keep the values, which take several times as much
            yield encoded
    except LfrError as error:
        content = error_response(error).content
        assert isinstance(content, bytes)
        yield Message("problem", decode_json(content)).encode()
