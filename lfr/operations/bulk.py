"""Bulk actions: one action on all workflows that a filter selects, each in a transaction of its own, or many
together if they are deleted.

The filter has a fixed time: what has started or ended since does not match. So an action that was interrupted
goes on with the same filter and time, however far it had come: it does nothing twice, and nothing else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.archive.archive import archive_workflow
from lfr.operations.delete_ended import MAX_TOGETHER, delete_ended_workflows
from lfr.operations.intervene import change_state_if, delete_workflow_if, retry_task_if
from lfr.operations.pause import change_pause_if
from lfr.operations.permitted_actions import WorkflowAction, states_that_permit
from lfr.operations.prune import WriteArchive
from lfr.operations.select_workflows import Position, select_workflows
from lfr.operations.workflow_filter import WorkflowFilter, parse_filter
from lfr.states import WorkflowState
from lfr.store.queues.pauses import read_pauses
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.values.times import parse_timestamp

_PAGE: Final = 200
"""How many workflows are selected at once."""


_MAX_COUNTED: Final = 20_000
"""How many workflows one call of `count_bulk` counts."""

_MAX_NAMED: Final = 5
"""How many of the workflows that are counted are named."""


class BulkAction(StrEnum):
    """An action that can be done to many workflows."""

    TERMINATE = "terminate"
    RESTART = "restart"
    RETRY = "retry"
    DELETE = "delete"
    ARCHIVE = "archive"
    PAUSE = "pause"
    RESUME = "resume"


_STATES: Final[Mapping[BulkAction, tuple[WorkflowState, ...]]] = {
    **{
        action: states_that_permit(WorkflowAction(action.value))
        for action in BulkAction
        if action not in (BulkAction.RETRY, BulkAction.RESUME)
    },
    BulkAction.RESUME: states_that_permit(WorkflowAction.PAUSE),
    BulkAction.RETRY: (WorkflowState.FAILED, WorkflowState.TERMINATED),
}
"""The states of a workflow in which each action is possible. A task that runs is not retried: nothing would
say whether an action that was interrupted has done that already."""


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What a bulk action does. `filter` has the states that permit it, and its time; `index` is that of the
    step to retry."""

    action: BulkAction
    filter: WorkflowFilter
    index: int | None = None

    @property
    def as_of_ms(self) -> int:
        """The time of the filter, in milliseconds since the epoch."""
        assert self.filter.as_of_ms is not None  # `plan_bulk` sets it
        return self.filter.as_of_ms


@dataclass(frozen=True, slots=True)
class BulkStep:
    """What has become of one workflow: changed, or not: then `problem` says why. Without a problem, it has
    changed meanwhile, so that it no longer matches, or somebody else has deleted it."""

    id: str
    is_changed: bool
    problem: str = ""


@dataclass(slots=True)
class BulkCount:
    """How many workflows match, by state. `first_ids`: of the first of them, up to _MAX_NAMED. `next`: there
    may be more behind it; None: these were all. `examined`, `candidates` as in Selection."""

    states: Counter[WorkflowState] = field(default_factory=Counter)
    first_ids: list[str] = field(default_factory=list)
    next: Position | None = None
    examined: int = 0
    candidates: int = 0


def plan_bulk(
    store: Store,
    action: str,
    where: str,
    *,
    as_of: str | None = None,
    index: int | None = None,
    source: str = "where",
) -> BulkPlan:
    """Return the plan of an action on the workflows that the filter `where` selects. Writes nothing.

    `as_of` is the time of a plan before, as text, to go on with that; None: now. Ages in the filter count
    back from it. Raises FlowError for the filter, and BadInput for the rest, also if no state that the filter
    names permits the action.
    """
    if action not in tuple(BulkAction):
        raise BadInput(f"there is no action {action[:40]}", hint="one of " + ", ".join(BulkAction))
    bulk_action = BulkAction(action)
    if (index is None) == (bulk_action is BulkAction.RETRY):
        raise BadInput("retry, and no other action, needs the index of a step")
    with store.connect() as connection:
        now_ms = read_time_ms(connection)
    as_of_ms = now_ms if as_of is None else parse_timestamp(as_of)
    if as_of_ms is None or as_of_ms > now_ms:
        raise BadInput(f"as_of is {as_of!r:.40}, which is no time before now", hint="in ISO 8601")
    filter = parse_filter(where, as_of_ms, source=source)
    if filter.parent:
        hint = f"{action} the parent, {filter.parent}: its children follow it"
        raise BadInput(f"{source} has parent=, but no child is changed by itself", hint=hint)
    states = _STATES[bulk_action]
    if filter.states:
        states = tuple(state for state in filter.states if state in states)
    if not states:
        hint = f"{action} is possible in the states {', '.join(_STATES[bulk_action])}"
        raise BadInput(f"{source} names no state in which {action} is possible", hint=hint)
    return BulkPlan(bulk_action, replace(filter, states=states, as_of_ms=as_of_ms), index)


def count_bulk(store: Store, plan: BulkPlan, after: Position | None = None) -> BulkCount:
    """Count some of the workflows that a plan concerns, those behind `after`. The work is bounded."""
    with store.connect() as connection:
        selection = select_workflows(connection, plan.filter, after, count=_MAX_COUNTED, newest_first=False)
        records = _select_by_pause(connection, plan, selection.records)
    states = Counter(record.state for record in records)
    ids = [record.id for record in records[:_MAX_NAMED]]
    return BulkCount(states, ids, selection.next, selection.examined, selection.candidates)


def count_whole_bulk(store: Store, plan: BulkPlan) -> BulkCount:
    """Count all workflows that a plan concerns."""
    whole = part = count_bulk(store, plan)
    while part.next is not None:
        part = count_bulk(store, plan, part.next)
        whole = BulkCount(whole.states + part.states, (whole.first_ids + part.first_ids)[:_MAX_NAMED])
    return whole


def run_bulk(
    store: Store, plan: BulkPlan, *, write_archive: WriteArchive | None = None
) -> Iterator[BulkStep]:
    """Do the action to all workflows of a plan, those that started first first; yield what has become of
    each.

    Each is checked again in its transaction. It may be stopped at any time; the same plan goes on. ARCHIVE
    needs `write_archive`. Raises CannotWrite: then nothing more is done.
    """
    for steps, _ in _run(store, plan, None, write_archive):
        yield from steps


def _run(
    store: Store, plan: BulkPlan, after: Position | None, write_archive: WriteArchive | None
) -> Iterator[tuple[list[BulkStep], Position]]:
    """Do the action to the workflows behind `after`; yield what has become of some of them, one at least, and
    the position behind which to go on."""
    flows = FlowCache()
    while True:
        with store.connect() as connection:
            selection = select_workflows(connection, plan.filter, after, count=_PAGE, newest_first=False)
            records = _select_by_pause(connection, plan, selection.records)
        if plan.action is BulkAction.DELETE:
            for first in range(0, len(records), MAX_TOGETHER):
                yield from _delete(store, flows, plan, records[first : first + MAX_TOGETHER])
        else:
            for record in records:
                yield [_act(store, flows, plan, record.id, write_archive)], _position(record)
        after = selection.next
        if after is None:
            return


def _delete(
    store: Store, flows: FlowCache, plan: BulkPlan, records: Sequence[Record]
) -> Iterator[tuple[list[BulkStep], Position]]:
    """Delete workflows as `_run` does: first what one transaction can delete, then the others."""
    with store.connect() as connection:
        deletion = delete_ended_workflows(
            store, connection, flows, {record.id: plan.filter.matches for record in records}
        )
    steps = [BulkStep(id, is_changed=True) for id in deletion.deleted]
    steps += [BulkStep(id, is_changed=False) for id in deletion.unchanged]
    remaining = set(deletion.remaining)
    for record in records:
        if record.id in remaining:
            yield [*steps, _act(store, flows, plan, record.id, None)], _position(record)
            steps = []
    if steps:
        yield steps, _position(records[-1])


def _position(record: Record) -> Position:
    return Position(record.started_ms, record.id)


def _select_by_pause(connection: Connection, plan: BulkPlan, records: Sequence[Record]) -> Sequence[Record]:
    """Return the workflows that a plan to pause or to resume concerns; of any other plan, all."""
    if plan.action not in (BulkAction.PAUSE, BulkAction.RESUME):
        return records
    paused = read_pauses(connection).workflows
    is_resuming = plan.action is BulkAction.RESUME
    return [record for record in records if (record.id in paused) == is_resuming]


def _act(
    store: Store, flows: FlowCache, plan: BulkPlan, id: str, write_archive: WriteArchive | None
) -> BulkStep:
    matches = plan.filter.matches
    try:
        match plan.action:
            case BulkAction.DELETE:
                is_changed = delete_workflow_if(store, flows, id, matches)
            case BulkAction.ARCHIVE:
                assert write_archive is not None
                with store.connect() as connection:
                    current = load_records(connection, [id])[0]
                is_changed = current is not None and matches(current)
                if is_changed:
                    write_archive(archive_workflow(store, id))
            case BulkAction.RETRY:
                assert plan.index is not None
                is_changed = retry_task_if(store, id, plan.index, matches)
            case BulkAction.TERMINATE | BulkAction.RESTART:
                is_changed = change_state_if(store, id, WorkflowAction(plan.action.value), matches)
            case BulkAction.PAUSE | BulkAction.RESUME:
                is_changed = change_pause_if(store, id, WorkflowAction(plan.action.value), matches)
    except (BadInput, NotFound, Conflict) as error:  # this one is not as the action needs it
        return BulkStep(id, is_changed=False, problem=str(error))
    return BulkStep(id, is_changed)


@dataclass(slots=True)
class BulkSlice:
    """What `run_bulk_slice` has done. `next` is None after the last workflow."""

    changed: int = 0
    unchanged: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    next: Position | None = None


def run_bulk_slice(
    store: Store,
    plan: BulkPlan,
    after: Position | None,
    *,
    max_workflows: int,
    max_seconds: float,
    write_archive: WriteArchive | None = None,
) -> BulkSlice:
    """Do the action to some of the workflows behind `after`, as `run_bulk` does, and at least to one; a
    transaction that deletes many may exceed `max_workflows`."""
    done = BulkSlice()
    deadline = time.monotonic() + max_seconds
    for steps, position in _run(store, plan, after, write_archive):
        for step in steps:
            done.changed += step.is_changed
            done.unchanged += not step.is_changed and not step.problem
            if step.problem:
                done.problems[step.id] = step.problem
        number = done.changed + done.unchanged + len(done.problems)
        if number >= max_workflows or time.monotonic() >= deadline:
            done.next = position
            break
    return done
