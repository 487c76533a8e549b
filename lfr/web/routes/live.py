"""Changes as they happen, by server-sent events."""

from __future__ import annotations

from typing import Final

from lfr.operations.follow import follow_workflow
from lfr.operations.list_workflows import follow_workflow_list
from lfr.web.http import Access, Answer, Parameter, Request, Route
from lfr.web.routes.listing import CHOICE
from lfr.web.routes.schemas import TEXT
from lfr.web.sse import Message, News, event_stream

_STREAM: Final = {200: {"text/event-stream": TEXT}}


def _workflow(request: Request) -> Answer:
    after = request.after or request.query.get("after", "")
    news = follow_workflow(request.store, request.path["id"], after=after, tick_seconds=1)
    first = next(news)  # so that an unknown id is an error and no stream

    def told() -> News:
        yield Message("change", first, first["moment"])
        known = {**first, "changes": []}
        for each in news:
            if {**each, "changes": []} != known or each["changes"]:
                known = {**each, "changes": []}
                yield Message("change", each, each["moment"])
            else:
                yield None
        yield Message("end", {})

    return event_stream(request, told())


def _list(request: Request) -> Answer:
    query = request.query
    news = follow_workflow_list(
        request.store, state=query.get("state"), name=query.get("name"), text=query.get("text")
    )

    def told() -> News:
        for each in news:
            yield None if each is None else Message("workflows", each)

    return event_stream(request, told())


ROUTES: Final = (
    Route(
        "GET",
        "/live",
        _list,
        Access.READ,
        "Counts by state, and changes among the newest workflows, as server-sent events.",
        query=CHOICE,
        answers=_STREAM,
        problems=(400,),
    ),
    Route(
        "GET",
        "/workflows/{id}/live",
        _workflow,
        Access.READ,
        "Changes of a workflow until it has ended, as server-sent events.",
        query=(Parameter("after", TEXT, "only what happened after this moment; as Last-Event-ID"),),
        answers=_STREAM,
        problems=(400, 404),
    ),
)
