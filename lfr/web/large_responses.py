"""Makes responses with the values of a workflow within the memory that the server has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Final

from lfr.errors import Conflict
from lfr.operations.archive.archive import archive_bytes
from lfr.operations.flow_runs import measure_runs
from lfr.operations.inspect.values import description_bytes
from lfr.web.http import Request, Response
from lfr.web.memory import ResponseMemory
from lfr.web.problems import HttpError
from lfr.web.route import Handler

MAX_ARCHIVE_BYTES: Final = 256 * 2**20
"""How many bytes of Redis a workflow may take of which the server makes an archive."""


def describing(handler: Handler, *, values: bool = True) -> Handler:
    """Return a handler that reserves memory for the description of its workflow, with its values if `values`
    and the query permit."""
    return partial(
        _reserve,
        handler,
        lambda request: description_bytes(
            request.store, request.path["id"], values=values and request.flag("values", True)
        ),
    )


def comparing(handler: Handler) -> Handler:
    """Return a handler that reserves memory for the values of both workflows in its path."""
    return partial(_reserve, handler, _compared_bytes)


def describing_runs(handler: Handler) -> Handler:
    """Return a handler that reserves memory for the description of one run of the flow in its path: they are
    made one after the other."""
    return partial(_reserve, handler, _runs_bytes)


def archiving(handler: Handler) -> Handler:
    """Return a handler that reserves memory for the archive of its workflow. It raises Conflict for one that
    is too large."""
    return partial(_reserve, handler, _archive_bytes)


def alone(handler: Handler) -> Handler:
    """Return a handler that reserves all of the memory, because nobody knows how much it needs."""
    return partial(_reserve, handler, lambda _request: None)


def _compared_bytes(request: Request) -> int | None:
    sizes = [description_bytes(request.store, request.path[name], values=True) for name in ("id", "other")]
    return None if None in sizes else sum(filter(None, sizes))


def _runs_bytes(request: Request) -> int | None:
    count, after = request.number("size", 30), request.query.get("next")
    return measure_runs(request.store, request.path["name"], count=count, after=after)


def _archive_bytes(request: Request) -> int | None:
    size = archive_bytes(request.store, request.path["id"])
    if size is not None and size > MAX_ARCHIVE_BYTES:
        raise Conflict(
            f"the workflow takes {size:,} bytes, too many for the API",
            hint=f"on the server: lfr archive {request.path['id']}",
        )
    return size


def _reserve(handler: Handler, measure: Callable[[Request], int | None], request: Request) -> Response:
    """Return the response of a handler. Raises HttpError (503) if there is no memory for it."""
    with reserved(request.memory, measure(request), "too many large responses are being made; try again"):
        return handler(request)


@contextmanager
def reserved(memory: ResponseMemory, size: int | None, refusal: str) -> Iterator[None]:
    """Hold memory for so many bytes, None: all of it, as long as the block runs. Raises HttpError (503) with
    this detail if there is none."""
    share = memory.acquire(size)
    if share is None:
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, refusal, {"Retry-After": "5"})
    try:
        yield
    finally:
        memory.release(share)
