"""Routes that list and count workflows."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from lfr.errors import BadInput
from lfr.operations.list_workflows import (
    MAX_PAGE_SIZE,
    count_workflows,
    list_largest,
    list_page,
    make_filter,
)
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.states import WorkflowState
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import Parameter, get
from lfr.web.routes.schemas import (
    COUNTS_BY_STATE,
    INTEGER,
    NULLABLE_TEXT,
    STATE,
    SUMMARY,
    TEXT,
    TIME,
    array,
    enum,
    integer,
    object_schema,
    ok,
)

FILTERS: Final = (
    Parameter("state", STATE, "only workflows in this state"),
    Parameter("name", TEXT, "only workflows of the flow with this name"),
    Parameter("text", TEXT, "only workflows with this text in id or name"),
    Parameter("where", TEXT, 'only workflows that match, as `label.tenant=7 since=1d reason~"timeout"`'),
)

_NOW: Final = {
    **object_schema(
        {
            "index": INTEGER,
            "step": TEXT,
            "task": TEXT,
            "since": TIME,
            "until": TIME,
            "text": TEXT,
            "host": NULLABLE_TEXT,
        }
    ),
    "type": ["object", "null"],
}
_ROW: Final = object_schema({**SUMMARY["properties"], "now": _NOW}, {"bytes": INTEGER})
_SORT: Final = "size: the largest of the newest 1000 that match, with their bytes; default: start"


def read_filter(request: Request) -> WorkflowFilter:
    """Return the filter that the query of a request describes by FILTERS."""
    query = request.query
    return make_filter(
        request.store,
        state=query.get("state"),
        name=query.get("name"),
        text=query.get("text"),
        where=query.get("where"),
    )


def _list(request: Request) -> Response:
    query = request.query
    size = request.number("size", 50)
    if query.get("sort") == "size":
        if "next" in query:
            raise BadInput("a list by size has one page", hint="omit next, or sort")
        return json_response(list_largest(request.store, read_filter(request), limit=size))
    page = list_page(request.store, read_filter(request), size=size, after=query.get("next"))
    headers = {"Lfr-Examined": f"{page.examined}/{page.candidates}"}
    if page.next is not None:
        link = f"{request.root}/workflows?{urlencode({**query, 'next': page.next})}"
        headers["Link"] = f'<{link}>; rel="next"'
    return json_response(page.workflows, headers=headers)


def _compares(request: Request) -> bool:
    return not request.query.keys().isdisjoint(("text", "where"))


def _list_running_ids(request: Request) -> Response:
    page = list_page(request.store, WorkflowFilter((WorkflowState.RUNNING,)), size=MAX_PAGE_SIZE)
    return json_response([workflow["id"] for workflow in page.workflows])


def _count(request: Request) -> Response:
    return json_response(count_workflows(request.store))


ROUTES: Final = (
    get(
        "/workflows",
        taking_turns(_list, _compares),
        "List workflows, newest first. The header Link has the address of the next page, Lfr-Examined how "
        "many workflows were looked at, of how many.",
        query=(
            *FILTERS,
            Parameter("size", integer(1, MAX_PAGE_SIZE), "the maximum number; default: 50"),
            Parameter("sort", enum("start", "size"), _SORT),
            Parameter("next", TEXT, "the start of the page, from Link"),
        ),
        responses=ok(array(_ROW)),
        problems=(400,),
    ),
    get(
        "/inprogress",
        _list_running_ids,
        "List the ids of the newest 1000 running workflows.",
        responses=ok(array(TEXT)),
    ),
    get("/workflows/counts", _count, "Count the workflows in each state.", responses=ok(COUNTS_BY_STATE)),
)
