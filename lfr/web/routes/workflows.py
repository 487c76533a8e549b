"""One workflow: looked at, stopped, gone on with, deleted."""

from __future__ import annotations

from typing import Final

from lfr.drawing.mermaid import to_mermaid
from lfr.errors import BadInput
from lfr.operations.inspect.workflow import inspect_workflow, list_history, read_flow, read_flow_text
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.web.http import Access, Answer, Parameter, Request, Route, json_answer, no_content, text_answer
from lfr.web.routes.schemas import (
    BOOLEAN,
    FACT,
    FLOW,
    JSON,
    STATE,
    STATE_OF_STEPS,
    TEXT,
    WORD,
    WORKFLOW,
    array,
    ok,
    record,
    word,
)


def _show(request: Request) -> Answer:
    values = request.flag("values", True)
    return json_answer(inspect_workflow(request.store, request.path["id"], values=values, flow=True))


def _state(request: Request) -> Answer:
    found = inspect_workflow(request.store, request.path["id"])
    return json_answer({key: found[key] for key in ("state", "reason", "counts", "steps")})


def _history(request: Request) -> Answer:
    since = request.query.get("since", "")
    if since.endswith(" 00:00"):
        since = since.removesuffix(" 00:00") + "Z"  # `at` as it is told, with its `+` not encoded
    return json_answer(list_history(request.store, request.path["id"], since=since))


def _source(request: Request) -> Answer:
    return text_answer(read_flow_text(request.store, request.path["id"]))


def _graph(request: Request) -> Answer:
    flow = read_flow(request.store, request.path["id"])
    if request.query.get("format") == "json":
        return json_answer(flow.to_dict())
    return text_answer(to_mermaid(flow, vertical=request.query.get("orientation") == "vertical"))


def _terminate(request: Request) -> Answer:
    return json_answer({"state": terminate_workflow(request.store, request.path["id"]).value})


def _terminate_named(request: Request) -> Answer:
    id = request.fields().get("workflow")
    if not isinstance(id, str):
        raise BadInput("workflow is missing: the id of a workflow")
    return json_answer({"state": terminate_workflow(request.store, id).value})


def _restart(request: Request) -> Answer:
    return json_answer({"state": restart_workflow(request.store, request.path["id"]).value})


def _delete(request: Request) -> Answer:
    delete_workflow(request.store, request.path["id"])
    return no_content()


_GONE: Final = (400, 404)

ROUTES: Final = (
    Route(
        "GET",
        "/workflows/{id}",
        _show,
        Access.READ,
        "All that is known of a workflow.",
        query=(Parameter("values", BOOLEAN, "false: without inputs, outputs, parameters, long reasons"),),
        answers=ok(WORKFLOW),
        problems=_GONE,
    ),
    Route(
        "GET",
        "/workflows/{id}/state",
        _state,
        Access.READ,
        "The state of a workflow and of its steps.",
        answers=ok(STATE_OF_STEPS),
        problems=_GONE,
    ),
    Route(
        "GET",
        "/workflows/{id}/history",
        _history,
        Access.READ,
        "What has happened, oldest first.",
        query=(Parameter("since", TEXT, "only what happened after this time, in ISO 8601"),),
        answers=ok(array(FACT)),
        problems=_GONE,
    ),
    Route(
        "GET",
        "/workflows/{id}/source",
        _source,
        Access.READ,
        "The text of the flow.",
        answers={200: {"text/plain": TEXT}},
        problems=_GONE,
    ),
    Route(
        "GET",
        "/workflows/{id}/graph",
        _graph,
        Access.READ,
        "The flow as a picture for mermaid, or as JSON.",
        query=(
            Parameter("format", word("mermaid", "json"), "mermaid if it is left out"),
            Parameter("orientation", word("horizontal", "vertical"), "of mermaid"),
        ),
        answers={200: {"text/plain": TEXT, JSON: FLOW}},
        problems=_GONE,
    ),
    Route(
        "POST",
        "/workflows/{id}/terminate",
        _terminate,
        Access.OPERATE,
        "Stop a workflow.",
        answers=ok(record({"state": STATE})),
        problems=(*_GONE, 409),
    ),
    Route(
        "POST",
        "/workflows/terminate",
        _terminate_named,
        Access.OPERATE,
        "Stop a workflow that is named in the body.",
        body={JSON: record({"workflow": WORD})},
        answers=ok(record({"state": STATE})),
        problems=(*_GONE, 409),
    ),
    Route(
        "POST",
        "/workflows/{id}/restart",
        _restart,
        Access.OPERATE,
        "Go on with a workflow that has failed or was terminated.",
        answers=ok(record({"state": STATE})),
        problems=(*_GONE, 409),
    ),
    Route(
        "DELETE",
        "/workflows/{id}",
        _delete,
        Access.OPERATE,
        "Delete a workflow that has ended.",
        answers={204: {}},
        problems=(*_GONE, 409),
    ),
)
