"""Routes that check flows and start workflows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from lfr.errors import BadInput
from lfr.language import Diagnostic, FlowLimits, Severity, check_flow
from lfr.operations.access import Access
from lfr.operations.start import StartedWorkflow, start_workflow
from lfr.operations.stored_flows import start_stored_flow
from lfr.values.json import ABSENT, InvalidJson, Json, decode_json
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import Parameter, post
from lfr.web.routes.schemas import (
    ANY,
    BOOLEAN,
    DIAGNOSTIC,
    FLOW,
    FLOW_TEXT,
    JSON,
    NULLABLE_TEXT,
    OBJECT,
    TEXT,
    WORKFLOW_ID,
    array,
    object_schema,
    ok,
)

MAX_CHECKED_CHARACTERS: Final = 64 * 1024
"""How long a text may be that the API checks."""

_MAX_CHECKED_BYTES: Final = 2**20
"""How long a body may be that has such a text: JSON may escape a character with twelve."""

_LONGEST_KEY: Final = 255
"""The characters of an Idempotency-Key."""

_CHECK_LIMITS: Final = FlowLimits(
    steps=20_000, edges=50_000, characters=4 * 2**20, hint="too big to be checked here: use lfr check"
)
"""A token for reading permits to check a flow: a few hundred characters can ask for a million steps."""


def _check(request: Request) -> Response:
    text = request.body if request.media == "text/plain" else request.fields().get("workflow")
    if not isinstance(text, str):
        raise BadInput("workflow is missing: the text of a flow")
    if len(text) > MAX_CHECKED_CHARACTERS:
        message = f"the text of the flow has more than {MAX_CHECKED_CHARACTERS:,} characters"
        raise BadInput(message, hint=_CHECK_LIMITS.hint)
    checked = check_flow(text, limits=_CHECK_LIMITS)
    description: dict[str, Any] = {
        "ok": not checked.has_errors,
        "name": checked.flow.name if checked.flow else "",
        "errors": _diagnostics(checked.diagnostics, Severity.ERROR),
        "warnings": _diagnostics(checked.diagnostics, Severity.WARNING),
    }
    if checked.flow is not None:
        description["flow"] = checked.flow.to_dict()
    return json_response(description)


def _diagnostics(diagnostics: Iterable[Diagnostic], severity: Severity) -> list[dict[str, Any]]:
    return [
        {"line": each.line, "column": each.column, "message": each.message, "hint": each.hint}
        for each in diagnostics
        if each.severity is severity
    ]


def _start(request: Request) -> Response:
    if request.media == "text/plain":
        return _start_workflow(request, request.body, ABSENT, _id_of_key(request), None)
    body = request.fields()
    text, input, id = body.get("workflow"), body.get("input", ABSENT), body.get("id")
    labels = body.get("labels")
    if id is not None and not isinstance(id, str):
        raise BadInput("id must be a text")
    id = id or _id_of_key(request)
    if "flow" in body:
        if "workflow" in body:
            raise BadInput("workflow and flow both say what to start: send one of them")
        if not isinstance(body["flow"], str):
            raise BadInput("flow must be a text: the name of a stored flow, as order or order@3")
        started = start_stored_flow(
            *(request.store, body["flow"], input, id), labels=labels, traceparent=request.traceparent
        )
        return _started(request, started)
    if not isinstance(text, str):
        raise BadInput("workflow is missing: the text of a flow; or flow, the name of a stored one")
    return _start_workflow(request, text, input, id, labels)


def _upload(request: Request) -> Response:
    fields = request.fields()
    if "workflow" not in fields:
        raise BadInput("workflow is missing: the text of a flow, as a file or a field")
    input, labels = _decode_field(fields, "input", ABSENT), _decode_field(fields, "labels", None)
    return _start_workflow(
        request, fields["workflow"], input, fields.get("id") or _id_of_key(request), labels
    )


def _id_of_key(request: Request) -> str | None:
    """Return the id of the workflow that a request with the header Idempotency-Key starts: the same for the
    same key, so that a repeated request starts nothing. None: there is no such header."""
    key = request.idempotency_key.strip().strip('"')
    if not key:
        return None
    if "\ufffd" in key:  # bytes were replaced: other keys would be the same
        raise BadInput("the header Idempotency-Key is not UTF-8")
    if len(key) > _LONGEST_KEY:
        raise BadInput(f"the header Idempotency-Key has more than {_LONGEST_KEY} characters")
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _decode_field(fields: Mapping[str, str], name: str, default: Json) -> Json:
    try:
        return decode_json(fields[name].encode()) if fields.get(name) else default
    except InvalidJson as error:
        raise BadInput(f"{name} is not JSON: {error}") from None


def _start_workflow(request: Request, text: str, input: Json, id: str | None, labels: Json) -> Response:
    started = start_workflow(request.store, text, input, id, labels=labels, traceparent=request.traceparent)
    return _started(request, started)


def _started(request: Request, started: StartedWorkflow) -> Response:
    status = HTTPStatus.CREATED if started.is_new else HTTPStatus.OK
    location = f"{request.root}/workflows/{quote(started.id)}"
    return json_response({"workflow": started.id}, status, {"Location": location})


_CHECK: Final = object_schema(
    {"ok": BOOLEAN, "name": TEXT, "errors": array(DIAGNOSTIC), "warnings": array(DIAGNOSTIC)}, {"flow": FLOW}
)
_START: Final = {
    **object_schema(
        {}, {"workflow": FLOW_TEXT, "flow": TEXT, "input": ANY, "id": NULLABLE_TEXT, "labels": OBJECT}
    ),
    "oneOf": [{"required": ["workflow"]}, {"required": ["flow"]}],
}
_TRACEPARENT: Final = Parameter(
    "traceparent", TEXT, "the trace to which the workflow belongs (W3C Trace Context)"
)
_KEY: Final = Parameter("Idempotency-Key", TEXT, "a text of yours: a second request with it starts nothing")
_STARTED: Final = {201: {JSON: WORKFLOW_ID}, 200: {JSON: WORKFLOW_ID}}

ROUTES: Final = (
    post(
        "/workflows/check",
        taking_turns(_check),
        "Check a flow without running it. Each error and warning has its line and column.",
        access=Access.READ,
        body={JSON: object_schema({"workflow": FLOW_TEXT}), "text/plain": FLOW_TEXT},
        max_body=_MAX_CHECKED_BYTES,
        responses=ok(_CHECK),
        problems=(400,),
    ),
    post(
        "/workflows/start",
        _start,
        "Start a workflow of a flow text, or of a stored flow, NAME or NAME@VERSION. A repeated request with "
        "the same id, flow and input starts nothing; nor does one with the same header Idempotency-Key.",
        headers=(_KEY, _TRACEPARENT),
        body={JSON: _START, "text/plain": FLOW_TEXT},
        responses=_STARTED,
        problems=(400, 404, 409, 507),
    ),
    post(
        "/workflows/start/upload",
        _upload,
        "Start a workflow from a form: the flow as the file or field `workflow`, its input as `input`.",
        headers=(_KEY, _TRACEPARENT),
        body={
            "multipart/form-data": object_schema(
                {"workflow": FLOW_TEXT}, {"input": TEXT, "id": TEXT, "labels": TEXT}
            )
        },
        responses=_STARTED,
        problems=(400, 409, 507),
    ),
)
