"""Describes the steps of a workflow and their children from the flow and the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lfr.actor import Actor
from lfr.engine.transition import Fact, FactKind
from lfr.flow import Flow, Step, StepKind
from lfr.item_ids import ItemId
from lfr.operations.inspect.summary import iso_time
from lfr.states import StepState, WorkflowState
from lfr.store.redis.connection import Connection
from lfr.store.workflows.history import HistoryEntry
from lfr.store.workflows.items import load_item_counts
from lfr.store.workflows.load import Record
from lfr.store.workflows.queries import load_records

MAX_OPEN_ITEMS: Final = 100
"""How many open items of a step are listed."""

_STATE_AFTER: Final = {
    FactKind.STARTED: StepState.RUNNING,
    FactKind.ENDED: StepState.DONE,
    FactKind.PASSED: StepState.DONE,
    FactKind.SKIPPED: StepState.SKIPPED,
    FactKind.FAILED: StepState.FAILED,
    FactKind.RETRIED: StepState.RUNNING,
}
"""The state of a step, or of an item, after a fact."""

_ENDS: Final = (FactKind.ENDED, FactKind.FAILED, FactKind.RETRIED)


def describe_steps(flow: Flow, history: Iterable[HistoryEntry], record: Record) -> list[dict[str, Any]]:
    """Describe each step, by ascending index, as its history leaves it.

    Keys: index; name; base, the task behind the name, or empty; kind; state; started and ended, or None;
    attempt, 0 before the first; tries, its number since the step last ended (in a loop: in this turn);
    reason, of a failure, a retry or a skip by hand, else None; simulated, whether no worker has done its
    latest attempt, or one of its items; of_items, whether it runs in the items of a step and not in this
    workflow, so that it stays PENDING here; of a resource also uri and sink. Steps that
    ran when their workflow was stopped are STOPPED, and ended then.
    """
    of_items = flow.steps_of_items
    steps = {step.index: _describe_pending(step, step.index in of_items) for step in flow.own_steps}
    for entry in history:
        at = iso_time(entry.at_ms)
        for fact in entry.facts:
            if fact.kind is FactKind.TIMED_OUT:
                _stop_running(steps.values(), at)
            elif fact.index is not None and fact.item is None:
                _apply_fact(steps[fact.index], fact, at, entry)
            elif fact.index is not None and fact.is_simulated:
                steps[fact.index]["simulated"] = True
    if record.state is WorkflowState.TERMINATED:
        _stop_running(steps.values(), iso_time(record.ended_ms))
    return list(steps.values())


def _stop_running(steps: Iterable[dict[str, Any]], at: str | None) -> None:
    for step in steps:
        if step["state"] == StepState.RUNNING:
            step["state"], step["ended"] = StepState.STOPPED.value, at


def _apply_fact(step: dict[str, Any], fact: Fact, at: str | None, entry: HistoryEntry) -> None:
    had_begun = step["state"] in (StepState.RUNNING, StepState.FAILED)
    if fact.kind in (FactKind.STARTED, FactKind.PASSED):
        has_ended = step["state"] in (StepState.DONE, StepState.SKIPPED)
        step["tries"] = 1 if has_ended else step["tries"] + 1
    step["state"], step["attempt"] = _STATE_AFTER[fact.kind].value, fact.attempt
    step["simulated"] = fact.is_simulated or (step["simulated"] and fact.kind in _ENDS)
    if fact.kind is FactKind.RETRIED:
        step["reason"] = entry.reason
        return
    starts = fact.kind in (FactKind.STARTED, FactKind.PASSED)
    if starts or (fact.kind is not FactKind.ENDED and not had_begun):
        step["started"] = at
    step["ended"] = None if fact.kind is FactKind.STARTED else at
    if fact.kind is FactKind.FAILED:
        step["reason"] = entry.reason
    elif fact.kind is FactKind.SKIPPED and had_begun:  # so it was not the guard that skipped it
        step["reason"] = _reason_of_skip(entry.actor)
    else:
        step["reason"] = None


def _reason_of_skip(actor: Actor | None) -> str:
    if actor is None:
        return "skipped by hand"
    return f"skipped by {actor.name}: {actor.reason}" if actor.reason else f"skipped by {actor.name}"


def _describe_pending(step: Step, is_of_items: bool) -> dict[str, Any]:
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
        "tries": 0,
        "reason": None,
        "simulated": False,
        "of_items": is_of_items,
    }


@dataclass(slots=True)
class _Round:
    """One run through the items of a step: its number, and the states of the items that have begun.

    A loop that comes back to an iterated step begins another round, with new items.
    """

    number: int = 1
    states: dict[int, StepState] = field(default_factory=dict)


def add_items(
    connection: Connection,
    flow: Flow,
    record: Record,
    history: Iterable[HistoryEntry],
    steps: Mapping[int, dict[str, Any]],
) -> None:
    """Add the key `items` to the descriptions in `steps`, by index, of iterated steps that have started.

    Its keys: total (None as long as the list is not loaded); done, running, failed: how many items of those
    that have begun; open: id and state of up to 100 that have begun and are not done, failed ones first.
    """
    iterated = [
        index
        for index, step in steps.items()
        if flow.steps[index].iterate and step["attempt"] and step["state"] != StepState.SKIPPED
    ]
    if not iterated:
        return
    counts = load_item_counts(connection, record.id, iterated)
    rounds = _latest_rounds(history)
    for index in iterated:
        items = _describe_items(record, index, rounds.get(index, _Round()))
        if index in counts:
            items["total"] = counts[index].total
        elif steps[index]["ended"] is None:
            items["total"] = None
        steps[index]["items"] = items


def add_calls(
    connection: Connection, flow: Flow, record: Record, steps: Mapping[int, dict[str, Any]]
) -> None:
    """Add the key `call` to the descriptions in `steps`, by index, of calls that have started.

    Its keys: flow, the name; id of the latest child, None once it has succeeded and its output is that of the
    step; version and state of that child, None with it or if it has not begun.
    """
    calls = [index for index, step in steps.items() if flow.steps[index].is_call and step["attempt"]]
    if not calls:
        return
    counts = load_item_counts(connection, record.id, calls)
    ids = {index: str(ItemId(record.id, index, 0, each.round)) for index, each in counts.items()}
    children = dict(zip(ids, load_records(connection, list(ids.values()), for_list=True), strict=True))
    for index in calls:
        child = children.get(index)
        steps[index]["call"] = {
            "flow": flow.steps[index].called_flow,
            "id": None if child is None else child.id,
            "version": None if child is None else child.version,
            "state": None if child is None else child.state.value,
        }


def _latest_rounds(history: Iterable[HistoryEntry]) -> dict[int, _Round]:
    rounds: dict[int, _Round] = {}
    for entry in history:
        for fact in entry.facts:
            if fact.kind is FactKind.TIMED_OUT:
                for round in rounds.values():
                    round.states = {item: _stopped(state) for item, state in round.states.items()}
            elif fact.index is not None and fact.item is not None:
                if fact.index not in rounds or fact.attempt > rounds[fact.index].number:
                    rounds[fact.index] = _Round(fact.attempt)
                rounds[fact.index].states[fact.item] = _STATE_AFTER[fact.kind]
    return rounds


def _stopped(state: StepState) -> StepState:
    return StepState.STOPPED if state is StepState.RUNNING else state


def _describe_items(record: Record, index: int, round: _Round) -> dict[str, Any]:
    states = round.states
    if record.state is WorkflowState.TERMINATED:  # a restart starts again the items that were running
        states = {item: _stopped(state) for item, state in states.items()}
    item_states = list(states.values())
    open_items = [item for item in states if states[item] is not StepState.DONE]
    open_items.sort(key=lambda item: (states[item] is not StepState.FAILED, item))
    return {
        "total": len(states),
        "done": item_states.count(StepState.DONE),
        "running": item_states.count(StepState.RUNNING),
        "failed": item_states.count(StepState.FAILED),
        "open": [
            {"id": str(ItemId(record.id, index, item, round.number)), "state": states[item].value}
            for item in open_items[:MAX_OPEN_ITEMS]
        ],
    }
