"""The API about itself: version, health, its own description."""

from __future__ import annotations

from typing import Final

from lfr import __version__
from lfr.operations.list_workflows import count_workflows
from lfr.operations.status import load_status
from lfr.web.http import Access, Answer, Request, Route, json_answer
from lfr.web.routes.schemas import OBJECT, TEXT, record

_STATUS: Final = record({"status": TEXT})


def _version(request: Request) -> Answer:
    return json_answer({"lfr": __version__})


def _live(request: Request) -> Answer:
    return json_answer({"status": "ok"})


def _system(request: Request) -> Answer:
    return json_answer(load_status(request.store))


def _ready(request: Request) -> Answer:
    count_workflows(request.store)  # Redis answers
    return json_answer({"status": "ok"})


ROUTES: Final = (
    Route(
        "GET",
        "/",
        _version,
        Access.READ,
        "The version.",
        answers={200: {"application/json": record({"lfr": TEXT})}},
    ),
    Route(
        "GET",
        "/system",
        _system,
        Access.READ,
        "Roles that are alive, the stream, its groups, what waits, and dead letters.",
        answers={200: {"application/json": OBJECT}},
    ),
    Route(
        "GET",
        "/health/live",
        _live,
        Access.NONE,
        "Whether this process serves.",
        answers={200: {"application/json": _STATUS}},
    ),
    Route(
        "GET",
        "/health/ready",
        _ready,
        Access.NONE,
        "Whether Redis can be reached, too.",
        answers={200: {"application/json": _STATUS}},
    ),
)
