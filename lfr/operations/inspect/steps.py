"""What is known of the steps of a workflow by its flow and its history: all but what they were given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from lfr.engine import Fact, FactKind
from lfr.flow import Flow, Step, StepKind
from lfr.item_ids import ItemId
from lfr.operations.inspect.summary import iso_time
from lfr.states import StepState, WorkflowState
from lfr.store.redis.connection import Connection
from lfr.store.workflows.history import HistoryEntry
from lfr.store.workflows.items import load_item_counts
from lfr.store.workflows.load import Record

MOST_SHOWN = 100
"""How many of the items that are not done are told one by one."""

_ITEM_STATE_AFTER = {
    FactKind.STARTED: StepState.RUNNING,
    FactKind.ENDED: StepState.DONE,
    FactKind.FAILED: StepState.FAILED,
}


ItemStates: TypeAlias = tuple[int, dict[int, StepState]]
"""The latest round of a step's items, and by number the states of those that have begun in it."""

_STATE_AFTER: Final = {
    FactKind.STARTED: StepState.RUNNING,
    FactKind.ENDED: StepState.DONE,
    FactKind.PASSED: StepState.DONE,
    FactKind.SKIPPED: StepState.SKIPPED,
    FactKind.FAILED: StepState.FAILED,
    FactKind.RETRIED: StepState.RUNNING,
}


def tell_steps(flow: Flow, moments: Iterable[HistoryEntry], record: Record) -> list[dict[str, Any]]:
    """By index, each step: index, name, base, kind, state, started, ended, attempt, reason."""
    told = {step.index: _untouched(step) for step in flow.own_steps}
    for moment in moments:
        at = iso_time(moment.at_ms)
        for fact in moment.facts:
            if fact.index is not None and fact.item is None:
                _take(told[fact.index], fact, at, moment.reason)
    if record.state is WorkflowState.TERMINATED:
        for step in told.values():
            if step["state"] == StepState.RUNNING:
                step["state"] = StepState.PENDING.value  # a restart starts it again
    return list(told.values())


def _take(step: dict[str, Any], fact: Fact, at: str | None, reason: str) -> None:
    """What has happened to a step, from the state in which it was."""
    had_begun = step["state"] in (StepState.RUNNING, StepState.FAILED)
    step["state"], step["attempt"] = _STATE_AFTER[fact.kind].value, fact.attempt
    if fact.kind is FactKind.RETRIED:
        step["reason"] = reason
        return
    if fact.kind in (FactKind.STARTED, FactKind.PASSED) or (
        fact.kind is not FactKind.ENDED and not had_begun
    ):
        step["started"] = at
    step["ended"] = None if fact.kind is FactKind.STARTED else at
    if fact.kind is FactKind.FAILED:
        step["reason"] = reason
    elif fact.kind is FactKind.SKIPPED and had_begun:  # its guard had said yes
        step["reason"] = "skipped by hand"
    else:
        step["reason"] = None


def _untouched(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "name": step.name,
        "base": step.task if step.kind is StepKind.TASK else "",
        "kind": step.kind.value,
        **({"uri": step.uri, "sink": step.sink} if step.kind is StepKind.RESOURCE else {}),
        "state": StepState.PENDING.value,
        "started": None,
        "ended": None,
        "attempt": 0,
        "reason": None,
    }


def add_items(
    connection: Connection,
    flow: Flow,
    record: Record,
    moments: Iterable[HistoryEntry],
    steps: Mapping[int, dict[str, Any]],
) -> None:
    """Add `items`, as `tell_items` gives them, to those of these steps that are iterated and have started."""
    iterated = [
        index
        for index, step in steps.items()
        if flow.steps[index].iterate and step["attempt"] and step["state"] != StepState.SKIPPED
    ]
    if not iterated:
        return
    kept = load_item_counts(connection, record.id, iterated)
    states = item_states(moments)
    for index in iterated:
        total = kept[index].total if index in kept else None
        has_ended = steps[index]["ended"] is not None
        steps[index]["items"] = tell_items(record, index, states.get(index), total, has_ended=has_ended)


def item_states(moments: Iterable[HistoryEntry]) -> dict[int, ItemStates]:
    """Return the states of items from the history, by the index of their step.

    Only the latest round counts: a loop that comes back begins with new items.
    """
    found: dict[int, ItemStates] = {}
    for moment in moments:
        for fact in moment.facts:
            if fact.index is not None and fact.item is not None:
                round, states = found.get(fact.index, (0, {}))
                if fact.attempt > round:
                    states = {}
                    found[fact.index] = (fact.attempt, states)
                states[fact.item] = _ITEM_STATE_AFTER[fact.kind]
    return found


def tell_items(
    record: Record, index: int, known: ItemStates | None, total: int | None, *, has_ended: bool
) -> dict[str, Any]:
    """The items of a step as plain data: how many there are in all (total; None if they are not laid out
    yet), and of those that have begun how many are done, running, failed; and open: id and state of those
    that are not done, 100 at most, those that failed first.
    """
    round, states = known or (1, {})
    if record.state is WorkflowState.TERMINATED:
        states = {item: _stopped(state) for item, state in states.items()}
    counts = list(states.values())
    undone = [item for item in states if states[item] is not StepState.DONE]
    undone.sort(key=lambda item: (states[item] is not StepState.FAILED, item))
    return {
        "total": len(states) if total is None and has_ended else total,
        "done": counts.count(StepState.DONE),
        "running": counts.count(StepState.RUNNING),
        "failed": counts.count(StepState.FAILED),
        "open": [
            {"id": str(ItemId(record.id, index, item, round)), "state": states[item].value}
            for item in undone[:MOST_SHOWN]
        ],
    }


def _stopped(state: StepState) -> StepState:
    """The state that a step has in a workflow that is terminated: what ran, starts again with a restart."""
    return StepState.PENDING if state is StepState.RUNNING else state
