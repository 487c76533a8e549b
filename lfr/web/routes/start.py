"""Routes that check flows and start workflows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from lfr.errors import BadInput
from lfr.language import Diagnostic, FlowLimits, Severity, check_flow
from lfr.operations.access import Access
from lfr.operations.start import StartedWorkflow, start_workflows
from lfr.operations.stored_flows import start_stored_flows
from lfr.values.json import ABSENT, InvalidJson, Json, decode_json
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response, workflow_response
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

MAX_STARTS: Final = 1000
"""How many workflows one request may start."""

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
        return _started(request, *_start_each(request, {"workflow": request.body}, [ABSENT], None))
    body = request.fields()
    id = request.optional_text("id")
    ids = [id] if id else None
    return _started(request, *_start_each(request, body, [body.get("input", ABSENT)], ids))


def _start_many(request: Request) -> Response:
    body = request.fields()
    inputs, ids = body.get("inputs"), body.get("ids")
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MAX_STARTS:
        raise BadInput(f"inputs must be a list of 1 to {MAX_STARTS:,} inputs, each that of one workflow")
    if ids is not None and not (isinstance(ids, list) and all(isinstance(id, str) for id in ids)):
        raise BadInput("ids must be a list of texts")
    started = _start_each(request, body, inputs, ids)
    status = HTTPStatus.CREATED if any(each.is_new for each in started) else HTTPStatus.OK
    return json_response({"workflows": [each.id for each in started]}, status)


def _start_each(
    request: Request, body: Mapping[str, Any], inputs: Sequence[Json], ids: Sequence[str] | None
) -> list[StartedWorkflow]:
    """Start a workflow for each input, of the flow and with the labels that a body names."""
    if ids is None:
        ids = _ids_of_key(request, len(inputs))
    labels, text = body.get("labels"), body.get("workflow")
    if "flow" in body:
        if "workflow" in body:
            raise BadInput("workflow and flow both say what to start: send one of them")
        if not isinstance(body["flow"], str):
            raise BadInput("flow must be a text: the name of a stored flow, as order or order@3")
        return start_stored_flows(
            *(request.store, body["flow"], inputs, ids), labels=labels, traceparent=request.traceparent
        )
    if not isinstance(text, str):
        raise BadInput("workflow is missing: the text of a flow; or flow, the name of a stored one")
    return start_workflows(request.store, text, inputs, ids, labels=labels, traceparent=request.traceparent)


def _upload(request: Request) -> Response:
    fields = request.fields()
    if "workflow" not in fields:
        raise BadInput("workflow is missing: the text of a flow, as a file or a field")
    input, labels = _decode_field(fields, "input", ABSENT), _decode_field(fields, "labels", None)
    body = {"workflow": fields["workflow"], "labels": labels}
    ids = [fields["id"]] if fields.get("id") else None
    return _started(request, *_start_each(request, body, [input], ids))


def _ids_of_key(request: Request, count: int) -> list[str] | None:
    """Return the ids of the workflows that a request with the header Idempotency-Key starts: the same for the
    same key, so that a repeated request starts nothing. None: there is no such header."""
    key = request.idempotency_key.strip().strip('"')
    if not key:
        return None
    if "\ufffd" in key:  # bytes were replaced: other keys would be the same
        raise BadInput("the header Idempotency-Key is not UTF-8")
    if len(key) > _LONGEST_KEY:
        raise BadInput(f"the header Idempotency-Key has more than {_LONGEST_KEY} characters")
    first = f"key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    return [first, *(f"{first}-{number}" for number in range(2, count + 1))]


def _decode_field(fields: Mapping[str, str], name: str, default: Json) -> Json:
    try:
        return decode_json(fields[name].encode()) if fields.get(name) else default
    except InvalidJson as error:
        raise BadInput(f"{name} is not JSON: {error}") from None


def _started(request: Request, started: StartedWorkflow) -> Response:
    status = HTTPStatus.CREATED if started.is_new else HTTPStatus.OK
    return workflow_response(request, started.id, status)


_CHECK: Final = object_schema(
    {"ok": BOOLEAN, "name": TEXT, "errors": array(DIAGNOSTIC), "warnings": array(DIAGNOSTIC)}, {"flow": FLOW}
)
_START: Final = {
    **object_schema(
        {}, {"workflow": FLOW_TEXT, "flow": TEXT, "input": ANY, "id": NULLABLE_TEXT, "labels": OBJECT}
    ),
    "oneOf": [{"required": ["workflow"]}, {"required": ["flow"]}],
}
_START_MANY: Final = {
    **object_schema(
        {"inputs": {**array(ANY), "minItems": 1, "maxItems": MAX_STARTS}},
        {
            "workflow": FLOW_TEXT,
            "flow": TEXT,
            "ids": {**array(TEXT), "type": ["array", "null"]},
            "labels": OBJECT,
        },
    ),
    "oneOf": [{"required": ["workflow"]}, {"required": ["flow"]}],
}
_TRACEPARENT: Final = Parameter(
    "traceparent", TEXT, "the trace to which the workflow belongs (W3C Trace Context)"
)
_KEY: Final = Parameter("Idempotency-Key", TEXT, "a text of yours: a second request with it starts nothing")
_WORKFLOW_IDS: Final = object_schema({"workflows": array(TEXT)})
_STARTED_MANY: Final = {201: {JSON: _WORKFLOW_IDS}, 200: {JSON: _WORKFLOW_IDS}}
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
        "/workflows/start/many",
        taking_turns(_start_many),
        f"Start a workflow of one flow for each of up to {MAX_STARTS:,} inputs, in this order. Nothing "
        "starts if one input or id is wrong. A repeated request with the same ids, or the same header "
        "Idempotency-Key, starts only what is missing.",
        headers=(_KEY, _TRACEPARENT),
        body={JSON: _START_MANY},
        responses=_STARTED_MANY,
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
