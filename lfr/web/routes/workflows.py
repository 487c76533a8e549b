"""Routes about one workflow: its state, history, text and graph; terminate, restart, delete."""

from __future__ import annotations

from typing import Final

from lfr.drawing.mermaid import to_mermaid
from lfr.operations.access import Access
from lfr.operations.explain.explanation import explain_workflow
from lfr.operations.inspect.workflow import (
    inspect_workflow,
    list_history,
    measure_workflow,
    read_flow,
    read_flow_text,
)
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.operations.task_logs import read_task_log
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response, no_content, text_response
from lfr.web.large_responses import describing
from lfr.web.route import Parameter, delete, get, post
from lfr.web.routes.schemas import (
    BOOLEAN,
    EXPLANATION,
    FACT,
    FLOW,
    JSON,
    NONEMPTY_TEXT,
    NULLABLE_INTEGER,
    STATE,
    STATE_OF_STEPS,
    TASK_LOG,
    TEXT,
    WORKFLOW,
    array,
    enum,
    integer,
    object_schema,
    ok,
)


def _get(request: Request) -> Response:
    values = request.flag("values", True)
    return json_response(inspect_workflow(request.store, request.path["id"], values=values, flow=True))


def _get_state(request: Request) -> Response:
    workflow = inspect_workflow(request.store, request.path["id"])
    return json_response({key: workflow[key] for key in ("state", "reason", "counts", "steps")})


def _get_size(request: Request) -> Response:
    return json_response({"bytes": measure_workflow(request.store, request.path["id"])})


def _get_why(request: Request) -> Response:
    index = request.number("step", -1)
    return json_response(explain_workflow(request.store, request.path["id"], None if index < 0 else index))


def _get_logs(request: Request) -> Response:
    choice = {name: request.number(name, -1) for name in ("step", "attempt")}
    index, attempt = (None if number < 0 else number for number in choice.values())
    after = request.number("after", 0)
    return json_response(
        read_task_log(request.store, request.path["id"], index=index, attempt=attempt, after=after)
    )


def _get_history(request: Request) -> Response:
    since = request.query.get("since", "")
    if since.endswith(" 00:00"):
        since = since.removesuffix(" 00:00") + "Z"  # `at` as in the history, with an unencoded `+`
    return json_response(list_history(request.store, request.path["id"], since=since))


def _get_source(request: Request) -> Response:
    return text_response(read_flow_text(request.store, request.path["id"]))


def _get_graph(request: Request) -> Response:
    flow = read_flow(request.store, request.path["id"])
    if request.query.get("format") == "json":
        return json_response(flow.to_dict())
    return text_response(to_mermaid(flow, vertical=request.query.get("orientation") == "vertical"))


def _terminate(request: Request) -> Response:
    return json_response({"state": terminate_workflow(request.store, request.path["id"]).value})


def _terminate_by_body(request: Request) -> Response:
    return json_response({"state": terminate_workflow(request.store, request.text("workflow")).value})


def _restart(request: Request) -> Response:
    return json_response({"state": restart_workflow(request.store, request.path["id"]).value})


def _delete(request: Request) -> Response:
    delete_workflow(request.store, request.path["id"])
    return no_content()


_ERRORS: Final = (400, 404)

ROUTES: Final = (
    get(
        "/workflows/{id}",
        describing(_get),
        "Get a workflow with its steps and its flow.",
        query=(Parameter("values", BOOLEAN, "false: omit inputs, outputs and parameters, cut long reasons"),),
        responses=ok(WORKFLOW),
        problems=_ERRORS,
    ),
    get(
        "/workflows/{id}/state",
        describing(_get_state),
        "Get the state of a workflow and of its steps.",
        responses=ok(STATE_OF_STEPS),
        problems=_ERRORS,
    ),
    get(
        "/workflows/{id}/size",
        describing(_get_size, values=False),
        "Get how many bytes of Redis a workflow takes, with its items; null: the server does not say it.",
        responses=ok(object_schema({"bytes": NULLABLE_INTEGER})),
        problems=_ERRORS,
    ),
    get(
        "/workflows/{id}/why",
        taking_turns(describing(_get_why, values=False), lambda request: "step" not in request.query),
        "Get why a workflow stands, or one of its steps, and what to do about it.",
        query=(Parameter("step", integer(0, 10**9), "the index of one step; default: all that stand"),),
        responses=ok(EXPLANATION),
        problems=_ERRORS,
    ),
    get(
        "/workflows/{id}/logs",
        describing(_get_logs, values=False),
        "Get what the tasks of a workflow have printed and logged, about 1000 lines a page.",
        query=(
            Parameter("step", integer(0, 10**9), "the index of one step; default: all"),
            Parameter("attempt", integer(1, 10**9), "one attempt of this step; default: all"),
            Parameter("after", integer(0, 10**15), "the cursor of an earlier page: only what came later"),
        ),
        responses=ok(TASK_LOG),
        problems=_ERRORS,
    ),
    get(
        "/workflows/{id}/history",
        describing(_get_history, values=False),
        "Get the history of a workflow, oldest fact first.",
        query=(Parameter("since", TEXT, "only facts after this time, in ISO 8601"),),
        responses=ok(array(FACT)),
        problems=_ERRORS,
    ),
    get(
        "/workflows/{id}/source",
        describing(_get_source, values=False),
        "Get the flow text.",
        responses={200: {"text/plain": TEXT}},
        problems=_ERRORS,
    ),
    get(
        "/workflows/{id}/graph",
        describing(_get_graph, values=False),
        "Get the graph of the flow as mermaid or JSON.",
        query=(
            Parameter("format", enum("mermaid", "json"), "default: mermaid"),
            Parameter(
                "orientation", enum("horizontal", "vertical"), "of the mermaid graph; default: horizontal"
            ),
        ),
        responses={200: {"text/plain": TEXT, JSON: FLOW}},
        problems=_ERRORS,
    ),
    post(
        "/workflows/{id}/terminate",
        _terminate,
        "Terminate a workflow.",
        responses=ok(object_schema({"state": STATE})),
        problems=(*_ERRORS, 409),
    ),
    post(
        "/workflows/terminate",
        _terminate_by_body,
        "Terminate the workflow whose id is in the body.",
        body={JSON: object_schema({"workflow": NONEMPTY_TEXT})},
        responses=ok(object_schema({"state": STATE})),
        problems=(*_ERRORS, 409),
    ),
    post(
        "/workflows/{id}/restart",
        _restart,
        "Restart a workflow that failed or was terminated from where it stopped.",
        responses=ok(object_schema({"state": STATE})),
        problems=(*_ERRORS, 409),
    ),
    delete(
        "/workflows/{id}",
        _delete,
        "Delete a workflow that has ended.",
        access=Access.ADMIN,
        responses={204: {}},
        problems=(*_ERRORS, 409),
    ),
)
