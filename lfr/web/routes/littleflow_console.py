"""The routes of littleflow_redis that its console uses, with the answers that it reads, below `/littleflow`.

Ids in answers have no `workflow:`. An answer that is no data is `{status, message}`; an error, too: that
console shows the message of one with status 400, so all are 400 but for a missing workflow and a Redis that
is away.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final

from lfr.drawing.state_diagram import to_state_diagram
from lfr.errors import BadInput, LfrError, NotFound, Unreachable
from lfr.operations.access import Access
from lfr.operations.inspect.littleflow_vectors import describe_flow, list_states, load_traces
from lfr.operations.inspect.workflow import read_flow
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.operations.workflow_ids import PREFIX
from lfr.values.json import Json
from lfr.web.http import Request, Response, json_response, text_response
from lfr.web.large_responses import archiving, describing
from lfr.web.route import Handler, Parameter, Route, delete, get, post
from lfr.web.routes.archives import get_archive, restore, write_archive
from lfr.web.routes.schemas import (
    ANY,
    INTEGER,
    JSON,
    OBJECT,
    STATE,
    TEXT,
    array,
    enum,
    integer,
    object_schema,
    ok,
)

_ROOT: Final = "/littleflow"
_MAX_FIRST: Final = 1_000_000
_MAX_SIZE: Final = 1000


def _success(message: str, **fields: Json) -> Response:
    return json_response({"status": "Success", "message": message, **fields})


def _answering(handler: Handler, request: Request) -> Response:
    """Return the response of a handler, or what littleflow_redis answers to an error."""
    try:
        return handler(request)
    except LfrError as error:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)
        word = "Unavailable" if status is HTTPStatus.SERVICE_UNAVAILABLE else "Error"
        return json_response({"status": word, "message": str(error)}, status)


_STATUS: Final = ((NotFound, HTTPStatus.NOT_FOUND), (Unreachable, HTTPStatus.SERVICE_UNAVAILABLE))


def _get_service(request: Request) -> Response:
    return json_response({"status": "Success"})


def _list(request: Request) -> Response:
    first, size = request.number("next", 0), request.number("size", 50)
    workflows = list_states(request.store, first, size)
    link = f'<{request.root}{_ROOT}/workflows?next={first + size}&size={size}>; rel="next"'
    return json_response(workflows, headers={"Link": link} if len(workflows) == size else None)


def _get(request: Request) -> Response:
    return json_response(describe_flow(request.store, request.path["id"]))


def _get_state(request: Request) -> Response:
    state, traces = load_traces(request.store, request.path["id"])
    failures = {"failures": traces.failures} if any(traces.failures) else {}
    return json_response({"state": state.value, "S": traces.S_sum, "A": traces.A_sum, **failures})


def _get_trace(request: Request) -> Response:
    kind = request.path["kind"]
    _, traces = load_traces(request.store, request.path["id"])
    vectors = {"S": traces.S, "A": traces.A}.get(kind)
    if vectors is None:
        raise BadInput(f"{kind[:40]!r} is no trace: S or A")
    return json_response([list(each) for each in vectors])


def _get_graph(request: Request) -> Response:
    flow = read_flow(request.store, request.path["id"])
    return text_response(to_state_diagram(flow, vertical=request.query.get("orientation") == "vertical"))


def _write_archive(request: Request) -> Response:
    return _success("Archive created", **write_archive(request))


def _restore(request: Request) -> Response:
    id = restore(request).removeprefix(PREFIX)
    return _success(f"Workflow restored as {id}", workflow=id)


def _upload(request: Request) -> Response:
    text = request.fields().get("workflow")
    if text is None:
        raise BadInput("the form has no workflow: the text of a flow, as a file or a field")
    id = start_workflow(request.store, text).id.removeprefix(PREFIX)
    return _success(f"Workflow started as {id}", workflow=id)


def _terminate(request: Request) -> Response:
    state = terminate_workflow(request.store, request.path["id"])
    return _success(f"Workflow {request.path['id']} is {state.value}")


def _restart(request: Request) -> Response:
    restart_workflow(request.store, request.path["id"])
    return _success(f"Restarted workflow {request.path['id']}")


def _refuse_restart(request: Request) -> Response:
    id = request.path["id"]
    hint = f"POST {request.root}{_ROOT}/workflows/{id}/restart, or lfr restart {id}"
    raise BadInput("a GET changes nothing here, so it restarts nothing", hint=hint)


def _delete(request: Request) -> Response:
    delete_workflow(request.store, request.path["id"])
    return _success(f"Workflow {request.path['id']} has been deleted")


_MESSAGE: Final = object_schema({"status": enum("Success", "Error", "Unavailable")}, {"message": TEXT})
_WITH_ID: Final = {JSON: object_schema({"status": TEXT, "message": TEXT, "workflow": TEXT})}
_VECTOR: Final = array(INTEGER)
_TRACE: Final = array(array({"type": ["string", "array"]}))

_ROUTES: Final = (
    get("", _get_service, "Get the status of the service.", responses=ok(_MESSAGE)),
    get(
        "/workflows",
        _list,
        "List workflows, newest first. The header Link has the address of the next page.",
        query=(
            Parameter("next", integer(0, _MAX_FIRST), "how many newer ones to leave out; default: 0"),
            Parameter("size", integer(1, _MAX_SIZE), "the maximum number; default: 50"),
        ),
        responses=ok(array(object_schema({"id": TEXT, "state": STATE}))),
    ),
    get(
        "/workflows/{id}",
        describing(_get, values=False),
        "Get the flow of a workflow, as a matrix and a list.",
        responses=ok(object_schema({"F": array(_VECTOR), "T": array(array(ANY))})),
    ),
    get(
        "/workflows/{id}/state",
        describing(_get_state, values=False),
        "Get the state of a workflow, with the sums of its traces.",
        responses=ok(object_schema({"state": STATE, "S": _VECTOR, "A": _VECTOR}, {"failures": _VECTOR})),
    ),
    get(
        "/workflows/{id}/trace/{kind}",
        describing(_get_trace, values=False),
        "Get the invocations (S) or the activations (A) of a workflow, the newest vector first.",
        responses=ok(_TRACE),
    ),
    get(
        "/workflows/{id}/graph",
        describing(_get_graph, values=False),
        "Get the flow as a mermaid state diagram.",
        query=(Parameter("orientation", enum("horizontal", "vertical"), "default: horizontal"),),
        responses={200: {"text/plain": TEXT}},
    ),
    get("/workflows/{id}/archive", archiving(get_archive), "Get the archive.", responses=ok(OBJECT)),
    get(
        "/workflows/{id}/restart",
        _refuse_restart,
        "Refuse a restart by GET, with the way to do it.",
        responses={400: {JSON: _MESSAGE}},
    ),
    post(
        "/workflows/{id}/restart",
        _restart,
        "Restart a workflow that failed or was terminated.",
        responses=ok(_MESSAGE),
    ),
    post("/workflows/{id}/terminate", _terminate, "Terminate a workflow.", responses=ok(_MESSAGE)),
    post(
        "/workflows/{id}/archive",
        archiving(_write_archive),
        "Write the archive of a workflow to S3, or to the server's folder for archives.",
        access=Access.ADMIN,
        body={JSON: object_schema({}, {"uri": TEXT})},
        needs_body=False,
        responses=ok(_MESSAGE),
    ),
    post(
        "/workflows/restore",
        _restore,
        "Restore a workflow from an archive, or from S3.",
        access=Access.ADMIN,
        query=(Parameter("workflow", TEXT, "its id; default: the archived id if it is free, else a new id"),),
        body={JSON: OBJECT},
        responses={200: _WITH_ID},
    ),
    post(
        "/workflows/start/upload",
        _upload,
        "Start a workflow from a form: the flow as the file or field `workflow`.",
        body={"multipart/form-data": object_schema({"workflow": TEXT})},
        responses={200: _WITH_ID},
    ),
    delete(
        "/workflows/{id}",
        _delete,
        "Delete a workflow that has ended.",
        access=Access.ADMIN,
        responses=ok(_MESSAGE),
    ),
)


def _as_littleflow(route: Route) -> Route:
    errors = {status: {JSON: _MESSAGE} for status in (400, 404, 503) if status not in route.responses}
    return replace(
        route,
        path=_ROOT + route.path,
        handler=partial(_answering, route.handler),
        responses={**route.responses, **errors},
        problems=(*route.problems, 404),  # of what is no id: no route has it
    )


ROUTES: Final = tuple(map(_as_littleflow, _ROUTES))
