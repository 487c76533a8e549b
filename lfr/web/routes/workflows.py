"""Workflows: listed, started, looked at, stopped, gone on with, archived, restored, deleted."""

from __future__ import annotations

import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from lfr.drawing.mermaid import to_mermaid
from lfr.errors import BadInput, Conflict
from lfr.flow import Json
from lfr.host.whole_files import write_whole
from lfr.json_text import NotJson, read_json, write_json
from lfr.operations.archive import archive_name, archive_workflow, restore_workflow
from lfr.operations.delete import delete_workflow
from lfr.operations.intervene import restart_workflow, terminate_workflow
from lfr.operations.listing import count_workflows, list_page
from lfr.operations.observe import (
    follow_workflow,
    inspect_workflow,
    read_facts,
    read_flow,
    read_source,
)
from lfr.operations.start import start_workflow
from lfr.states import WorkflowState
from lfr.web.exchange import Access, Answer, Parameter, Request, Route, json_answer, no_content, text_answer
from lfr.web.live import News, event_stream
from lfr.web.routes.schemas import (
    ANYTHING,
    FACT,
    FLOW,
    NUMBER,
    OBJECT,
    STARTED,
    STATE,
    SUMMARY,
    TEXT,
    WORKFLOW,
    array,
    record,
)

_JSON: Final = "application/json"


def _list(request: Request) -> Answer:
    query = request.query
    page = list_page(
        request.store,
        state=query.get("state") or None,
        name=query.get("name") or None,
        text=query.get("text") or None,
        size=_number(query, "size", 50),
        after=query.get("next") or None,
    )
    if page.next is None:
        return json_answer(page.workflows)
    link = f"{request.root}/workflows?{urlencode({**query, 'next': page.next})}"
    return json_answer(page.workflows, headers={"Link": f'<{link}>; rel="next"'})


def _running(request: Request) -> Answer:
    page = list_page(request.store, state=WorkflowState.RUNNING, size=1000)
    return json_answer([workflow["id"] for workflow in page.workflows])


def _counts(request: Request) -> Answer:
    return json_answer(count_workflows(request.store))


def _start(request: Request) -> Answer:
    if isinstance(request.body, str):
        return _started(request, request.body, None, None)
    body = _object(request.body)
    text, input, id = body.get("workflow"), body.get("input"), body.get("id")
    if not isinstance(text, str):
        raise BadInput("workflow is missing: the text of a flow")
    if id is not None and not isinstance(id, str):
        raise BadInput("id must be a text")
    return _started(request, text, input, id)


def _upload(request: Request) -> Answer:
    fields = _object(request.body)
    if "workflow" not in fields:
        raise BadInput("workflow is missing: the text of a flow, as a file or a field")
    try:
        input = read_json(fields["input"].encode()) if fields.get("input") else None
    except NotJson as error:
        raise BadInput(f"input is not JSON: {error}") from None
    return _started(request, fields["workflow"], input, fields.get("id") or None)


def _started(request: Request, text: str, input: Json, id: str | None) -> Answer:
    started = start_workflow(request.store, text, input, id)
    status = HTTPStatus.CREATED if started.is_new else HTTPStatus.OK
    place = f"{request.root}/workflows/{quote(started.id)}"
    return json_answer({"workflow": started.id}, status, {"Location": place})


def _restore(request: Request) -> Answer:
    id = restore_workflow(request.store, request.body, request.query.get("workflow") or None)
    place = f"{request.root}/workflows/{quote(id)}"
    return json_answer({"workflow": id}, HTTPStatus.CREATED, {"Location": place})


def _show(request: Request) -> Answer:
    id = request.path["id"]
    found = inspect_workflow(request.store, id)
    return json_answer({**found, "flow": read_flow(request.store, id).to_dict()})


def _state(request: Request) -> Answer:
    found = inspect_workflow(request.store, request.path["id"])
    return json_answer({key: found[key] for key in ("state", "reason", "counts", "steps")})


def _history(request: Request) -> Answer:
    facts = read_facts(request.store, request.path["id"])
    since = request.query.get("since", "")
    return json_answer([fact for fact in facts if (fact["at"] or "") > since])


def _source(request: Request) -> Answer:
    return text_answer(read_source(request.store, request.path["id"]))


def _graph(request: Request) -> Answer:
    flow = read_flow(request.store, request.path["id"])
    if request.query.get("format") == "json":
        return json_answer(flow.to_dict())
    return text_answer(to_mermaid(flow, vertical=request.query.get("orientation") == "vertical"))


def _archive(request: Request) -> Answer:
    document = archive_workflow(request.store, request.path["id"])
    name = archive_name(document)
    return json_answer(document, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _keep_archive(request: Request) -> Answer:
    folder = request.store.settings.archive_folder
    if not folder:
        raise Conflict("there is no folder for archives here", hint="the setting archive.folder names one")
    document = archive_workflow(request.store, request.path["id"])
    path = Path(folder) / archive_name(document)
    write_whole(path, write_json(document) + "\n")
    return json_answer({"file": str(path)}, HTTPStatus.CREATED)


def _terminate(request: Request) -> Answer:
    return json_answer({"state": terminate_workflow(request.store, request.path["id"]).value})


def _restart(request: Request) -> Answer:
    return json_answer({"state": restart_workflow(request.store, request.path["id"]).value})


def _delete(request: Request) -> Answer:
    delete_workflow(request.store, request.path["id"])
    return no_content()


def _live(request: Request) -> Answer:
    news = follow_workflow(request.store, request.path["id"], tick_seconds=1)
    first = next(news)  # so that an unknown id is an error and no stream

    def told() -> News:
        yield "change", first
        for each in news:
            yield ("change", each) if each["changes"] else None
        yield "end", {}

    return event_stream(request, told())


_LOOK_EVERY_SECONDS: Final = 1.0
_SHOWN: Final = 100


def _live_list(request: Request) -> Answer:
    def told() -> News:
        known: dict[str, Any] = {}
        counts: dict[str, int] = {}
        while True:
            newest = list_page(request.store, size=_SHOWN).workflows
            changed = [workflow for workflow in newest if known.get(workflow["id"]) != workflow]
            now = count_workflows(request.store)
            if changed or now != counts:
                known, counts = {workflow["id"]: workflow for workflow in newest}, now
                yield "workflows", {"counts": counts, "changed": changed}
            else:
                yield None
            time.sleep(_LOOK_EVERY_SECONDS)

    return event_stream(request, told())


def _number(query: Any, name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadInput(f"{name} is {text[:20]!r}, but must be a number")
    return int(text)


def _object(body: Json) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadInput("the body must be a JSON object")
    return body


def _ok(schema: Any) -> dict[int, dict[str, Any]]:
    return {200: {_JSON: schema}}


_GONE: Final = (400, 404)
_FLOW_TEXT: Final = {"text/plain": TEXT}
_SINCE: Final = Parameter("since", TEXT, "only what happened after this time")

ROUTES: Final = (
    Route(
        "GET",
        "/workflows",
        _list,
        Access.READ,
        "Workflows, newest first; the header Link tells where the next page is.",
        query=(
            Parameter("state", STATE, "only those in this state"),
            Parameter("name", TEXT, "only those of the flow of this name"),
            Parameter("text", TEXT, "only those with this text in id or name"),
            Parameter("size", NUMBER, "how many at most, up to 1000"),
            Parameter("next", TEXT, "where to go on, as Link has it"),
        ),
        answers=_ok(array(SUMMARY)),
        problems=(400,),
    ),
    Route(
        "GET",
        "/live",
        _live_list,
        Access.READ,
        "Counts by state, and changes among the newest workflows, as server-sent events.",
        answers={200: {"text/event-stream": TEXT}},
        problems=(503,),
    ),
    Route("GET", "/inprogress", _running, Access.READ, "Ids of what runs.", answers=_ok(array(TEXT))),
    Route(
        "GET",
        "/workflows/counts",
        _counts,
        Access.READ,
        "How many workflows are in each state.",
        answers=_ok(OBJECT),
    ),
    Route(
        "POST",
        "/workflows/start",
        _start,
        Access.OPERATE,
        "Start a workflow. Under an id of your choice the same is started once.",
        body={
            _JSON: record({"workflow": TEXT}, {"input": ANYTHING, "id": TEXT}),
            **_FLOW_TEXT,
        },
        answers={201: {_JSON: STARTED}, 200: {_JSON: STARTED}},
        problems=(400, 409),
    ),
    Route(
        "POST",
        "/workflows/start/upload",
        _upload,
        Access.OPERATE,
        "Start a workflow by a form: the flow as the file or the field `workflow`, its input as `input`.",
        body={"multipart/form-data": record({"workflow": TEXT}, {"input": TEXT, "id": TEXT})},
        answers={201: {_JSON: STARTED}, 200: {_JSON: STARTED}},
        problems=(400, 409),
    ),
    Route(
        "POST",
        "/workflows/restore",
        _restore,
        Access.OPERATE,
        "Make a workflow of an archive.",
        query=(Parameter("workflow", TEXT, "its id; else as it was if that is free, else a new one"),),
        body={_JSON: OBJECT},
        answers={201: {_JSON: STARTED}},
        problems=(400, 409),
    ),
    Route(
        "GET",
        "/workflows/{id}",
        _show,
        Access.READ,
        "All that is known of a workflow.",
        answers=_ok(WORKFLOW),
        problems=_GONE,
    ),
    Route(
        "GET",
        "/workflows/{id}/state",
        _state,
        Access.READ,
        "The state of a workflow and of its steps.",
        answers=_ok(OBJECT),
        problems=_GONE,
    ),
    Route(
        "GET",
        "/workflows/{id}/history",
        _history,
        Access.READ,
        "What has happened, oldest first.",
        query=(_SINCE,),
        answers=_ok(array(FACT)),
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
            Parameter("format", {"type": "string", "enum": ["mermaid", "json"]}, "mermaid if it is left out"),
            Parameter("orientation", {"type": "string", "enum": ["horizontal", "vertical"]}, "of mermaid"),
        ),
        answers={200: {"text/plain": TEXT, _JSON: FLOW}},
        problems=_GONE,
    ),
    Route(
        "GET",
        "/workflows/{id}/archive",
        _archive,
        Access.READ,
        "All of a workflow as one document.",
        answers=_ok(OBJECT),
        problems=_GONE,
    ),
    Route(
        "POST",
        "/workflows/{id}/archive",
        _keep_archive,
        Access.OPERATE,
        "Write all of a workflow into the server's folder for archives.",
        answers={201: {_JSON: record({"file": TEXT})}},
        problems=(*_GONE, 409, 507),
    ),
    Route(
        "GET",
        "/workflows/{id}/live",
        _live,
        Access.READ,
        "Changes of a workflow until it has ended, as server-sent events.",
        answers={200: {"text/event-stream": TEXT}},
        problems=(*_GONE, 503),
    ),
    Route(
        "POST",
        "/workflows/{id}/terminate",
        _terminate,
        Access.OPERATE,
        "Stop a workflow.",
        answers=_ok(record({"state": STATE})),
        problems=(*_GONE, 409),
    ),
    Route(
        "POST",
        "/workflows/{id}/restart",
        _restart,
        Access.OPERATE,
        "Go on with a workflow that has failed or was terminated.",
        answers=_ok(record({"state": STATE})),
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
