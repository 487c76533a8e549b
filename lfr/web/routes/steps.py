"""Routes about one step of a workflow: inspect, complete, retry, skip, fail."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from lfr.errors import NotFound
from lfr.events import Status
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect.workflow import inspect_step
from lfr.operations.intervene import fail_task, retry_task, skip_task
from lfr.values.json import ABSENT
from lfr.web.http import Request, Response, json_response, no_content
from lfr.web.large_responses import describing
from lfr.web.route import Handler, Route, get, post
from lfr.web.routes.schemas import (
    ANY,
    JSON,
    NULLABLE_INTEGER,
    TEXT,
    WHOLE_STEP,
    Schema,
    enum,
    object_schema,
    ok,
)


def _get(request: Request) -> Response:
    return json_response(inspect_step(request.store, request.path["id"], _index(request)))


def _complete(request: Request) -> Response:
    body = request.fields()
    for name in ("reason", "run"):
        request.text(name, "")
    names = ("attempt", "run", "status", "reason", "output")
    options = {name: body[name] for name in names if name in body}
    event_id = complete_task(request.store, request.path["id"], None, _index(request), **options)
    return json_response({"id": event_id}, HTTPStatus.ACCEPTED)


def _retry(request: Request) -> Response:
    retry_task(request.store, request.path["id"], _index(request))
    return no_content()


def _skip(request: Request) -> Response:
    output = request.fields().get("output", ABSENT)
    skip_task(request.store, request.path["id"], _index(request), output)
    return no_content()


def _fail(request: Request) -> Response:
    reason = request.text("reason", "failed by hand")
    fail_task(request.store, request.path["id"], _index(request), reason)
    return no_content()


def _index(request: Request) -> int:
    text = request.path["index"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"there is no step {text[:20]}")
    return int(text)


def _intervention(action: str, handler: Handler, summary: str, body: Schema | None = None) -> Route:
    return post(
        f"/workflows/{{id}}/steps/{{index}}/{action}",
        handler,
        summary,
        body=None if body is None else {JSON: body},
        needs_body=False,
        responses={204: {}},
        problems=(400, 404, 409),
    )


_COMPLETION: Final = object_schema(
    {}, {"status": enum(*Status), "output": ANY, "reason": TEXT, "attempt": NULLABLE_INTEGER, "run": TEXT}
)

ROUTES: Final = (
    get(
        "/workflows/{id}/steps/{index}",
        describing(_get),
        "Get a step with its values and attempts.",
        responses=ok(WHOLE_STEP),
        problems=(400, 404),
    ),
    post(
        "/workflows/{id}/steps/{index}/end",
        _complete,
        "Report that a task has ended, on behalf of its worker, such as a request with `sync: false`.",
        body={JSON: _COMPLETION},
        needs_body=False,
        responses={202: {JSON: object_schema({"id": TEXT})}},
        problems=(400, 404, 409),
    ),
    _intervention("retry", _retry, "Start a new attempt of a task."),
    _intervention(
        "skip",
        _skip,
        "End a task that has failed or runs, with this output.",
        object_schema({}, {"output": ANY}),
    ),
    _intervention("fail", _fail, "Fail a task that runs.", object_schema({}, {"reason": TEXT})),
)
