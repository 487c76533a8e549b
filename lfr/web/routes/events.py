"""Events by hand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from lfr.errors import BadInput
from lfr.operations.send_event import send_event
from lfr.web.exchange import Access, Answer, Request, Route, json_answer
from lfr.web.routes.schemas import OBJECT, TEXT, record


def _append(request: Request) -> Answer:
    body = request.body
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
        raise BadInput("kind is missing: what kind of event it is")
    data = body.get("data", {})
    if not isinstance(data, dict):
        raise BadInput("data must be an object: the event's fields")
    return json_answer({"id": send_event(request.store, body["kind"], data)}, HTTPStatus.CREATED)


ROUTES: Final = (
    Route(
        "POST",
        "/events",
        _append,
        Access.OPERATE,
        "Append an event of any kind.",
        body={"application/json": record({"kind": TEXT}, {"data": OBJECT})},
        answers={201: {"application/json": record({"id": TEXT})}},
        problems=(400,),
    ),
)
