"""Server-sent events (WHATWG HTML, section 9.2): news as they come, over one answer that stays open."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from lfr.json_text import write_json
from lfr.web.exchange import Answer, Request
from lfr.web.problems import HttpError

News: TypeAlias = Generator[tuple[str, dict[str, Any]] | None, None, None]
"""What a stream tells: a name and data, or None where there is nothing new."""

_PROOF_OF_LIFE_SECONDS: Final = 15.0
"""A line at least this often: so proxies keep the stream, and it is noticed that nobody reads it any more."""


def event_stream(request: Request, news: News) -> Answer:
    """An answer that tells these: name and data of each; None: nothing new, but go on. Raises HttpError if
    too many streams are open."""
    if not request.streams.acquire(blocking=False):
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "too many streams are open already")
    lines = _Lines(news, request.streams)
    return Answer(lines, content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


class _Lines:
    """The lines of a stream. Gives its place back when it is closed, whether or not it was begun."""

    def __init__(self, news: News, places: threading.BoundedSemaphore) -> None:
        self._lines = _lines(news)
        self._news = news
        self._places = places
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


def _lines(news: News) -> Generator[bytes, None, None]:
    yield b"retry: 2000\n\n"
    told = time.monotonic()
    for each in news:
        if each is None and time.monotonic() - told < _PROOF_OF_LIFE_SECONDS:
            continue
        told = time.monotonic()
        yield (
            b": alive\n\n" if each is None else f"event: {each[0]}\ndata: {write_json(each[1])}\n\n".encode()
        )
