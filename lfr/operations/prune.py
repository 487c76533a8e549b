"""Prunes workflows: finds those that ended long ago, says how much they take, archives and deletes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.archive.archive import archive_workflow
from lfr.operations.delete_ended import MAX_TOGETHER, delete_ended_workflows
from lfr.operations.intervene import Condition, delete_workflow_if
from lfr.operations.select_workflows import iterate_workflows
from lfr.operations.workflow_filter import WorkflowFilter, parse_states
from lfr.states import WorkflowState
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.store.workflows.sizes import measure_workflows
from lfr.values.times import DURATION_FORMAT, parse_duration

WriteArchive: TypeAlias = Callable[[dict[str, Any]], object]
"""Writes an archive durably. Raises CannotWrite."""

ENDED_STATES: Final = tuple(state for state in WorkflowState if state.has_ended)

_MAX_MEASURED: Final = 500
"""How many workflows are measured; of more than these, the size is estimated from so many."""


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What is pruned: the ids, by state how many. `bytes` is what they take in Redis, None if the server does
    not say it; estimated from a part of them if `is_estimate`."""

    filter: WorkflowFilter
    ids: tuple[str, ...]
    counts: dict[str, int]
    bytes: int | None
    is_estimate: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data, without the ids."""
        return {
            "workflows": len(self.ids),
            "states": self.counts,
            "bytes": self.bytes,
            "bytes_estimated": self.is_estimate,
        }


@dataclass(frozen=True, slots=True)
class PruneStep:
    """What has become of one workflow of a plan: deleted, or not: then `problem` says why. Without a problem,
    it has changed meanwhile, or somebody else has deleted it."""

    id: str
    is_deleted: bool
    problem: str = ""


def plan_prune(
    store: Store,
    older: float | str,
    states: Iterable[str] = (WorkflowState.FINISHED,),
    flow: str | None = None,
) -> PrunePlan:
    """Return what a prune would delete: workflows in these states that ended `older` ago, a duration in
    seconds or as `30d`, of the flow with this name (None: of any). Writes nothing.

    Raises BadInput for a duration or a state that is not valid, and for a state that has not ended.
    """
    seconds = parse_duration(older)
    if seconds is None:
        raise BadInput(f"{str(older)[:40]} is no age", hint=DURATION_FORMAT)
    parsed_states = _parse_ended_states(states)
    if not parsed_states:
        raise BadInput("a prune needs a state", hint="one of " + ", ".join(ENDED_STATES))
    flows = FlowCache()
    with store.connect() as connection:
        ended_by_ms = read_time_ms(connection) - round(1000 * seconds)
        filter = WorkflowFilter(parsed_states, flow, ended_by_ms=ended_by_ms)
        pages = iterate_workflows(connection, filter)
        matches = {record.id: record.state for page in pages for record in page}
        ids = tuple(matches)
        stride = -(-len(ids) // _MAX_MEASURED) or 1
        measured = ids[::stride]
        size = _measure(connection, flows, measured)
    counts = Counter(matches.values())
    return PrunePlan(
        filter=filter,
        ids=ids,
        counts={state.value: counts[state] for state in parsed_states},
        bytes=size if size is None or not measured else round(size * len(ids) / len(measured)),
        is_estimate=len(measured) < len(ids),
    )


def prune(store: Store, plan: PrunePlan, write_archive: WriteArchive | None = None) -> Iterator[PruneStep]:
    """Delete the workflows of a plan, many in each transaction; yield what has become of each.

    A workflow is deleted only if it still matches the filter in its transaction. With `write_archive`, its
    archive is written before, and it is deleted only if it has not been started or restarted since. It may be
    stopped at any time; a later prune goes on. Raises CannotWrite: then nothing more is deleted.
    """
    flows = FlowCache()
    for first in range(0, len(plan.ids), MAX_TOGETHER):
        conditions: dict[str, Condition] = {}
        for id in plan.ids[first : first + MAX_TOGETHER]:
            condition: Condition | None = plan.filter.matches
            if write_archive is not None:
                try:
                    condition = archive_before(store, plan.filter, id, write_archive)
                except (NotFound, Conflict) as error:
                    yield PruneStep(id, is_deleted=False, problem=str(error))
                    continue
            if condition is not None:
                conditions[id] = condition
            else:
                yield PruneStep(id, is_deleted=False)
        with store.connect() as connection:
            deletion = delete_ended_workflows(store, connection, flows, conditions)
        yield from (PruneStep(id, is_deleted=True) for id in deletion.deleted)
        yield from (PruneStep(id, is_deleted=False) for id in deletion.unchanged)
        for id in deletion.remaining:
            yield delete_pruned(store, flows, id, conditions[id])


def delete_pruned(store: Store, flows: FlowCache, id: str, condition: Condition) -> PruneStep:
    """Delete one workflow if it fulfils the condition, in a transaction of its own."""
    try:
        return PruneStep(id, delete_workflow_if(store, flows, id, condition))
    except (NotFound, Conflict) as error:  # half lost, or a key of another type: a person must look at it
        return PruneStep(id, is_deleted=False, problem=str(error))


def archive_before(
    store: Store, filter: WorkflowFilter, id: str, write_archive: WriteArchive
) -> Condition | None:
    """Archive a workflow that is to be deleted. Return the condition under which it may be: that it is still
    the one that was archived; None: it does not fulfil the filter. Raises CannotWrite, NotFound, Conflict."""
    with store.connect() as connection:
        archived = load_records(connection, [id])[0]
    if archived is None or not filter.matches(archived):
        return None
    write_archive(archive_workflow(store, id))
    return _same_run(filter, archived)


def _same_run(filter: WorkflowFilter, archived: Record) -> Condition:
    identity = archived.run, archived.started_ms, archived.ended_ms
    return lambda record: (
        filter.matches(record) and (record.run, record.started_ms, record.ended_ms) == identity
    )


def _parse_ended_states(texts: Iterable[str]) -> tuple[WorkflowState, ...]:
    states = parse_states(texts)
    for state in states:
        if not state.has_ended:
            hint = "one of " + ", ".join(ENDED_STATES)
            raise BadInput(f"workflows that are {state} are not pruned", hint=hint)
    return states


def _measure(connection: Connection, flows: FlowCache, ids: tuple[str, ...]) -> int | None:
    records = [record for record in load_records(connection, ids, for_list=True) if record is not None]
    sizes = [
        measure_workflows(connection, flows, records[first : first + 50])
        for first in range(0, len(records), 50)
    ]
    return None if None in sizes else sum(size or 0 for size in sizes)
