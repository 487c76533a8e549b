"""Workflows listed and counted."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from lfr.operations.list_workflows import LARGEST_PAGE, count_workflows, list_page
from lfr.states import WorkflowState
from lfr.web.http import Access, Answer, Parameter, Request, Route, json_answer
from lfr.web.routes.schemas import COUNTS_BY_STATE, JSON, STATE, SUMMARY, TEXT, array, ok, whole

CHOICE: Final = (
    Parameter("state", STATE, "only those in this state"),
    Parameter("name", TEXT, "only those of the flow of this name"),
    Parameter("text", TEXT, "only those with this text in id or name"),
)


def _list(request: Request) -> Answer:
    query = request.query
    page = list_page(
        request.store,
        state=query.get("state"),
        name=query.get("name"),
        text=query.get("text"),
        size=request.number("size", 50),
        after=query.get("next"),
    )
    if page.next is None:
        return json_answer(page.workflows)
    link = f"{request.root}/workflows?{urlencode({**query, 'next': page.next})}"
    return json_answer(page.workflows, headers={"Link": f'<{link}>; rel="next"'})


def _running(request: Request) -> Answer:
    page = list_page(request.store, state=WorkflowState.RUNNING, size=LARGEST_PAGE)
    return json_answer([workflow["id"] for workflow in page.workflows])


def _counts(request: Request) -> Answer:
    return json_answer(count_workflows(request.store))


ROUTES: Final = (
    Route(
        "GET",
        "/workflows",
        _list,
        Access.READ,
        "Workflows, newest first; the header Link tells where the next page is.",
        query=(
            *CHOICE,
            Parameter("size", whole(1, LARGEST_PAGE), "how many at most; 50 if it is left out"),
            Parameter("next", TEXT, "where to go on, as Link has it"),
        ),
        answers={200: {JSON: array(SUMMARY)}},
        problems=(400,),
    ),
    Route(
        "GET",
        "/inprogress",
        _running,
        Access.READ,
        "Ids of what runs: the newest 1000.",
        answers=ok(array(TEXT)),
    ),
    Route(
        "GET",
        "/workflows/counts",
        _counts,
        Access.READ,
        "How many workflows are in each state.",
        answers=ok(COUNTS_BY_STATE),
    ),
)
