"""Describes items that have finished: their workflows are deleted then, and so are those of called flows.

Nothing is stored for that. The input of an item stands in that of its step, its output in that of the step,
or beside it while other items run; and the history of the parent has its times.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lfr.engine.advance import gather_input
from lfr.engine.pauses import Pauses
from lfr.engine.step_inputs import InputError
from lfr.engine.transition import FactKind
from lfr.flow import Flow
from lfr.item_ids import ItemId, parse_item_id
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.inspect.summary import summarize
from lfr.operations.permitted_actions import describe_actions
from lfr.states import StepState, WorkflowState
from lfr.store.redis.connection import Connection
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.history import History, read_whole_history
from lfr.store.workflows.items import load_item_counts, load_item_output
from lfr.store.workflows.queries import load_flow, load_records, load_some_outputs
from lfr.store.workflows.record import Record
from lfr.values.json import Json
from lfr.values.times import format_at, iso_time


@dataclass(frozen=True, slots=True)
class FinishedItem:
    """An item that has finished, or a called flow: its parent, and the state at the end of its history; its
    times in milliseconds since the epoch; whether no worker has done one of its steps."""

    id: ItemId
    parent: Record
    parent_flow: Flow
    parent_state: HistoryState
    started_ms: int
    ended_ms: int
    is_simulated: bool

    @property
    def is_of_iteration(self) -> bool:
        """Whether it is no called flow."""
        return self.parent_flow.steps[self.id.index].iterate

    def explain(self) -> str:
        """Say what has become of it."""
        name = f"item {self.id.number}" if self.is_of_iteration else "the flow"
        return (
            f"{name} of step {self.id.index} of {self.id.parent} finished at {format_at(self.ended_ms)}; "
            "its steps and its history were deleted then"
        )


def find_finished_item(connection: Connection, id: str) -> FinishedItem | None:
    """Return the finished item with this id, which has no record; None if it is no item, or the history of
    its parent does not say that it has finished."""
    item = parse_item_id(id)
    parent = None if item is None else load_records(connection, [item.parent])[0]
    if item is None or parent is None:
        return None
    flow = load_flow(connection, FlowCache(), item.parent)
    if flow is None or not flow.first <= item.index <= flow.last or not flow.steps[item.index].has_children:
        return None
    return _find_end(item, parent, flow, read_whole_history(connection, item.parent))


def _find_end(item: ItemId, parent: Record, flow: Flow, history: History) -> FinishedItem | None:
    started_ms = 0
    for entry in history.entries:
        for fact in entry.facts:
            if (fact.index, fact.item, fact.attempt) != (item.index, item.number, item.round):
                continue
            if fact.kind is FactKind.STARTED:
                started_ms = started_ms or entry.at_ms
            elif fact.kind is FactKind.ENDED:
                state = HistoryState.of(history)
                started_ms = started_ms or state.since_ms
                return FinishedItem(item, parent, flow, state, started_ms, entry.at_ms, fact.is_simulated)
    return None


def describe_finished_item(connection: Connection, item: FinishedItem, *, values: bool) -> dict[str, Any]:
    """Describe an item of an iteration as `inspect_workflow` does, with its history: it has no steps any
    more, and a warning says so. Its input and its output are None if other turns of a loop have replaced
    them."""
    record = Record(
        id=str(item.id),
        reference="",
        state=WorkflowState.FINISHED,
        started_ms=item.started_ms,
        active=0,
        done=0,
        skipped=0,
        failed=0,
        name=item.parent.name,
        ended_ms=item.ended_ms,
        total=0,
        simulated=int(item.is_simulated),
        reason="",
    )
    workflow = {
        **summarize(record, Pauses()),
        **{"deadline": None, "warning": item.explain(), "by_hand": [], "moment": "", "removed": None},
        **{"actions": describe_actions(record.id, record.state), "steps": []},
        "history": describe_end(item),
    }
    if values:
        workflow["input"], workflow["output"] = _load_values(connection, item)
    return workflow


def describe_end(item: FinishedItem) -> list[dict[str, Any]]:
    """Describe what is known of the history of a finished item: its end."""
    return [
        {
            **{"at": iso_time(item.ended_ms), "index": None, "item": None, "event": "finished"},
            **{"attempt": None, "reason": None, "simulated": item.is_simulated},
            **{"actor": None, "actor_reason": None},
        }
    ]


def _load_values(connection: Connection, item: FinishedItem) -> tuple[Json, Json]:
    """Return input and output of a finished item, None for those that are gone. (HMGET, HGET)"""
    id, flow, index, number = item.parent.id, item.parent_flow, item.id.index, item.id.number
    outputs = load_some_outputs(connection, id, [*flow.input_sources[index], index])
    counts = load_item_counts(connection, id, [index]).get(index)
    latest = item.parent_state.rounds.get(index)
    input: Json = None
    if item.id.round == 1 and not flow.predecessors[0]:  # else a later turn may have replaced the list
        with suppress(InputError):
            input = _element(gather_input(flow, lambda source: outputs.get(source, {}), index), number)
    if counts is not None:
        is_there = counts.round == item.id.round
        return input, load_item_output(connection, id, index, number) if is_there else None
    is_done = item.parent_state.steps[index]["state"] == StepState.DONE
    is_latest = is_done and latest is not None and latest.number == item.id.round
    return input, _element(outputs.get(index), number) if is_latest else None


def _element(values: Json, number: int) -> Json:
    return values[number] if isinstance(values, list) and number < len(values) else None
