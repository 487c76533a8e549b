"""Routes that list, begin and end pauses."""

from __future__ import annotations

from typing import Final

from lfr.operations.pause import list_pauses, pause, pause_workflow, resume, resume_workflow
from lfr.web.http import Request, Response, json_response
from lfr.web.route import get, post
from lfr.web.routes.schemas import JSON, PAUSE, STATE, TEXT, array, enum, object_schema, ok


def _list(request: Request) -> Response:
    return json_response(list_pauses(request.store))


def _pause(request: Request) -> Response:
    deadlines = request.text("deadlines", "run")
    return json_response(pause(request.store, *_scope(request), deadlines=deadlines))


def _resume(request: Request) -> Response:
    return json_response(resume(request.store, *_scope(request)))


def _pause_workflow(request: Request) -> Response:
    deadlines = request.text("deadlines", "run")
    state = pause_workflow(request.store, request.path["id"], deadlines=deadlines)
    return json_response({"state": state.value})


def _resume_workflow(request: Request) -> Response:
    return json_response({"state": resume_workflow(request.store, request.path["id"]).value})


def _scope(request: Request) -> tuple[str, str]:
    return request.text("scope"), request.text("name", "")


_DEADLINES: Final = enum("run", "stop")
_SCOPE: Final = enum("all", "flow", "task")

ROUTES: Final = (
    get("/pauses", _list, "List what is paused.", responses=ok(array(PAUSE))),
    post(
        "/pauses",
        _pause,
        "Pause all workflows of a flow, all steps with a task, or everything.",
        body={JSON: object_schema({"scope": _SCOPE}, {"name": TEXT, "deadlines": _DEADLINES})},
        responses=ok(PAUSE),
        problems=(400, 409),
    ),
    post(
        "/pauses/resume",
        _resume,
        "End such a pause.",
        body={JSON: object_schema({"scope": _SCOPE}, {"name": TEXT})},
        responses=ok(PAUSE),
        problems=(400, 409),
    ),
    post(
        "/workflows/{id}/pause",
        _pause_workflow,
        "Pause a workflow: what runs may end, nothing new starts.",
        body={JSON: object_schema({}, {"deadlines": _DEADLINES})},
        needs_body=False,
        responses=ok(object_schema({"state": STATE})),
        problems=(400, 404, 409),
    ),
    post(
        "/workflows/{id}/resume",
        _resume_workflow,
        "Let a paused workflow continue.",
        responses=ok(object_schema({"state": STATE})),
        problems=(400, 404, 409),
    ),
)
