"""Events: those on the stream, those that could not be understood, and events by hand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from lfr.errors import BadInput
from lfr.operations.events import LARGEST_LIST, list_dead_letters, list_events, send_event
from lfr.web.http import Access, Answer, Parameter, Request, Route, json_answer
from lfr.web.routes.schemas import MAYBE_TEXT, OBJECT, TEXT, WORD, array, ok, record, whole


def _append(request: Request) -> Answer:
    body = request.body
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
        raise BadInput("kind is missing: what kind of event it is")
    data = body.get("data", {})
    if not isinstance(data, dict):
        raise BadInput("data must be an object: the event's fields")
    return json_answer({"id": send_event(request.store, body["kind"], data)}, HTTPStatus.CREATED)


def _list(request: Request) -> Answer:
    query = request.query
    found = list_events(
        request.store,
        size=request.number("size", 50),
        kind=query.get("kind"),
        workflow=query.get("workflow"),
    )
    return json_answer(found)


def _dead(request: Request) -> Answer:
    return json_answer(list_dead_letters(request.store, size=request.number("size", 50)))


_SIZE: Final = Parameter("size", whole(1, LARGEST_LIST), "how many at most; 50 if it is left out")
_TEXTS: Final = {"type": "object", "additionalProperties": TEXT}

ROUTES: Final = (
    Route(
        "GET",
        "/events",
        _list,
        Access.READ,
        "Events on the stream, newest first: the newest 5000 are looked at.",
        query=(
            _SIZE,
            Parameter("kind", TEXT, "only events of this kind"),
            Parameter("workflow", TEXT, "only events about this workflow"),
        ),
        answers=ok(
            array(
                record(
                    {
                        "id": TEXT,
                        "at": MAYBE_TEXT,
                        "kind": MAYBE_TEXT,
                        "workflow": MAYBE_TEXT,
                        "fields": _TEXTS,
                    }
                )
            )
        ),
        problems=(400,),
    ),
    Route(
        "GET",
        "/dead-letters",
        _dead,
        Access.READ,
        "Events that could not be understood, newest first.",
        query=(_SIZE,),
        answers=ok(array(record({"id": TEXT, "at": TEXT, "reason": TEXT, "fields": _TEXTS}))),
        problems=(400,),
    ),
    Route(
        "POST",
        "/events",
        _append,
        Access.OPERATE,
        "Append an event of any kind.",
        body={"application/json": record({"kind": WORD}, {"data": OBJECT})},
        answers={201: {"application/json": record({"id": TEXT})}},
        problems=(400,),
    ),
)
