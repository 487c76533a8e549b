"""Lists workflows page by page and follows the newest: by state, by flow name, by a text in id or name."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from lfr.errors import BadInput
from lfr.operations.inspect.summary import summarize
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import read_last_id
from lfr.store.workflows.load import Record
from lfr.store.workflows.queries import count_all, count_states, load_names, load_page, load_records
from lfr.store.workflows.remains import load_lost_records

MAX_PAGE_SIZE: Final = 1000

_MAX_READ: Final = 5000
"""How many workflows are read for one page, if a name or a text filters them."""

_FOLLOWED: Final = 100
"""How many of the newest workflows that match `follow_workflow_list` follows."""

_MAX_READ_TO_FOLLOW: Final = 1000
"""As `_MAX_READ`, for each update of `follow_workflow_list`."""

_CURSOR: Final = re.compile(r"(\d{1,16})_(workflow:.{1,300})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which workflows a list holds: by state, by whole flow name, by a text in id or name. None: any."""

    state: WorkflowState | None
    name: str | None
    text: str | None

    @classmethod
    def parse(cls, state: str | None, name: str | None, text: str | None) -> _Filter:
        """Return the filter. Raises BadInput for an unknown state."""
        if state is not None and state not in tuple(WorkflowState):
            raise BadInput(f"there is no state {state[:40]}", hint="one of " + ", ".join(WorkflowState))
        return cls(None if state is None else WorkflowState(state), name, (text or "").casefold() or None)

    def matches_id(self, id: str) -> bool:
        """Return whether the text is in the id, or there is none."""
        return self.text is None or self.text in id.casefold()

    def matches_names(self, id: str, flow_name: str) -> bool:
        """Return whether name and text match; the state is not checked."""
        if self.name is not None and flow_name != self.name:
            return False
        return self.matches_id(id) or (self.text is not None and self.text in flow_name.casefold())

    def matches(self, record: Record) -> bool:
        """Return whether a workflow is in the list."""
        return self.state in (None, record.state) and self.matches_names(record.id, record.name)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of workflows, newest first. `next` is the cursor of the next page, None after the last.

    A page may have fewer workflows than requested, or none, and still have a next one: its search stopped
    after many workflows that did not match.
    """

    workflows: list[dict[str, Any]]
    next: str | None


def list_page(
    store: Store,
    *,
    state: str | None = None,
    name: str | None = None,
    text: str | None = None,
    size: int = 50,
    after: str | None = None,
) -> Page:
    """Return the page of up to `size` workflows behind the cursor `after` (None: the first page).

    Each is described as by `summarize`. `name` is the whole name of a flow, `text` a part of the id or name
    in any case; None filters nothing. Workflows that start meanwhile shift no page. Raises BadInput for an
    unknown state, for a size below 1 or above 1000, and for a bad cursor.
    """
    filter = _Filter.parse(state, name, text)
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise BadInput(f"size is {size}, but must be from 1 to {MAX_PAGE_SIZE}")
    cursor = None
    if after is not None:
        match = _CURSOR.fullmatch(after)
        if match is None:
            raise BadInput("next is not the cursor of a page")
        cursor = int(match[1]), match[2]
    return _load_page(store, filter, size, cursor, _MAX_READ)


def _load_page(
    store: Store, filter: _Filter, size: int, cursor: tuple[int, str] | None, max_read: int
) -> Page:
    workflows: list[dict[str, Any]] = []
    read_count = 0
    chunk_size = size
    with store.connect() as connection:
        while True:
            ids = load_page(connection, filter.state, cursor, count=chunk_size)
            matches = _select(connection, ids, filter)
            selected = matches[: size - len(workflows)]
            workflows += map(summarize, _load_listed(connection, [id for _, id in selected]))
            read_count += len(ids)
            if len(selected) == len(matches) and len(ids) < chunk_size:
                return Page(workflows, None)
            cursor = ids[-1] if len(selected) == len(matches) else selected[-1]
            if len(workflows) == size or read_count >= max_read:
                return Page(workflows, "{}_{}".format(*cursor))
            chunk_size = min(2 * chunk_size, MAX_PAGE_SIZE)  # matches are rare


def _load_listed(connection: Connection, ids: list[str]) -> list[Record]:
    """Return the records of listed workflows, without those that have just been deleted; of one that has lost
    its record, one that says so."""
    records = dict(zip(ids, load_records(connection, ids, for_list=True), strict=True))
    lost = load_lost_records(connection, [id for id, record in records.items() if record is None])
    return [record for id, each in records.items() if (record := each or lost.get(id)) is not None]


def _select(connection: Connection, ids: list[tuple[int, str]], filter: _Filter) -> list[tuple[int, str]]:
    """Return the workflows, by start and id, whose names match. Reads flow names only where they decide."""
    if filter.name is None and filter.text is None:
        return ids
    undecided = [id for _, id in ids if filter.name is not None or not filter.matches_id(id)]
    names = dict(zip(undecided, load_names(connection, undecided), strict=True))
    return [(start, id) for start, id in ids if filter.matches_names(id, names.get(id, ""))]


def list_workflows(
    store: Store, *, state: str | None = None, name: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """List up to `limit` workflows, newest first, as `summarize` describes them.

    Only those in `state` and of the flow called `name`; None: any. Raises BadInput for an unknown state.
    """
    workflows: list[dict[str, Any]] = []
    page = Page([], "")
    while len(workflows) < limit and page.next is not None:
        size = min(limit - len(workflows), MAX_PAGE_SIZE)
        page = list_page(store, state=state, name=name, size=size, after=page.next or None)
        workflows += page.workflows
    return workflows


def count_workflows(store: Store) -> dict[str, int]:
    """Return the number of workflows in each state, zeros included."""
    with store.connect() as connection:
        return {state.value: count for state, count in count_states(connection).items()}


def follow_workflow_list(
    store: Store,
    *,
    state: str | None = None,
    name: str | None = None,
    text: str | None = None,
    interval_seconds: float = 1.0,
) -> Generator[dict[str, Any] | None, None, None]:
    """Yield an update at once on the newest 100 workflows that match, and then every `interval_seconds` an
    update, or None if nothing has changed. It never ends.

    `state`, `name` and `text` filter as in `list_page`. The keys of an update: counts, of all workflows by
    state; changed, the workflows that are new or have changed, newest first, as `summarize` describes them;
    gone, the ids of followed workflows that are deleted or no longer match, but not of those that only
    newer ones displace. Reads no workflow while nothing happens on the streams. Raises BadInput, at the first
    update, for an unknown state.
    """
    filter = _Filter.parse(state, name, text)
    followed: dict[str, Any] = {}
    counts: dict[str, int] = {}
    version: tuple[str, str, int] | None = None
    while True:
        with store.connect() as connection:
            # A transition follows from an event or sends one; a deletion or restore changes the count.
            bus_id, ends_id = (read_last_id(connection, stream) for stream in (store.stream, keys.ENDS))
            new_version = bus_id, ends_id, count_all(connection)
        update = None
        if new_version != version:
            version = new_version
            page = _load_page(store, filter, _FOLLOWED, None, _MAX_READ_TO_FOLLOW)
            newest = {workflow["id"]: workflow for workflow in page.workflows}
            changed = [workflow for id, workflow in newest.items() if followed.get(id) != workflow]
            removed = _select_removed(store, [id for id in followed if id not in newest], filter)
            new_counts = count_workflows(store)
            if changed or removed or new_counts != counts:
                update = {"counts": new_counts, "changed": changed, "gone": removed}
            followed, counts = newest, new_counts
        yield update
        time.sleep(interval_seconds)


def _select_removed(store: Store, ids: list[str], filter: _Filter) -> list[str]:
    """Return the ids that are deleted or no longer match; the others only have newer ones before them."""
    if not ids:
        return []
    with store.connect() as connection:
        records = load_records(connection, ids, for_list=True)
    return [
        id for id, record in zip(ids, records, strict=True) if record is None or not filter.matches(record)
    ]
