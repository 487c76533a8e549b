"""Lets requests that take long take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

from lfr.web.http import Request, Response
from lfr.web.problems import HttpError
from lfr.web.route import Handler


def taking_turns(handler: Handler, is_heavy: Callable[[Request], bool] = lambda request: True) -> Handler:
    """Return a handler that takes a turn for each request that is heavy. It raises HttpError (503) if there
    is none."""
    return partial(_take_turn, handler, is_heavy)


def _take_turn(handler: Handler, is_heavy: Callable[[Request], bool], request: Request) -> Response:
    if not is_heavy(request):
        return handler(request)
    with held_turn(request):
        return handler(request)


@contextmanager
def held_turn(request: Request) -> Iterator[None]:
    """Take a turn for as long as the block runs. Raises HttpError (503) if there is none."""
    if not request.turns.acquire():
        detail = "too many searches, checks and changes of many are being made; try again"
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})
    try:
        yield
    finally:
        request.turns.release()
