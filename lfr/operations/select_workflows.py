"""Selects the workflows that a filter describes, by the indexes in Redis: for lists, and for many at once.

Of the indexes that the filter names, the one with the fewest workflows within its times is read, in the order
of start; membership in the others is asked by id. So most records are read only to be returned. What no index
knows (a reason, a text in an id) is compared one workflow after the other, up to a limit for each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from lfr.item_ids import ItemId, parse_item_id
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.items import load_open_children
from lfr.store.workflows.queries import count_range, load_members, load_range, load_records
from lfr.store.workflows.record import Record
from lfr.store.workflows.remains import load_lost_records
from lfr.store.workflows.search_indexes import load_indexed_flows

MAX_COST: Final = 100_000
"""How many ids of an index are looked at for one selection; a record counts as RECORD_COST of them."""

RECORD_COST: Final = 5

_MIN_CHUNK: Final = 100
_MAX_CHUNK: Final = 1_000
"""How many ids are looked at together."""

_MAX_NAMES: Final = 20
"""In how many indexes of flows a text is looked up; if it is in more names, names are read instead."""


class Position(NamedTuple):
    """The place of a workflow in the order of start: milliseconds since the epoch, and id."""

    started_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Some of the workflows that match, in order. `next`: select behind it to go on; None: these were the
    last. `examined`: how many workflows were looked at, of `candidates` that the index had."""

    records: list[Record]
    next: Position | None
    examined: int
    candidates: int


def select_workflows(
    connection: Connection,
    filter: WorkflowFilter,
    after: Position | None = None,
    *,
    count: int,
    newest_first: bool = True,
    max_cost: int = MAX_COST,
    with_lost: bool = False,
) -> Selection:
    """Return up to `count` workflows behind `after` that match, the latest start first, or the earliest.

    There may be fewer of them and a `next` all the same: the limit was reached. Reasons are cut to 300
    characters. `with_lost`: also workflows that have lost their records. The children of a parent are no part
    of the indexes: they come in the order of their steps and numbers.
    """
    if filter.parent:
        return _select_children(
            connection, filter, after, count=count, newest_first=newest_first, max_cost=max_cost
        )
    plan = _plan(connection, filter, after, newest_first)
    records: list[Record] = []
    examined = cost = 0
    chunk_size = min(max(count, _MIN_CHUNK), _MAX_CHUNK)
    while True:
        chunk = _load_chunk(connection, plan.driver, filter, after, chunk_size, newest_first)
        examined += len(chunk)
        cost += len(chunk)
        ids = _matching_ids(connection, plan, filter, [id for _, id in chunk])
        starts = {id: started_ms for started_ms, id in chunk}
        while ids:
            batch = ids if plan.needs_records else ids[: count - len(records)]
            cost += RECORD_COST * len(batch)
            last = batch[-1]
            for record in _load(connection, batch, with_lost=with_lost):
                if filter.matches(record):
                    records.append(record)
                if len(records) == count:
                    last = record.id
                    break
            after, ids = Position(starts[last], last), ids[ids.index(last) + 1 :]
            if len(records) == count or cost >= max_cost:
                break
        if chunk and not ids:
            after = Position(*chunk[-1])
        if not ids and len(chunk) < chunk_size:
            return Selection(records, None, examined, plan.candidates)
        if len(records) == count or cost >= max_cost:
            return Selection(records, after, examined, plan.candidates)
        chunk_size = min(2 * chunk_size, _MAX_CHUNK)


def _select_children(
    connection: Connection,
    filter: WorkflowFilter,
    after: Position | None,
    *,
    count: int,
    newest_first: bool,
    max_cost: int,
) -> Selection:
    children = load_open_children(connection, FlowCache(), filter.parent)
    children.sort(key=_order_of_child, reverse=newest_first)
    last = parse_item_id(after.id) if after is not None else None
    if last is not None:
        edge = _order_of_child(last)
        children = [
            each
            for each in children
            if (_order_of_child(each) < edge if newest_first else _order_of_child(each) > edge)
        ]
    records: list[Record] = []
    examined = 0
    next: Position | None = None
    while examined < len(children):
        ids = list(map(str, children[examined : examined + _MIN_CHUNK]))
        for id, record in zip(ids, load_records(connection, ids, for_list=True), strict=True):
            examined += 1
            next = Position(0 if record is None else record.started_ms, id)
            if record is not None and filter.matches(record):
                records.append(record)
            if len(records) == count:
                break
        if len(records) == count or RECORD_COST * examined >= max_cost:
            break
    return Selection(records, next if examined < len(children) else None, examined, len(children))


def _order_of_child(child: ItemId) -> tuple[int, int, int]:
    return child.index, child.round, child.number


def iterate_workflows(connection: Connection, filter: WorkflowFilter) -> Iterator[list[Record]]:
    """Yield all workflows that match, page by page, those that started first first."""
    after = None
    while True:
        selection = select_workflows(connection, filter, after, count=500, newest_first=False)
        yield selection.records
        after = selection.next
        if after is None:
            return


class _Plan(NamedTuple):
    """How a selection is made.

    driver   the indexes that are read; no two have a workflow in common
    others   of each of these groups of indexes, a workflow must be in one
    flows_with_text  the indexes of the flows with the text in their names; None: names are read
    needs_records    whether more than indexes and ids decides
    candidates       how many workflows the driver has
    """

    driver: Sequence[str]
    others: Sequence[Sequence[str]]
    flows_with_text: Sequence[str] | None
    needs_records: bool
    candidates: int


def _plan(
    connection: Connection, filter: WorkflowFilter, after: Position | None, newest_first: bool
) -> _Plan:
    is_searchable = bool(connection.call("EXISTS", keys.IS_SEARCHABLE))
    groups: list[list[str]] = []
    if states := filter.possible_states:
        groups.append([keys.state(state) for state in states])
    if is_searchable and filter.flow is not None:
        groups.append([keys.flow_index(filter.flow)])
    if is_searchable:
        groups += [[keys.label_index(*label)] for label in filter.labels.items()]
    groups = groups or [[keys.ALL]]
    since_ms, until_ms = _bounds(filter, after, newest_first)
    counts = count_range(connection, [key for group in groups for key in group], since_ms, until_ms)
    sizes = [sum(counts.pop(0) for _ in group) for group in groups]
    first = min(range(len(groups)), key=sizes.__getitem__)
    flows = _flows_with_text(connection, filter) if filter.text and is_searchable else None
    is_indexed = is_searchable or not (filter.flow is not None or filter.labels)
    has_reason = bool(filter.reason or filter.failure)
    is_decided = is_indexed and not has_reason and (flows is not None or not filter.text)
    ends = (filter.ended_since_ms, filter.ended_by_ms, filter.as_of_ms)
    has_ends = any(end is not None for end in ends)
    others = groups[:first] + groups[first + 1 :]
    return _Plan(groups[first], others, flows, has_ends or not is_decided, sizes[first])


def _bounds(
    filter: WorkflowFilter, after: Position | None, newest_first: bool
) -> tuple[int | None, int | None]:
    """Return the earliest and the latest start of what remains behind `after`."""
    since_ms, until_ms = filter.since_ms, filter.latest_ms
    if after is not None and newest_first:
        until_ms = after.started_ms if until_ms is None else min(until_ms, after.started_ms)
    elif after is not None:
        since_ms = after.started_ms if since_ms is None else max(since_ms, after.started_ms)
    return since_ms, until_ms


def _flows_with_text(connection: Connection, filter: WorkflowFilter) -> list[str] | None:
    text = filter.text.casefold()
    names = load_indexed_flows(connection) if filter.flow is None else [filter.flow]
    indexes = [keys.flow_index(name) for name in names if text in name.casefold()]
    return indexes if len(indexes) <= _MAX_NAMES else None


def _load_chunk(
    connection: Connection,
    driver: Sequence[str],
    filter: WorkflowFilter,
    after: Position | None,
    count: int,
    newest_first: bool,
) -> list[tuple[int, str]]:
    """Return the next ids of all indexes of the driver, in order."""
    pages = [
        load_range(
            connection,
            index,
            after,
            count=count,
            since_ms=filter.since_ms,
            until_ms=filter.latest_ms,
            newest_first=newest_first,
        )
        for index in driver
    ]
    return sorted({each for page in pages for each in page}, reverse=newest_first)[:count]


def _matching_ids(connection: Connection, plan: _Plan, filter: WorkflowFilter, ids: list[str]) -> list[str]:
    """Return those of the ids that are in the other indexes and may have the text."""
    for group in plan.others:
        ids = _members(connection, group, ids)
    if filter.text and plan.flows_with_text is not None:
        in_names = set(_members(connection, plan.flows_with_text, ids))
        ids = [id for id in ids if filter.matches_id(id) or id in in_names]
    return ids


def _members(connection: Connection, indexes: Sequence[str], ids: list[str]) -> list[str]:
    return load_members(connection, indexes, ids) if ids and indexes else []


def _load(connection: Connection, ids: Sequence[str], *, with_lost: bool) -> list[Record]:
    records = dict(zip(ids, load_records(connection, ids, for_list=True), strict=True))
    missing = [id for id, record in records.items() if record is None]
    lost = load_lost_records(connection, missing) if with_lost and missing else {}
    return [record for id, each in records.items() if (record := each or lost.get(id)) is not None]
