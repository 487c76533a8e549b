"""What is known of the items of an iterated step, from its workflow's history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lfr.engine import What
from lfr.flow import Json
from lfr.item_ids import ItemId
from lfr.states import StepState, WorkflowState
from lfr.store.history import Moment
from lfr.store.workflows import Record

MOST_SHOWN = 100
"""How many of the items that are not done are told one by one."""

_STATE_AFTER = {
    What.STARTED: StepState.RUNNING,
    What.ENDED: StepState.DONE,
    What.FAILED: StepState.FAILED,
}


def tell_items(record: Record, index: int, moments: Sequence[Moment], input: Json) -> dict[str, Any]:
    """The items of a step as plain data: how many there are in all (total), and of those that have begun
    how many are done, running, failed; and open: id and state of those that are not done, 100 at most,
    those that failed first.

    Only the latest round counts: a loop that comes back begins with new items.
    """
    states: dict[int, StepState] = {}
    round = 0
    for moment in moments:
        for fact in moment.facts:
            if fact.index == index and fact.item is not None:
                if fact.attempt > round:
                    states, round = {}, fact.attempt
                states[fact.item] = _STATE_AFTER[fact.what]
    if record.state is WorkflowState.TERMINATED:
        states = {item: _stopped(state) for item, state in states.items()}
    counts = list(states.values())
    undone = [item for item in states if states[item] is not StepState.DONE]
    undone.sort(key=lambda item: (states[item] is not StepState.FAILED, item))
    return {
        "total": len(input) if isinstance(input, list) else 1,
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
