"""Describes the steps of a workflow and their children from the flow and the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lfr.flow import Flow, Step, StepKind
from lfr.item_ids import ItemId
from lfr.operations.inspect.history_state import HistoryState, Round, pending_step
from lfr.states import StepState, WorkflowState
from lfr.store.redis.connection import Connection
from lfr.store.workflows.items import load_item_counts
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record

MAX_OPEN_ITEMS: Final = 100
"""How many open items of a step are listed."""


def describe_steps(flow: Flow, history: HistoryState, record: Record) -> list[dict[str, Any]]:
    """Describe each step, by ascending index, as its history leaves it.

    Keys: index; name; base, the task behind the name, or empty; kind; state; started and ended, or None;
    attempt, 0 before the first; tries, its number since the step last ended (in a loop: in this turn);
    reason, of a failure, a retry or a skip by hand, else None; simulated, whether no worker has done its
    latest attempt, or one of its items; of_items, whether it runs in the items of a step and not in this
    workflow, so that it stays PENDING here; of a resource also uri and sink. Steps that
    ran when their workflow was stopped are STOPPED, and ended then; this changes `history`.
    """
    if record.state is WorkflowState.TERMINATED:  # a restart starts again what was running
        history.stop_running(record.ended_ms)
    of_items = flow.steps_of_items
    return [
        _describe_step(step, history.steps.get(step.index), step.index in of_items) for step in flow.own_steps
    ]


def _describe_step(step: Step, latest: Mapping[str, Any] | None, is_of_items: bool) -> dict[str, Any]:
    return {
        "index": step.index,
        "name": step.name,
        "base": step.task if step.kind is StepKind.TASK else "",
        "kind": step.kind.value,
        **({"uri": step.uri, "sink": step.sink} if step.kind is StepKind.RESOURCE else {}),
        **(pending_step() if latest is None else latest),
        "of_items": is_of_items,
    }


def add_items(
    connection: Connection,
    flow: Flow,
    record: Record,
    history: HistoryState,
    steps: Mapping[int, dict[str, Any]],
) -> None:
    """Add the key `items` to the descriptions in `steps`, by index, of iterated steps that have started.

    Its keys: total (None as long as the list is not loaded); done, running, failed: how many items of those
    that have begun; latest: the ids of the 20 that were done last, the latest first; open: id and state of up
    to 100 that have begun and are not done, failed ones first.
    """
    iterated = [
        index
        for index, step in steps.items()
        if flow.steps[index].iterate and step["attempt"] and step["state"] != StepState.SKIPPED
    ]
    if not iterated:
        return
    counts = load_item_counts(connection, record.id, iterated)
    for index in iterated:
        items = _describe_items(record.id, index, history.rounds.get(index, Round()))
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


def _describe_items(id: str, index: int, round: Round) -> dict[str, Any]:
    states = list(round.open.values())
    open_items = sorted(round.open, key=lambda item: (round.open[item] is not StepState.FAILED, item))
    return {
        "total": round.done + len(states),
        "done": round.done,
        "running": states.count(StepState.RUNNING),
        "failed": states.count(StepState.FAILED),
        "latest": [str(ItemId(id, index, item, round.number)) for item in reversed(round.latest)],
        "open": [
            {"id": str(ItemId(id, index, item, round.number)), "state": round.open[item].value}
            for item in open_items[:MAX_OPEN_ITEMS]
        ],
    }
