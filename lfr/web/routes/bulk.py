"""The route that does one action to all workflows that a filter selects, some with each request."""

from __future__ import annotations

from typing import Final

from lfr.errors import BadInput, Conflict
from lfr.operations.access import Access
from lfr.operations.bulk import BulkAction, BulkPlan, count_bulk, plan_bulk, run_bulk_slice
from lfr.operations.list_workflows import format_cursor, parse_cursor
from lfr.operations.prune import WriteArchive
from lfr.operations.select_workflows import Position
from lfr.outbound.archive_objects import archive_writer
from lfr.outbound.object_store import parse_object_uri
from lfr.values.checks import mismatch, read_whole_number
from lfr.values.json import Json
from lfr.values.times import iso_time
from lfr.web.auth import require
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.route import post
from lfr.web.routes.archives import check_permitted
from lfr.web.routes.schemas import (
    BOOLEAN,
    COUNTS_BY_STATE,
    INTEGER,
    JSON,
    NULLABLE_TEXT,
    TEXT,
    TIME,
    array,
    enum,
    object_schema,
    ok,
)

MAX_WORKFLOWS: Final = 100
MAX_SECONDS: Final = 2.0
"""How many workflows one request changes, and in how much time, at most."""


def _act(request: Request) -> Response:
    plan = plan_bulk(
        request.store,
        request.text("action"),
        request.text("where"),
        as_of=request.optional_text("as_of"),
        index=_index(request),
    )
    if plan.action in (BulkAction.DELETE, BulkAction.ARCHIVE):
        require(request.caller, Access.ADMIN)
    cursor = request.optional_text("next")
    after = None if cursor is None else parse_cursor(cursor)
    respond = _count if request.is_true("dry_run") else _run_slice
    return json_response({"as_of": iso_time(plan.as_of_ms), **respond(request, plan, after)})


def _count(request: Request, plan: BulkPlan, after: Position | None) -> dict[str, Json]:
    count = count_bulk(request.store, plan, after)
    return {
        "states": {state.value: number for state, number in count.states.items()},
        "workflows": count.first_ids,
        "next": format_cursor(count.next),
        "examined": count.examined,
        "candidates": count.candidates,
    }


def _run_slice(request: Request, plan: BulkPlan, after: Position | None) -> dict[str, Json]:
    done = run_bulk_slice(
        request.store,
        plan,
        after,
        max_workflows=MAX_WORKFLOWS,
        max_seconds=MAX_SECONDS,
        write_archive=_archive_writer(request, plan),
    )
    return {
        "changed": done.changed,
        "unchanged": done.unchanged,
        "problems": [{"workflow": id, "problem": problem} for id, problem in done.problems.items()],
        "next": format_cursor(done.next),
    }


def _archive_writer(request: Request, plan: BulkPlan) -> WriteArchive | None:
    settings, uri = request.store.settings, request.optional_text("uri")
    if plan.action is not BulkAction.ARCHIVE:
        if uri is not None:
            raise BadInput(f"uri is where to archive, and {plan.action} archives nothing")
        return None
    if uri is not None:
        folder = f"{uri.rstrip('/')}/"
        check_permitted(parse_object_uri(folder, "archive.json"), settings.archive_buckets)
        return archive_writer(settings, folder)
    if not settings.archive_folder:
        raise Conflict("this server has no folder for archives", hint="set archive.folder, or name a uri")
    return archive_writer(settings, settings.archive_folder)


def _index(request: Request) -> int | None:
    index = request.fields().get("index")
    number = read_whole_number(index)
    if index is not None and number is None:
        raise BadInput(mismatch("index", index, "a whole number"))
    return number


_BODY: Final = object_schema(
    {"action": enum(*BulkAction), "where": TEXT},
    {
        "as_of": NULLABLE_TEXT,
        "next": NULLABLE_TEXT,
        "index": INTEGER,
        "dry_run": BOOLEAN,
        "uri": NULLABLE_TEXT,
    },
)
_PROBLEM: Final = object_schema({"workflow": TEXT, "problem": TEXT})
_RESULT: Final = object_schema(
    {"as_of": TIME, "next": NULLABLE_TEXT},
    {
        "changed": INTEGER,
        "unchanged": INTEGER,
        "problems": array(_PROBLEM),
        "states": {**COUNTS_BY_STATE, "required": []},
        "workflows": array(TEXT),
        "examined": INTEGER,
        "candidates": INTEGER,
    },
)

ROUTES: Final = (
    post(
        "/workflows/bulk",
        taking_turns(_act),
        "Do an action to some of the workflows that the filter `where` selects, up to 100, or with `dry_run` "
        "count them. Repeat with `as_of` and `next` of the response until `next` is null.",
        body={JSON: _BODY},
        responses=ok(_RESULT),
        problems=(400, 409, 507),
    ),
)
