"""Server-sent events (WHATWG HTML, section 9.2): news as they come, over one answer that stays open."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeAlias

from lfr.errors import LfrError
from lfr.values.json import decode_json, encode_json
from lfr.web.http import Answer, Request
from lfr.web.problems import HttpError, problem_of


class Message(NamedTuple):
    """One thing that a stream tells. `id`: where a reader who has seen it goes on, or empty."""

    name: str
    data: dict[str, Any]
    id: str = ""

    def encode(self) -> bytes:
        """As it stands in the stream."""
        place = f"id: {self.id}\n" if self.id else ""
        return f"{place}event: {self.name}\ndata: {encode_json(self.data)}\n\n".encode()


News: TypeAlias = Generator[Message | None, None, None]
"""What a stream tells; None, at least every other second, where there is nothing new."""

_PROOF_OF_LIFE_SECONDS: Final = 15.0
"""A line at least this often, so that proxies keep the stream and readers know that it lives."""


def event_stream(request: Request, news: News) -> Answer:
    """An answer that tells these news. It ends with them, with its reader, or when the server stops; an
    error ends it by the message `problem`. Raises HttpError if too many streams are open."""
    if request.streams.over.is_set() or not request.streams.places.acquire(blocking=False):
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "too many streams are open already")
    headers = {"X-Accel-Buffering": "no"}
    return Answer(_Lines(news, request), content_type="text/event-stream", headers=headers)


class _Lines:
    """The lines of a stream. Gives its place back when it is closed, whether or not it was begun."""

    def __init__(self, news: News, request: Request) -> None:
        self._lines = _lines(news, request)
        self._news = news
        self._places = request.streams.places
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def __next__(self) -> bytes:
        return next(self._lines)

    def close(self) -> None:
        """The stream is over. (PEP 3333 calls this, whatever happened.)"""
        if self._is_open:
            self._is_open = False
            self._places.release()
            self._lines.close()
            self._news.close()


def _lines(news: News, request: Request) -> Generator[bytes, None, None]:
    yield b"retry: 2000\n\n"
    told = time.monotonic()
    try:
        for message in news:
            if request.streams.over.is_set() or request.is_gone():
                return
            if message is None and time.monotonic() - told < _PROOF_OF_LIFE_SECONDS:
                continue
            told = time.monotonic()
            yield b": alive\n\n" if message is None else message.encode()
    except LfrError as error:
        content = problem_of(error).content
        assert isinstance(content, bytes)
        yield Message("problem", decode_json(content)).encode()
