"""Latches: listed, set to zero."""

from __future__ import annotations

from typing import Final

from lfr.operations.latches import list_latches, reset_latch
from lfr.web.http import Access, Answer, Request, Route, json_answer
from lfr.web.routes.schemas import OBJECT, array


def _list(request: Request) -> Answer:
    return json_answer(list_latches(request.store))


def _reset(request: Request) -> Answer:
    return json_answer(reset_latch(request.store, request.path["name"]))


ROUTES: Final = (
    Route(
        "GET",
        "/latches",
        _list,
        Access.READ,
        "Latches, with their values and who counts them down.",
        answers={200: {"application/json": array(OBJECT)}},
    ),
    Route(
        "POST",
        "/latches/{name}/reset",
        _reset,
        Access.OPERATE,
        "Set a latch to zero; whoever counts it down goes on.",
        answers={200: {"application/json": OBJECT}},
        problems=(404,),
    ),
)
