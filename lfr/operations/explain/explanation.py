"""Explains why a workflow stands: its own cause, and that of each step that runs or has failed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.errors import NotFound
from lfr.flow import Flow
from lfr.language.reachability import explain_unfinished, explain_unreachable
from lfr.operations.explain.cause import Cause, CauseKind
from lfr.operations.explain.facts import FactsLoader
from lfr.operations.explain.step import explain_running
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.inspect.steps import add_calls, add_items, describe_steps
from lfr.operations.inspect.workflow import add_holds, require_flow, require_record
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import StepState, WorkflowState
from lfr.store.queues.pauses import read_pauses
from lfr.store.redis.connection import Connection, Store
from lfr.store.redis.write_probe import find_write_refusal
from lfr.store.workflows.history import read_whole_history
from lfr.store.workflows.record import Record
from lfr.values.times import format_at

MAX_STEPS: Final = 50
"""How many steps of a workflow are explained."""

_MAX_ITEMS: Final = 3
_MAX_ITEM_STEPS: Final = 5
"""How many open items of a step are explained, and how many steps of each."""

_STANDING: Final = (StepState.RUNNING, StepState.FAILED)


def explain_workflow(store: Store, id: str, index: int | None = None) -> dict[str, Any]:
    """Explain why a workflow stands, as plain data; with `index`, that step alone, in whatever state it is.

    id, name, state
    cause, text, cure  why it stands as a whole: it has ended, no lifecycle runs; all None: `steps` say it
    steps              the steps that run or have failed, up to MAX_STEPS: index, name, state; cause, a word
                       of CauseKind; text, the one cause in words; cure, what to do (empty: nothing); of an
                       iterated step or a call also items: id, state and steps of its first open children
    more               how many more steps stand

    Reads bounded parts of streams and lists. Raises BadInput for the id, and NotFound.
    """
    id = parse_workflow_id(id)
    with store.connect() as connection:
        record, flow = require_record(connection, id), require_flow(connection, id)
        explainer = _Explainer(connection, FactsLoader(store, connection))
        steps = explainer.describe(record, flow)
        if index is not None:
            chosen = [step for step in steps if step["index"] == index]
            if not chosen:
                raise NotFound(f"{id} has no step {index}", hint="lfr inspect shows the indices")
        else:
            chosen = [step for step in steps if step["state"] in _STANDING or _pause_of(step)]
        whole = explainer.explain_whole(record, flow, steps)
        explained = [explainer.explain_step(record, flow, steps, step) for step in chosen[:MAX_STEPS]]
    none: dict[str, Any] = {"cause": None, "text": None, "cure": None}
    return {
        "id": id,
        "name": record.name,
        "state": record.state.value,
        **(none if whole is None else whole.to_dict()),
        "steps": explained,
        "more": len(chosen) - len(explained),
    }


class _Explainer:
    """Explains workflows and items over one connection, at about one time."""

    def __init__(self, connection: Connection, loader: FactsLoader) -> None:
        self._connection = connection
        self._loader = loader
        self._write_refusal = find_write_refusal(connection)

    def describe(self, record: Record, flow: Flow) -> list[dict[str, Any]]:
        """Return the descriptions of all steps, with their children."""
        history = HistoryState.of(read_whole_history(self._connection, record.id))
        steps = describe_steps(flow, history, record)
        by_index = {step["index"]: step for step in steps}
        add_items(self._connection, flow, record, history, by_index)
        add_calls(self._connection, flow, record, by_index)
        add_holds(self._connection, read_pauses(self._connection), record, flow, steps)
        return steps

    def explain_whole(self, record: Record, flow: Flow, steps: Sequence[Mapping[str, Any]]) -> Cause | None:
        """Return why a workflow as a whole stands; None: its steps say it."""
        ended = format_at(record.ended_ms)
        match record.state:
            case WorkflowState.FINISHED:
                reason = "" if flow.part_end is not None else explain_unfinished(flow)
                if reason:
                    text = f"it finished at {ended}, but {reason}"
                    return Cause(CauseKind.NEVER, text, "mend the flow: lfr check shows where, and start it")
                return Cause(CauseKind.ENDED, f"it finished at {ended}")
            case WorkflowState.FAILED:
                return Cause(
                    CauseKind.FAILED,
                    f"it failed at {ended}: {record.reason}",
                    f"mend the reason, then lfr restart {record.id}",
                )
            case WorkflowState.TERMINATED:
                text = f"it was terminated at {ended}"
                return Cause(CauseKind.TERMINATED, text, f"lfr restart {record.id} continues it")
        if self._write_refusal:
            return self._refused_writes()
        if not self._loader.has_lifecycle:
            text = "no lifecycle runs: no workflow makes progress"
            return Cause(CauseKind.NO_LIFECYCLE, text, "lfr lifecycle")
        if not any(step["state"] == StepState.RUNNING for step in steps):
            text = "it runs, but none of its steps does: something has deleted a part of it"
            cure = f"lfr terminate {record.id} and lfr restart {record.id} start its steps again"
            return Cause(CauseKind.LOST, text, cure)
        return None

    def explain_step(
        self,
        record: Record,
        flow: Flow,
        steps: Sequence[Mapping[str, Any]],
        step: Mapping[str, Any],
        *,
        with_items: bool = True,
    ) -> dict[str, Any]:
        """Return index, name, state, cause, text and cure of a step, and its items if they are awaited."""
        items = []
        if with_items and step["state"] == StepState.RUNNING:
            items = list(self._explain_items(_open_children(step)[:_MAX_ITEMS]))
        cause = self._cause_of(record, flow, steps, step)
        head = {key: step[key] for key in ("index", "name", "state")}
        if cause.kind in (CauseKind.ITEMS, CauseKind.CALL) and items and items[0]["steps"]:
            first = items[0]["steps"][0]
            is_call = cause.kind is CauseKind.CALL
            child = f"its step {first['index']}" if is_call else f"item {items[0]['id'].rpartition('.')[2]}"
            cause = Cause(cause.kind, f"{cause.text}; {child}: {first['text']}", first["cure"])
        return {**head, **cause.to_dict(), **({"items": items} if items else {})}

    def _explain_items(self, open_items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        for item in open_items:
            try:
                record = require_record(self._connection, item["id"])
                flow = require_flow(self._connection, item["id"])
            except NotFound:  # it has just ended
                continue
            steps = self.describe(record, flow)
            standing = [step for step in steps if step["state"] in _STANDING][:_MAX_ITEM_STEPS]
            explained = [self.explain_step(record, flow, steps, step, with_items=False) for step in standing]
            yield {"id": item["id"], "state": item["state"], "steps": explained}

    def _cause_of(
        self, record: Record, flow: Flow, steps: Sequence[Mapping[str, Any]], step: Mapping[str, Any]
    ) -> Cause:
        if (pause := _pause_of(step)) and not self._write_refusal:
            return _explain_pause(pause)
        match step["state"]:
            case StepState.RUNNING:
                if self._write_refusal:
                    return self._refused_writes()
                return explain_running(self._loader.load(record, flow, step))
            case StepState.FAILED:
                cure = f"mend the reason, then lfr retry {record.id} {step['index']}; or lfr skip, to go on"
                return Cause(
                    CauseKind.FAILED, f"it failed at {format_at(step['ended'])}: {step['reason']}", cure
                )
            case StepState.STOPPED:
                text = f"it was stopped at {format_at(step['ended'])}, with its workflow"
                return Cause(CauseKind.ENDED, text, f"lfr restart {record.id} starts it again")
            case StepState.PENDING:
                return _explain_pending(record, flow, steps, step["index"])
        reason = f": {step['reason']}" if step["reason"] else ""
        skipped = "was skipped" if step["state"] == StepState.SKIPPED else "ended"
        return Cause(CauseKind.ENDED, f"it {skipped} at {format_at(step['ended'])}{reason}")

    def _refused_writes(self) -> Cause:
        text = f"Redis refuses writes, so nothing goes on: {self._write_refusal}"
        cure = "give it memory or disk, or use its primary: lfr doctor says what is wrong"
        return Cause(CauseKind.REFUSED_WRITES, text, cure)


def _open_children(step: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return id and state of the items of a step that have begun and are not done, or of its child."""
    if "items" in step:
        return list(step["items"]["open"])
    call = step.get("call")
    return [] if call is None or call["id"] is None else [{"id": call["id"], "state": call["state"]}]


def _pause_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the pause that holds back a step, as `describe_pause` describes it; empty: none."""
    pause: Mapping[str, Any] = step.get("waits_for", {}).get("pause", {})
    return pause


def _explain_pause(pause: Mapping[str, Any]) -> Cause:
    if pause["name"] is None:
        text, way = "everything is paused", "lfr resume --all"
    else:
        text = f"the {pause['scope']} {pause['name']} is paused"
        name = shlex.quote(pause["name"])
        way = (
            f"lfr resume {name}" if pause["scope"] == "workflow" else f"lfr resume --{pause['scope']} {name}"
        )
    actor = f" by {pause['by']}" if pause["by"] else ""
    return Cause(
        CauseKind.PAUSE,
        f"{text}, since {format_at(pause['since'])}{actor}: it starts at the end of the pause",
        way,
    )


def _explain_pending(record: Record, flow: Flow, steps: Sequence[Mapping[str, Any]], index: int) -> Cause:
    if flow.part_end is None and (reason := explain_unreachable(flow, index)):
        return Cause(CauseKind.NEVER, f"it can never start: {reason}", "mend the flow, and start it again")
    by_index = {step["index"]: step for step in steps}
    has_ended = (StepState.DONE, StepState.SKIPPED)
    before = [
        by_index[each]
        for each in flow.predecessors[index]
        if each in by_index and by_index[each]["state"] not in has_ended
    ]
    if record.state is not WorkflowState.RUNNING or not before:
        return Cause(CauseKind.PREDECESSORS, f"it has not started: the workflow is {record.state}")
    names = ", ".join(f"{step['index']} ({step['name'] or step['kind']})" for step in before[:3])
    more = f" and {len(before) - 3} more" if len(before) > 3 else ""
    text = f"it has not started: it waits for step {names}{more}"
    return Cause(CauseKind.PREDECESSORS, text, f"lfr why {record.id} {before[0]['index']}")
