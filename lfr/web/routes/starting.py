"""Workflows started: by JSON, by text, by a form."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from lfr.errors import BadInput
from lfr.operations.start import start_workflow
from lfr.values.json import InvalidJson, Json, decode_json
from lfr.web.http import Access, Answer, Request, Route, json_answer
from lfr.web.routes.schemas import FLOW_TEXT, INPUT, JSON, STARTED, TEXT, record


def _start(request: Request) -> Answer:
    if request.media == "text/plain":
        return _started(request, request.body, None, None)
    body = request.fields()
    text, input, id = body.get("workflow"), body.get("input"), body.get("id")
    if not isinstance(text, str):
        raise BadInput("workflow is missing: the text of a flow")
    if id is not None and not isinstance(id, str):
        raise BadInput("id must be a text")
    return _started(request, text, input, id)


def _upload(request: Request) -> Answer:
    fields = request.fields()
    if "workflow" not in fields:
        raise BadInput("workflow is missing: the text of a flow, as a file or a field")
    try:
        input = decode_json(fields["input"].encode()) if fields.get("input") else None
    except InvalidJson as error:
        raise BadInput(f"input is not JSON: {error}") from None
    return _started(request, fields["workflow"], input, fields.get("id") or None)


def _started(request: Request, text: str, input: Json, id: str | None) -> Answer:
    started = start_workflow(request.store, text, input, id)
    status = HTTPStatus.CREATED if started.is_new else HTTPStatus.OK
    place = f"{request.root}/workflows/{quote(started.id)}"
    return json_answer({"workflow": started.id}, status, {"Location": place})


_ANSWERS: Final = {201: {JSON: STARTED}, 200: {JSON: STARTED}}

ROUTES: Final = (
    Route(
        "POST",
        "/workflows/start",
        _start,
        Access.OPERATE,
        "Start a workflow. Under an id of your choice the same is started once.",
        body={
            JSON: record({"workflow": FLOW_TEXT}, {"input": INPUT, "id": {"type": ["string", "null"]}}),
            "text/plain": FLOW_TEXT,
        },
        answers=_ANSWERS,
        problems=(400, 409),
    ),
    Route(
        "POST",
        "/workflows/start/upload",
        _upload,
        Access.OPERATE,
        "Start a workflow by a form: the flow as the file or the field `workflow`, its input as `input`.",
        body={"multipart/form-data": record({"workflow": FLOW_TEXT}, {"input": TEXT, "id": TEXT})},
        answers=_ANSWERS,
        problems=(400, 409),
    ),
)
