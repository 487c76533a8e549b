"""Routes that list and reset latches."""

from __future__ import annotations

from typing import Final

from lfr.operations.latches import list_latches, reset_latch
from lfr.web.http import Request, Response, json_response
from lfr.web.route import get, post
from lfr.web.routes.schemas import OBJECT, array, ok


def _list_latches(request: Request) -> Response:
    return json_response(list_latches(request.store))


def _reset_latch(request: Request) -> Response:
    return json_response(reset_latch(request.store, request.path["name"]))


ROUTES: Final = (
    get(
        "/latches",
        _list_latches,
        "List latches with their values and waiting steps.",
        responses=ok(array(OBJECT)),
    ),
    post(
        "/latches/{name}/reset",
        _reset_latch,
        "Set a latch to zero and resume the steps that wait for it.",
        responses=ok(OBJECT),
        problems=(404,),
    ),
)
