"""Routes that list and send events, and list queues."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from lfr.errors import BadInput
from lfr.operations.events import MAX_LIST_SIZE, list_events, list_queue, send_event
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import Parameter, get, post
from lfr.web.routes.schemas import (
    BOOLEAN,
    JSON,
    NONEMPTY_TEXT,
    NULLABLE_TEXT,
    OBJECT,
    TEXT,
    array,
    integer,
    object_schema,
    ok,
)


def _send_event(request: Request) -> Response:
    data = request.fields().get("data", {})
    if not isinstance(data, dict):
        raise BadInput("data must be an object: the fields of the event")
    return json_response({"id": send_event(request.store, request.text("kind"), data)}, HTTPStatus.CREATED)


def _list_events(request: Request) -> Response:
    query = request.query
    size = request.number("size", 50)
    events = list_events(request.store, size=size, kind=query.get("kind"), workflow=query.get("workflow"))
    return json_response(events)


def _list_queue(request: Request) -> Response:
    return json_response(list_queue(request.store, request.path["name"], size=request.number("size", 50)))


_SIZE: Final = Parameter("size", integer(1, MAX_LIST_SIZE), "the maximum number; default: 50")
_FIELDS: Final = {"type": "object", "additionalProperties": TEXT}
_EVENT: Final = {
    "id": TEXT,
    "at": NULLABLE_TEXT,
    "kind": NULLABLE_TEXT,
    "workflow": NULLABLE_TEXT,
    "fields": _FIELDS,
}

ROUTES: Final = (
    get(
        "/events",
        taking_turns(_list_events, lambda request: not request.query.keys().isdisjoint(("kind", "workflow"))),
        "List events of the stream, newest first, among the newest 5000.",
        query=(
            _SIZE,
            Parameter("kind", TEXT, "only events of this kind"),
            Parameter("workflow", TEXT, "only events about this workflow"),
        ),
        responses=ok(array(object_schema(_EVENT))),
        problems=(400,),
    ),
    get(
        "/queues/{name}",
        _list_queue,
        "List the tasks in the queue of a group of workers, oldest first.",
        query=(_SIZE,),
        responses=ok(array(object_schema({**_EVENT, "is_read": BOOLEAN}))),
        problems=(400, 404),
    ),
    post(
        "/events",
        _send_event,
        "Send an event of any kind.",
        body={JSON: object_schema({"kind": NONEMPTY_TEXT}, {"data": OBJECT})},
        responses={201: {JSON: object_schema({"id": TEXT})}},
        problems=(400,),
    ),
)
