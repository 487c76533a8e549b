"""The route that does one action to all workflows that a filter selects, some with each request."""

from __future__ import annotations

from typing import Any, Final

from lfr.errors import BadInput, Conflict
from lfr.operations.access import Access
from lfr.operations.bulk import BulkAction, BulkPlan, count_bulk, plan_bulk, run_bulk_slice
from lfr.operations.list_workflows import format_cursor, parse_cursor
from lfr.operations.prune import WriteArchive
from lfr.outbound.archive_objects import archive_writer
from lfr.outbound.object_store import parse_object_uri
from lfr.values.checks import mismatch, read_whole_number
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
    body = request.fields()
    plan = plan_bulk(
        request.store,
        _text(body, "action"),
        _text(body, "where"),
        as_of=_text(body, "as_of") if body.get("as_of") is not None else None,
        index=_index(body),
    )
    if plan.action in (BulkAction.DELETE, BulkAction.ARCHIVE):
        require(request.caller, Access.ADMIN)
    after = parse_cursor(_text(body, "next")) if body.get("next") is not None else None
    is_dry_run = body.get("dry_run", False)
    if not isinstance(is_dry_run, bool):
        raise BadInput(mismatch("dry_run", is_dry_run, "true or false"))
    as_of = iso_time(plan.as_of_ms)
    if is_dry_run:
        count = count_bulk(request.store, plan, after)
        states = {state.value: number for state, number in count.states.items()}
        progress = {"examined": count.examined, "candidates": count.candidates}
        return json_response(
            {
                "as_of": as_of,
                "states": states,
                "workflows": count.first_ids,
                "next": format_cursor(count.next),
                **progress,
            }
        )
    done = run_bulk_slice(
        request.store,
        plan,
        after,
        max_workflows=MAX_WORKFLOWS,
        max_seconds=MAX_SECONDS,
        write_archive=_archive_writer(request, plan, body),
    )
    return json_response(
        {
            "as_of": as_of,
            "changed": done.changed,
            "unchanged": done.unchanged,
            "problems": [{"workflow": id, "problem": problem} for id, problem in done.problems.items()],
            "next": format_cursor(done.next),
        }
    )


def _archive_writer(request: Request, plan: BulkPlan, body: dict[str, Any]) -> WriteArchive | None:
    settings, uri = request.store.settings, body.get("uri")
    if plan.action is not BulkAction.ARCHIVE:
        if uri is not None:
            raise BadInput(f"uri is where to archive, and {plan.action} archives nothing")
        return None
    if uri is not None:
        folder = f"{_text(body, 'uri').rstrip('/')}/"
        check_permitted(parse_object_uri(folder, "archive.json"), settings.archive_buckets)
        return archive_writer(settings, folder)
    if not settings.archive_folder:
        raise Conflict("this server has no folder for archives", hint="set archive.folder, or name a uri")
    return archive_writer(settings, settings.archive_folder)


def _text(body: dict[str, Any], name: str) -> str:
    text = body.get(name)
    if not isinstance(text, str):
        raise BadInput(f"{name} is missing" if text is None else mismatch(name, text, "a text"))
    return text


def _index(body: dict[str, Any]) -> int | None:
    index = body.get("index")
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
