"""The route that says why workflows have failed, in groups."""

from __future__ import annotations

from typing import Final

from lfr.operations.failures.group import group_failures
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import Parameter, get
from lfr.web.routes.schemas import (
    BOOLEAN,
    INTEGER,
    NULLABLE_INTEGER,
    NUMBER,
    TEXT,
    TIME,
    array,
    object_schema,
    ok,
)


def _group(request: Request) -> Response:
    query = request.query
    return json_response(group_failures(request.store, query.get("since", "1d"), query.get("flow")))


_GROUP: Final = object_schema(
    {
        "failure": TEXT,
        "flow": TEXT,
        "step": TEXT,
        "reason": TEXT,
        "example": TEXT,
        "count": INTEGER,
        "first": TIME,
        "last": TIME,
        "trend": array(INTEGER),
        "latest": TEXT,
        "index": NULLABLE_INTEGER,
        "where": TEXT,
    }
)
_FAILURES: Final = object_schema(
    {
        "since": TIME,
        "until": TIME,
        "part_seconds": NUMBER,
        "failed": INTEGER,
        "left_out": INTEGER,
        "earlier": INTEGER,
        "examined": INTEGER,
        "is_complete": BOOLEAN,
        "groups": array(_GROUP),
    }
)

ROUTES: Final = (
    get(
        "/failures",
        taking_turns(_group),
        "Group the workflows that have failed since a time, by flow, step and reason, the latest first.",
        query=(
            Parameter("since", TEXT, "an age, a time in ISO 8601, or all; default: 1d"),
            Parameter("flow", TEXT, "only workflows of the flow with this name"),
        ),
        responses=ok(_FAILURES),
        problems=(400,),
    ),
)
