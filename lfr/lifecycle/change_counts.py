"""Counts for the metrics what a lifecycle sees: workflows that change their state, and ends of tasks."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final

from lfr import event_fields, events
from lfr.engine.transition import FactKind, Transition
from lfr.item_ids import is_item
from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.store.stream.entries import Entry
from lfr.store.totals import OTHER, NewTotals
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.load import LoadedWorkflow
from lfr.values.json import encode_json

_WORKFLOW_CHANGES: Final = {
    encode_json(kind).encode(): what
    for kind, what in (
        (events.START_WORKFLOW, "started"),
        (events.END_WORKFLOW, "finished"),
        (events.FAILED_WORKFLOW, "failed"),
        (events.TERMINATED_WORKFLOW, "terminated"),
    )
}
"""What the kinds of events tell, by the kind as JSON: it is looked up for each event."""

_TASK_ENDS: Final = {FactKind.ENDED: "ended", FactKind.FAILED: "failed", FactKind.RETRIED: "retried"}

_MAX_LOOKUPS: Final = 1000
"""Of how many workflows the flow is looked up in Redis with one heartbeat."""

_MAX_WAITING: Final = 100_000
"""How many changes wait to be counted; beyond that, the oldest are not counted."""


class WorkflowChanges:
    """Counts the events that tell a new state of a workflow, by its flow.

    An event does not name the flow. Most flows are in the cache when it is counted, with a heartbeat; the
    others are looked up then.
    """

    def __init__(self, totals: NewTotals, flows: FlowCache) -> None:
        self._totals = totals
        self._flows = flows
        self._waiting: deque[tuple[str, str]] = deque(maxlen=_MAX_WAITING)

    def note(self, batch: Sequence[Entry]) -> None:
        """Note the changes of workflows in a batch that has been processed, without those of items."""
        for entry in batch:
            what = _WORKFLOW_CHANGES.get(entry.fields.get(b"kind", b""))
            if what is None or events.is_copy(entry.fields):
                continue
            workflow = event_fields.peek_workflow(entry.fields)
            if workflow and not is_item(workflow):
                self._waiting.append((what, workflow))

    def count(self, connection: Connection) -> None:
        """Add what was noted to the totals. (HGET)"""
        numbers: Counter[tuple[str, str]] = Counter()
        unknown: list[tuple[str, str]] = []
        for _ in range(len(self._waiting)):
            if len(unknown) == _MAX_LOOKUPS:
                break
            what, workflow = self._waiting.popleft()
            flow = self._flows.flow_of(workflow)
            if flow is not None and flow.name:
                numbers[what, flow.name] += 1
            else:
                unknown.append((what, workflow))
        if unknown:
            commands = [("HGET", workflow, "name") for _, workflow in unknown]
            names = connection.execute(commands, keep_errors=True)
            for (what, _), name in zip(unknown, names, strict=True):
                numbers[what, name.decode() if isinstance(name, bytes) else OTHER] += 1
        self._totals.add(keys.FLOW_TOTALS, numbers)


def count_task_ends(
    totals: NewTotals,
    loaded: Mapping[str, LoadedWorkflow],
    transitions: Mapping[str, Sequence[Transition]],
) -> None:
    """Count the attempts that have ended in these transitions, which are stored, by their task."""
    numbers: dict[tuple[str, str], int] = {}
    for id, changes in transitions.items():
        steps = loaded[id].flow.steps
        for transition in changes:
            for fact in transition.facts:
                if fact.index is not None and (what := _TASK_ENDS.get(fact.kind)):
                    step = steps[fact.index]
                    key = what, step.base or step.name
                    numbers[key] = numbers.get(key, 0) + 1
    totals.add(keys.TASK_TOTALS, numbers)
