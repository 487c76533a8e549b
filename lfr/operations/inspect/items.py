"""What is known of the items of an iterated step, from its workflow's history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from lfr.engine import FactKind
from lfr.item_ids import ItemId
from lfr.states import StepState, WorkflowState
from lfr.store.workflows.history import Moment
from lfr.store.workflows.record import Record

MOST_SHOWN = 100
"""How many of the items that are not done are told one by one."""

_STATE_AFTER = {
    FactKind.STARTED: StepState.RUNNING,
    FactKind.ENDED: StepState.DONE,
    FactKind.FAILED: StepState.FAILED,
}


ItemStates: TypeAlias = tuple[int, dict[int, StepState]]
"""The latest round of a step's items, and by number the states of those that have begun in it."""


def item_states(moments: Iterable[Moment]) -> dict[int, ItemStates]:
    """What the history says of items, by the index of their step. Only the latest round counts: a loop that
    comes back begins with new items."""
    found: dict[int, ItemStates] = {}
    for moment in moments:
        for fact in moment.facts:
            if fact.index is not None and fact.item is not None:
                round, states = found.get(fact.index, (0, {}))
                if fact.attempt > round:
                    states = {}
                    found[fact.index] = (fact.attempt, states)
                states[fact.item] = _STATE_AFTER[fact.kind]
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
