"""Routes that stream changes as server-sent events."""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from lfr.operations.follow import follow_workflow
from lfr.operations.list_workflows import follow_workflow_list
from lfr.web.http import Request, Response
from lfr.web.route import Parameter, get
from lfr.web.routes.schemas import TEXT
from lfr.web.routes.workflow_list import FILTERS, read_filter
from lfr.web.sse import Message, Messages, stream_events

_EVENT_STREAM: Final = {200: {"text/event-stream": TEXT}}


def _stream_workflow(request: Request) -> Response:
    after = request.last_event_id or request.query.get("after", "")
    updates = follow_workflow(
        request.store, request.path["id"], after=after, interval_seconds=1, workers=True, flows=request.flows
    )
    updates = chain([next(updates)], updates)  # raises NotFound before the response begins

    def messages() -> Messages:
        summary: dict[str, Any] = {}  # not the first update itself, which may be large
        for update in updates:
            if update["changes"] or {**update, "changes": []} != summary:
                summary = {**update, "changes": []}
                yield Message("change", update, update["moment"])
            else:
                yield None
        yield Message("end", {})

    return stream_events(request, messages())


def _stream_list(request: Request) -> Response:
    updates = follow_workflow_list(request.store, read_filter(request))

    def messages() -> Messages:
        for update in updates:
            yield None if update is None else Message("workflows", update)

    return stream_events(request, messages())


ROUTES: Final = (
    get(
        "/live",
        _stream_list,
        "Stream the counts by state and the changes of the newest workflows as server-sent events.",
        query=FILTERS,
        responses=_EVENT_STREAM,
        problems=(400,),
    ),
    get(
        "/workflows/{id}/live",
        _stream_workflow,
        "Stream the changes of a workflow as server-sent events until it ends.",
        query=(Parameter("after", TEXT, "only changes after this moment"),),
        headers=(Parameter("Last-Event-ID", TEXT, "the same; it counts before `after`"),),
        responses=_EVENT_STREAM,
        problems=(400, 404),
    ),
)
