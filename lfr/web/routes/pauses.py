"""Routes that list, begin and end pauses."""

from __future__ import annotations

from typing import Any, Final

from lfr.errors import BadInput
from lfr.operations.pause import list_pauses, pause, pause_workflow, resume, resume_workflow
from lfr.web.http import Request, Response, json_response
from lfr.web.route import get, post
from lfr.web.routes.schemas import JSON, PAUSE, STATE, TEXT, array, enum, object_schema, ok


def _list(request: Request) -> Response:
    return json_response(list_pauses(request.store))


def _pause(request: Request) -> Response:
    body = request.fields()
    return json_response(pause(request.store, *_scope(body), deadlines=body.get("deadlines", "run")))


def _resume(request: Request) -> Response:
    return json_response(resume(request.store, *_scope(request.fields())))


def _pause_workflow(request: Request) -> Response:
    body = request.fields() if request.media else {}
    state = pause_workflow(request.store, request.path["id"], deadlines=body.get("deadlines", "run"))
    return json_response({"state": state.value})


def _resume_workflow(request: Request) -> Response:
    return json_response({"state": resume_workflow(request.store, request.path["id"]).value})


def _scope(body: dict[str, Any]) -> tuple[str, str]:
    scope, name = body.get("scope"), body.get("name", "")
    if not isinstance(scope, str) or not isinstance(name, str):
        raise BadInput("a pause has a scope, and unless that is all a name")
    return scope, name


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
