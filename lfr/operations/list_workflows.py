"""Lists workflows page by page and follows the newest: those that fulfil a filter."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Final

from lfr.errors import BadInput, Refused
from lfr.labels import parse_labels
from lfr.operations.current_steps import describe_current_steps
from lfr.operations.inspect.summary import summarize
from lfr.operations.select_workflows import Position, select_workflows
from lfr.operations.workflow_filter import WorkflowFilter, parse_filter, parse_states
from lfr.store import keys
from lfr.store.queues.pauses import read_pauses
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.stream.entries import read_last_id
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.queries import count_all, count_states, load_records
from lfr.store.workflows.record import Record
from lfr.store.workflows.sizes import measure_workflows

MAX_PAGE_SIZE: Final = 1000

MAX_MEASURED: Final = 1000
_MEASURED_AT_ONCE: Final = 200
"""How many workflows `list_largest` measures, and how many it selects at once."""

_FOLLOWED: Final = 100
"""How many of the newest workflows that match `follow_workflow_list` follows."""

_MAX_COST_TO_FOLLOW: Final = 2_000
"""As MAX_COST of `select_workflows`, for each update of `follow_workflow_list`."""

_CURSOR: Final = re.compile(r"(\d{1,16})_(workflow:.{1,300})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of workflows, newest first. `next` is the cursor of the next page, None after the last.

    A page may have fewer workflows than requested, or none, and still have a next one: its search stopped
    after `examined` workflows, of `candidates` that were to be looked at.
    """

    workflows: list[dict[str, Any]]
    next: str | None
    examined: int = 0
    candidates: int = 0


def make_filter(
    store: Store,
    *,
    state: str | None = None,
    name: str | None = None,
    text: str | None = None,
    where: str | None = None,
    labels: Mapping[str, str] | None = None,
    source: str = "where",
) -> WorkflowFilter:
    """Return a filter. `name` is the whole name of a flow, `text` a part of the id or name in any case,
    `where` a filter as text, which error messages call by the name `source`; None filters nothing. Where two
    say the same, `where` is the weaker one.

    Raises BadInput for an unknown state, and for labels; FlowError for `where`.
    """
    filter = WorkflowFilter()
    if where is not None:
        with store.connect() as connection:
            filter = parse_filter(where, read_time_ms(connection), source=source)
    if state is not None:
        filter = replace(filter, states=parse_states([state]))
    if name is not None:
        filter = replace(filter, flow=name)
    if text:
        filter = replace(filter, text=text)
    return replace(filter, labels={**filter.labels, **parse_labels(dict(labels or {}))})


def list_page(
    store: Store, filter: WorkflowFilter | None = None, *, size: int = 50, after: str | None = None
) -> Page:
    """Return the page of up to `size` workflows behind the cursor `after` (None: the first page).

    Each is described as by `summarize`, with now: what `describe_current_steps` says (None: nothing).
    Workflows that start meanwhile shift no page. Raises BadInput for a
    size below 1 or above 1000, and for a bad cursor.
    """
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise BadInput(f"size is {size}, but must be from 1 to {MAX_PAGE_SIZE}")
    position = None if after is None else parse_cursor(after)
    with store.connect() as connection:
        selection = select_workflows(
            connection, filter or WorkflowFilter(), position, count=size, with_lost=True
        )
        rows = _describe(connection, store, FlowCache(), selection.records)
    return Page(
        rows,
        format_cursor(selection.next),
        selection.examined,
        selection.candidates,
    )


def parse_cursor(text: str) -> Position:
    """Return the position that a cursor stands for. Raises BadInput."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise BadInput("next is not the cursor of a page")
    return Position(int(match[1]), match[2])


def format_cursor(position: Position | None) -> str | None:
    """Return the cursor for a position, as `parse_cursor` reads it; None for None."""
    return None if position is None else "{}_{}".format(*position)


def list_workflows(
    store: Store, filter: WorkflowFilter | None = None, *, limit: int = 50
) -> list[dict[str, Any]]:
    """List up to `limit` workflows that match, newest first, each as in `list_page`."""
    workflows: list[dict[str, Any]] = []
    page = Page([], "")
    while len(workflows) < limit and page.next is not None:
        size = min(limit - len(workflows), MAX_PAGE_SIZE)
        page = list_page(store, filter, size=size, after=page.next or None)
        workflows += page.workflows
    return workflows


def list_largest(
    store: Store, filter: WorkflowFilter | None = None, *, limit: int = 50
) -> list[dict[str, Any]]:
    """List up to `limit` of the newest MAX_MEASURED workflows that match, the largest first, each as in
    `list_page` with bytes, as `measure_workflows` returns them. Raises Refused if the server does
    not say them."""
    flows = FlowCache()
    measured: list[tuple[int, Record]] = []
    next: Position | None = None
    with store.connect() as connection:
        while len(measured) < MAX_MEASURED:
            count = min(_MEASURED_AT_ONCE, MAX_MEASURED - len(measured))
            selection = select_workflows(connection, filter or WorkflowFilter(), next, count=count)
            for record in selection.records:
                size = measure_workflows(connection, flows, [record])
                if size is None:
                    raise Refused("Redis does not say how large keys are", hint="permit MEMORY USAGE")
                measured.append((size, record))
            next = selection.next
            if next is None:
                break
        measured.sort(key=itemgetter(0), reverse=True)
        largest = measured[:limit]
        rows = _describe(connection, store, flows, [record for _, record in largest])
    return [{**row, "bytes": size} for row, (size, _) in zip(rows, largest, strict=True)]


def _describe(
    connection: Connection, store: Store, flows: FlowCache, records: Sequence[Record]
) -> list[dict[str, Any]]:
    pauses = read_pauses(connection)
    current = describe_current_steps(connection, store.stream, flows, records)
    return [{**summarize(record, pauses), "now": current.get(record.id)} for record in records]


def count_workflows(store: Store) -> dict[str, int]:
    """Return the number of workflows in each state, zeros included."""
    with store.connect() as connection:
        return {state.value: count for state, count in count_states(connection).items()}


def follow_workflow_list(
    store: Store, filter: WorkflowFilter | None = None, *, interval_seconds: float = 1.0
) -> Generator[dict[str, Any] | None, None, None]:
    """Yield an update at once on the newest 100 workflows that match, and then every `interval_seconds` an
    update, or None if nothing has changed. It never ends.

    The keys of an update: counts, of all workflows by state; changed, the workflows that are new or have
    changed, newest first, as in `list_page`; gone, the ids of followed workflows that are deleted
    or no longer match, but not of those that only newer ones displace. Reads no workflow while nothing
    happens on the streams.
    """
    filter = filter or WorkflowFilter()
    followed: dict[str, Any] = {}
    counts: dict[str, int] = {}
    version: tuple[object, ...] | None = None
    flows = FlowCache()
    while True:
        with store.connect() as connection:
            # A transition follows from an event or sends one; a deletion or restore changes the count.
            bus_id, ends_id = (read_last_id(connection, stream) for stream in (store.stream, keys.ENDS))
            claims = connection.call("GET", keys.CLAIMS_VERSION)  # who does a task may be new
            new_version = bus_id, ends_id, count_all(connection), claims
        update = None
        if new_version != version:
            version = new_version
            with store.connect() as connection:
                selection = select_workflows(
                    connection, filter, count=_FOLLOWED, max_cost=_MAX_COST_TO_FOLLOW, with_lost=True
                )
                rows = _describe(connection, store, flows, selection.records)
            newest = {row["id"]: row for row in rows}
            changed = [workflow for id, workflow in newest.items() if followed.get(id) != workflow]
            removed = _select_removed(store, [id for id in followed if id not in newest], filter)
            new_counts = count_workflows(store)
            if changed or removed or new_counts != counts:
                update = {"counts": new_counts, "changed": changed, "gone": removed}
            followed, counts = newest, new_counts
        yield update
        time.sleep(interval_seconds)


def _select_removed(store: Store, ids: list[str], filter: WorkflowFilter) -> list[str]:
    """Return the ids that are deleted or no longer match; the others only have newer ones before them."""
    if not ids:
        return []
    with store.connect() as connection:
        records = load_records(connection, ids, for_list=True)
    return [
        id for id, record in zip(ids, records, strict=True) if record is None or not filter.matches(record)
    ]
