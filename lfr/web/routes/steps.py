"""One step of a workflow: ended from afar; tried again, skipped, failed, by hand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from lfr.errors import BadInput, NotFound
from lfr.events import Status
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect.workflow import inspect_step
from lfr.operations.intervene import fail_task, retry_task, skip_task
from lfr.web.http import Access, Answer, Request, Route, json_answer, no_content
from lfr.web.routes.schemas import ANYTHING, MAYBE_NUMBER, TEXT, WHOLE_STEP, ok, record


def _show(request: Request) -> Answer:
    return json_answer(inspect_step(request.store, request.path["id"], _index(request)))


def _end(request: Request) -> Answer:
    body = _body(request)
    if not isinstance(body.get("reason", ""), str):
        raise BadInput("reason must be a text")
    told = {name: body[name] for name in ("attempt", "status", "reason", "output") if name in body}
    event = complete_task(request.store, request.path["id"], None, _index(request), **told)
    return json_answer({"id": event}, HTTPStatus.ACCEPTED)


def _retry(request: Request) -> Answer:
    retry_task(request.store, request.path["id"], _index(request))
    return no_content()


def _skip(request: Request) -> Answer:
    skip_task(request.store, request.path["id"], _index(request), _body(request).get("output"))
    return no_content()


def _fail(request: Request) -> Answer:
    reason = _body(request).get("reason", "failed by hand")
    if not isinstance(reason, str):
        raise BadInput("reason must be a text")
    fail_task(request.store, request.path["id"], _index(request), reason)
    return no_content()


def _index(request: Request) -> int:
    text = request.path["index"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"there is no step {text[:20]}")
    return int(text)


def _body(request: Request) -> dict[str, Any]:
    """The body, which may be left out."""
    return request.fields() if request.media else {}


def _route(word: str, handler: Any, summary: str, body: Any) -> Route:
    return Route(
        "POST",
        f"/workflows/{{id}}/steps/{{index}}/{word}",
        handler,
        Access.OPERATE,
        summary,
        body={} if body is None else {"application/json": body},
        needs_body=False,
        answers={204: {}},
        problems=(400, 404, 409),
    )


ROUTES: Final = (
    Route(
        "GET",
        "/workflows/{id}/steps/{index}",
        _show,
        Access.READ,
        "All that is known of a step.",
        answers=ok(WHOLE_STEP),
        problems=(400, 404),
    ),
    Route(
        "POST",
        "/workflows/{id}/steps/{index}/end",
        _end,
        Access.OPERATE,
        "Say that a task has ended, in its worker's place: a request with `sync: false`, for instance.",
        body={
            "application/json": record(
                {},
                {
                    "status": {"type": "string", "enum": [status.value for status in Status]},
                    "output": ANYTHING,
                    "reason": TEXT,
                    "attempt": MAYBE_NUMBER,
                },
            )
        },
        needs_body=False,
        answers={202: {"application/json": record({"id": TEXT})}},
        problems=(400, 404),
    ),
    _route("retry", _retry, "Start a task anew.", None),
    _route("skip", _skip, "Go on without a task.", record({}, {"output": ANYTHING})),
    _route("fail", _fail, "Let a task that runs fail.", record({}, {"reason": TEXT})),
)
