"""Routes that list the stored flows."""

from __future__ import annotations

from typing import Final

from lfr.operations.stored_flows import describe_flow, list_flows
from lfr.web.http import Request, Response, json_response
from lfr.web.route import get
from lfr.web.routes.schemas import INTEGER, OBJECT, TEXT, TIME, array, object_schema, ok


def _list_flows(request: Request) -> Response:
    return json_response(list_flows(request.store))


def _describe_flow(request: Request) -> Response:
    return json_response(describe_flow(request.store, request.path["name"]))


_VERSION: Final = {"version": INTEGER, "applied": TIME, "steps": INTEGER, "doc": TEXT, "digest": TEXT}

ROUTES: Final = (
    get(
        "/flows",
        _list_flows,
        "List the stored flows by name, each with its latest version.",
        responses=ok(array(object_schema({"name": TEXT, "versions": INTEGER, **_VERSION}))),
    ),
    get(
        "/flows/{name}",
        _describe_flow,
        "Get a stored flow, NAME or NAME@VERSION, with its text and all of its versions.",
        responses=ok(
            object_schema(
                {
                    "name": TEXT,
                    "text": TEXT,
                    "inputs": OBJECT,
                    "versions": array(object_schema(_VERSION)),
                    **_VERSION,
                }
            )
        ),
        problems=(400, 404),
    ),
)
