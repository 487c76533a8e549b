"""Routes that list, show, make, pause, resume, trigger, backfill and remove schedules."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from lfr.errors import BadInput
from lfr.operations.access import Access
from lfr.operations.schedules import (
    add_schedule,
    backfill,
    describe_schedule,
    list_schedules,
    pause_schedule,
    plan_backfill,
    remove_schedule,
    resume_schedule,
    trigger_schedule,
)
from lfr.schedules.decide import OutcomeKind
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response, workflow_response
from lfr.web.route import delete, get, post
from lfr.web.routes.schemas import (
    BOOLEAN,
    INTEGER,
    JSON,
    NULLABLE_TEXT,
    OBJECT,
    TEXT,
    TIME,
    WORKFLOW_ID,
    array,
    enum,
    object_schema,
    ok,
)


def _list_schedules(request: Request) -> Response:
    return json_response(list_schedules(request.store))


def _describe_schedule(request: Request) -> Response:
    return json_response(describe_schedule(request.store, request.path["name"]))


def _add_schedule(request: Request) -> Response:
    name, schedule = request.text("name"), request.fields().get("schedule")
    if not isinstance(schedule, dict):
        raise BadInput("schedule must be an object, as {cron: '0 3 * * 1-5'}")
    added = add_schedule(request.store, name, schedule, request.text("flow", name))
    location = f"{request.root}/schedules/{quote(name)}"
    return json_response(added, HTTPStatus.CREATED, {"Location": location})


def _remove_schedule(request: Request) -> Response:
    remove_schedule(request.store, request.path["name"])
    return Response(status=HTTPStatus.NO_CONTENT)


def _pause_schedule(request: Request) -> Response:
    pause_schedule(request.store, request.path["name"], request.text("reason", ""))
    return _describe_schedule(request)


def _resume_schedule(request: Request) -> Response:
    resume_schedule(request.store, request.path["name"])
    return _describe_schedule(request)


def _trigger_schedule(request: Request) -> Response:
    id = trigger_schedule(request.store, request.path["name"])
    return workflow_response(request, id)


def _backfill(request: Request) -> Response:
    plan = plan_backfill(request.store, request.path["name"], request.text("from"), request.text("to"))
    is_dry_run = request.is_true("dry_run")
    started = plan.ids() if is_dry_run else [id for id, is_new in backfill(request.store, plan) if is_new]
    return json_response({"times": len(plan.times_ms), "workflows": started})


_OUTCOME: Final = object_schema(
    {
        "outcome": enum(*OutcomeKind),
        "time": TIME,
        "until": TIME,
        "count": INTEGER,
        "at": TIME,
        "workflow": NULLABLE_TEXT,
        "reason": NULLABLE_TEXT,
    }
)
_LISTED: Final = {
    "name": TEXT,
    "flow": TEXT,
    "origin": enum("text", "hand"),
    "schedule": OBJECT,
    "times": TEXT,
    "timezone": TEXT,
    "next": TIME,
    "paused": NULLABLE_TEXT,
    "running": array(TEXT),
    "failures": INTEGER,
    "problem": NULLABLE_TEXT,
    "latest": {"anyOf": [_OUTCOME, {"type": "null"}]},
}
_SCHEDULE: Final = object_schema(
    {
        **_LISTED,
        "made": TIME,
        "queued": TIME,
        "upcoming": array(object_schema({"time": TIME, "local": TEXT, "due": TIME})),
        "outcomes": array(_OUTCOME),
    }
)

ROUTES: Final = (
    get(
        "/schedules",
        _list_schedules,
        "List the schedules by name, each with its next time and its latest outcome.",
        responses=ok(array(object_schema(_LISTED))),
    ),
    post(
        "/schedules",
        _add_schedule,
        "Make a schedule for a stored flow, NAME or NAME@VERSION; without a flow, for that with its name.",
        access=Access.ADMIN,
        body={JSON: object_schema({"name": TEXT, "schedule": OBJECT}, {"flow": TEXT})},
        responses={201: {JSON: _SCHEDULE}},
        problems=(400, 404, 409),
    ),
    get(
        "/schedules/{name}",
        _describe_schedule,
        "Get a schedule with its next twenty times and its latest outcomes.",
        responses=ok(_SCHEDULE),
        problems=(404,),
    ),
    delete(
        "/schedules/{name}",
        _remove_schedule,
        "Remove a schedule that was made by hand.",
        access=Access.ADMIN,
        responses={204: {}},
        problems=(404, 409),
    ),
    post(
        "/schedules/{name}/pause",
        _pause_schedule,
        "Pause a schedule: nothing is started until it is resumed.",
        body={JSON: object_schema({}, {"reason": TEXT})},
        needs_body=False,
        responses=ok(_SCHEDULE),
        problems=(400, 404, 409),
    ),
    post(
        "/schedules/{name}/resume",
        _resume_schedule,
        "Resume a paused schedule, from now on.",
        responses=ok(_SCHEDULE),
        problems=(404, 409),
    ),
    post(
        "/schedules/{name}/trigger",
        _trigger_schedule,
        "Start a workflow of a schedule now.",
        responses={201: {JSON: WORKFLOW_ID}},
        problems=(400, 404, 409),
    ),
    post(
        "/schedules/{name}/backfill",
        taking_turns(_backfill),
        "Start a workflow for each time of a schedule in a range that lies behind and has none.",
        body={JSON: object_schema({"from": TEXT, "to": TEXT}, {"dry_run": BOOLEAN})},
        responses=ok(object_schema({"times": INTEGER, "workflows": array(TEXT)})),
        problems=(400, 404),
    ),
)
