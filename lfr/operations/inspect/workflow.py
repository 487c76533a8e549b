"""Describes one workflow: all of it, one of its steps, its flow, its flow text, its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lfr.engine.pauses import Pauses
from lfr.errors import BadInput, NotFound
from lfr.flow import Flow
from lfr.item_ids import is_item
from lfr.language.reachability import explain_unfinished
from lfr.operations.inspect.evidence import load_step_evidence
from lfr.operations.inspect.finished_item import (
    FinishedItem,
    describe_end,
    describe_finished_item,
    find_finished_item,
)
from lfr.operations.inspect.history_state import HistoryState, describe_history, summarize_removed
from lfr.operations.inspect.step_waits import describe_waits
from lfr.operations.inspect.steps import add_calls, add_items, describe_steps
from lfr.operations.inspect.summary import describe_pause, summarize
from lfr.operations.inspect.values import add_step_values, add_workflow_values
from lfr.operations.lost_workflows import missing_workflow
from lfr.operations.permitted_actions import describe_actions, describe_step_actions
from lfr.operations.workers import find_missing_workers, task_of
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import StepState
from lfr.store.queues.pauses import load_holds, read_pauses
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.attempt_status import load_task_progress
from lfr.store.workflows.attempt_timers import read_held_starts
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_texts import load_text
from lfr.store.workflows.history import read_history_since, read_whole_history
from lfr.store.workflows.queries import (
    load_flow,
    load_records,
    load_some_outputs,
    load_step,
    load_steps,
)
from lfr.store.workflows.record import MAX_BRIEF, Record
from lfr.store.workflows.sizes import measure_workflows
from lfr.store.workflows.workflow_deadlines import read_workflow_deadline
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.values.json import Json
from lfr.values.times import iso_time, parse_timestamp

_MAX_WORDS: Final = 5
_MAX_WORD_LENGTH: Final = 40
"""How many words a small value has at most, and how many characters each."""


def inspect_workflow(
    store: Store,
    id: str,
    *,
    history: bool = False,
    values: bool = True,
    flow: bool = False,
    size: bool = False,
) -> dict[str, Any]:
    """Describe a workflow with all its steps as plain data. Times are in ISO 8601, UTC, or None.

    Keys: those of `summarize`; deadline, when it fails unless it has ended (None: it may run for ever);
    warning, which step can never start, so that it finishes without it (None: all can); actions, as
    `describe_actions` returns them; by_hand, as HistoryState has it; moment, the id of the latest entry of
    the history (empty: none), after which `follow_workflow` continues; removed, how many entries of the
    history were removed: entries, since, until (None: none); input; output (None unless it has finished);
    steps, each with the keys of `describe_steps`, input, output. Some steps also have:

    omitted    which of input and output are None because the values of all steps would have more bytes than
               MAX_INPUT_BYTES and MAX_OUTPUT_BYTES; `inspect_step` returns them
    uri, sink  of a resource
    items      of an iterated step that has started, as `add_items` describes them
    call       of a call that has started, as `add_calls` describes it
    progress   of a running step whose worker reports it: at, fraction (from 0 to 1), text
    waits_for  of a step that waits or will be retried: until (or None), event (its kind) with match, or latch
               (its name); of a running step whose task no live worker does also worker (the task), message
               (that nobody does it), hint (what to do), since (when the step started); of a step that a
               pause holds back only until (None) and pause, as `describe_pause` describes it

    With `history` also history, as `describe_history` returns it; with `flow` also flow, as `Flow.to_dict`
    returns it; with `size` also bytes, as `measure_workflows` returns them. Without `values`, leave out
    what may be large: input and output, parameters, literals of more than a few words, match, and all but
    the beginning of a reason. An item that has finished is described without steps, see
    `describe_finished_item`. Raises BadInput for the id, and NotFound.
    """
    id = parse_workflow_id(id)
    with store.connect() as connection:
        if (item := _find_finished_item(connection, id)) is not None:
            return _describe_item(connection, item, history=history, values=values, flow=flow)
        record = require_record(connection, id)
        own_flow = require_flow(connection, id)
        whole = read_whole_history(connection, id)
        state = HistoryState.of(whole)
        steps = describe_steps(own_flow, state, record)
        add_items(connection, own_flow, record, state, {step["index"]: step for step in steps})
        add_calls(connection, own_flow, record, {step["index"]: step for step in steps})
        _add_progress_and_waits(connection, id, record.run, steps)
        _add_missing_workers(connection, store.stream, own_flow, steps)
        pauses = read_pauses(connection)
        workflow = summarize(record, pauses)
        add_holds(connection, pauses, record, own_flow, steps)
        workflow["counts"]["total"] = own_flow.step_count
        workflow["deadline"] = iso_time(read_workflow_deadline(connection, id) or 0)
        workflow["warning"] = None if own_flow.part_end is not None else explain_unfinished(own_flow) or None
        workflow["actions"] = describe_actions(id, record.state, is_paused=id in pauses.workflows)
        workflow["by_hand"] = state.by_hand
        workflow["moment"] = whole.entries[-1].id if whole.entries else ""
        workflow["removed"] = summarize_removed(whole)
        if values:
            add_workflow_values(connection, record, own_flow, workflow, steps)
        else:
            _remove_values([workflow, *steps])
        if size:
            workflow["bytes"] = measure_workflows(connection, FlowCache(), [record])
    workflow["steps"] = steps
    if history:
        workflow["history"] = describe_history(whole)
    if flow:
        workflow["flow"] = own_flow.to_dict() if values else _outline(own_flow)
    return workflow


def measure_workflow(store: Store, id: str) -> int | None:
    """Return how many bytes of Redis a workflow takes, as `measure_workflows` does. Raises BadInput for the
    id, and NotFound."""
    id = parse_workflow_id(id)
    with store.connect() as connection:
        if _find_finished_item(connection, id) is not None:
            return 0  # its parent has its output
        return measure_workflows(connection, FlowCache(), [require_record(connection, id)])


def inspect_step(store: Store, id: str, index: int) -> dict[str, Any]:
    """Describe one step as `inspect_workflow` does with values, and with more keys.

    These are: parameters and guard (or None) from the flow; actions, as `describe_step_actions` returns them;
    attempts, the facts about the step but not about its items, oldest first, as `describe_history` describes
    them; evidence, as `load_step_evidence` returns it. Raises BadInput for the id; NotFound, also for an
    index outside the flow.
    """
    id = parse_workflow_id(id)
    with store.connect() as connection:
        record = require_record(connection, id)
        flow = require_flow(connection, id)
        if not flow.first <= index <= flow.last:
            raise NotFound(f"{id} has no step {index}", hint="lfr inspect shows the indices")
        history = read_whole_history(connection, id)
        state = HistoryState.of(history)
        step = next(step for step in describe_steps(flow, state, record) if step["index"] == index)
        add_items(connection, flow, record, state, {index: step})
        add_calls(connection, flow, record, {index: step})
        _add_progress_and_waits(connection, id, record.run, [step])
        _add_missing_workers(connection, store.stream, flow, [step])
        add_holds(connection, read_pauses(connection), record, flow, [step])
        add_step_values(step, flow, load_some_outputs(connection, id, [*flow.input_sources[index], index]))
        progress = load_step(connection, record, index)
        evidence = load_step_evidence(connection, id, index, step["attempt"])
    facts = describe_history(history)
    return {
        **step,
        "parameters": flow.steps[index].parameters,
        "guard": flow.steps[index].guard,
        "actions": describe_step_actions(id, flow, progress, index),
        "attempts": [
            fact
            for fact in facts
            if fact["event"] == "removed" or (fact["index"] == index and fact["item"] is None)
        ],
        "evidence": evidence,
    }


def read_flow_text(store: Store, id: str) -> str:
    """Read the flow text of a workflow, empty if none is stored; of an item, that of the workflow around it.
    Raises BadInput for the id, and NotFound."""
    id = parse_workflow_id(id)
    with store.connect() as connection:
        item = _find_finished_item(connection, id)
        record = require_record(connection, id) if item is None else item.parent
        id = record.id
        for _ in range(record.reference.count("/")):  # an item runs a part of the flow of its parent
            id = id.rpartition("/")[0]
        return load_text(connection, id)


def read_flow(store: Store, id: str) -> Flow:
    """Read the flow of a workflow; of an item, its part. Raises BadInput for the id, and NotFound."""
    id = parse_workflow_id(id)
    with store.connect() as connection:
        if (item := _find_finished_item(connection, id)) is not None:
            return item.parent_flow.part(item.id.index)
        require_record(connection, id)
        return require_flow(connection, id)


def list_history(store: Store, id: str, *, since: str = "") -> list[dict[str, Any]]:
    """Return a workflow's history as `describe_history` describes it, oldest first.

    With `since` (ISO 8601; empty: all), only the facts later than that. Raises BadInput and NotFound.
    """
    since_ms = parse_timestamp(since) if since else 0
    if since_ms is None:
        raise BadInput(f"since is {since[:40]!r}, which is no time", hint="as 2026-01-31T18:00:00Z")
    id = parse_workflow_id(id)
    with store.connect() as connection:
        if (item := _find_finished_item(connection, id)) is not None:
            return describe_end(item) if item.ended_ms > since_ms else []
        require_record(connection, id)
        if since:
            return describe_history(read_history_since(connection, id, max(0, since_ms)), since_ms)
        return describe_history(read_whole_history(connection, id))


def _find_finished_item(connection: Connection, id: str) -> FinishedItem | None:
    """Return an item of an iteration that has finished; None if it is something else, or has a record."""
    if not is_item(id) or load_records(connection, [id])[0] is not None:
        return None
    item = find_finished_item(connection, id)
    return item if item is not None and item.is_of_iteration else None


def _describe_item(
    connection: Connection, item: FinishedItem, *, history: bool, values: bool, flow: bool
) -> dict[str, Any]:
    workflow = describe_finished_item(connection, item, values=values)
    if not history:
        del workflow["history"]
    if flow:
        part = item.parent_flow.part(item.id.index)
        workflow["flow"] = part.to_dict() if values else _outline(part)
    return workflow


def require_record(connection: Connection, id: str) -> Record:
    """Read the record of a workflow. Raises NotFound if there is none. `id` has the prefix."""
    record = load_records(connection, [id])[0]
    if record is None:
        raise missing_workflow(connection, id)
    return record


def require_flow(connection: Connection, id: str) -> Flow:
    """Read the flow of a workflow. Raises NotFound if the workflow or its flow is not in Redis."""
    flow = load_flow(connection, FlowCache(), id)
    if flow is None:
        raise missing_workflow(connection, id)
    return flow


def _add_progress_and_waits(
    connection: Connection, id: str, run: str, steps: Iterable[dict[str, Any]]
) -> None:
    running = {step["index"]: step for step in steps if step["state"] == StepState.RUNNING}
    attempts = {index: step["attempt"] for index, step in running.items()}
    for index, progress in load_attempt_progress(connection, id, run, attempts).items():
        running[index]["progress"] = progress
    waiting = {index: attempts[index] for index in running if running[index]["base"].startswith(WAIT_PREFIX)}
    retried = {index: attempts[index] for index in running if running[index]["reason"]}
    for index, wait in describe_waits(connection, id, run, waiting, retried).items():
        running[index]["waits_for"] = wait


def add_holds(
    connection: Connection, pauses: Pauses, record: Record, flow: Flow, steps: Iterable[dict[str, Any]]
) -> None:
    """Say of the steps that a pause holds back that they wait for its end."""
    hold = load_holds(connection, pauses, [record.id]).get(record.id)
    if hold is None:
        return
    by_index = {step["index"]: step for step in steps}
    progress = load_steps(connection, record, list(by_index)).steps
    pauses_by_index = {
        index: pause
        for index in by_index
        if progress[index].active and (pause := hold.pause_of(flow.invocation_of(index))) is not None
    }
    attempts = [(record.id, index, progress[index].attempt, record.run) for index in pauses_by_index]
    for index, is_held in zip(pauses_by_index, read_held_starts(connection, attempts), strict=True):
        if is_held:
            by_index[index]["waits_for"] = {"until": None, "pause": describe_pause(pauses_by_index[index])}


def _add_missing_workers(
    connection: Connection, bus: str, flow: Flow, steps: Iterable[dict[str, Any]]
) -> None:
    """Say of the running steps whose task no live worker does that they wait for one."""
    running = [step for step in steps if step["state"] == StepState.RUNNING and not _is_delayed(step)]
    tasks = {step["index"]: task for step in running if (task := task_of(flow.steps[step["index"]]))}
    missing = find_missing_workers(connection, bus, tasks.values())
    for step in running:
        worker = missing.get(tasks.get(step["index"], ""))
        if worker is not None:
            reason = {"worker": worker.task, "message": worker.message, "hint": worker.hint}
            waits_for = step.get("waits_for", {"until": None})
            step["waits_for"] = {**waits_for, **reason, "since": step["started"]}


def _is_delayed(step: Mapping[str, Any]) -> bool:
    """Return whether the next attempt of a step has not started yet."""
    return step["reason"] is not None and "waits_for" in step


def load_attempt_progress(
    connection: Connection, id: str, run: str, attempts: Mapping[int, int]
) -> dict[int, dict[str, Any]]:
    """Read the progress that workers report for these attempts (step index -> attempt) of a workflow.

    `run` is that of its record. Return it by index: at, fraction (0 to 1), text; without steps whose attempt
    has no report.
    """
    return {
        index: {"at": iso_time(report["at"]), "fraction": report["fraction"], "text": report["text"]}
        for index, report in load_task_progress(connection, id, list(attempts)).items()
        if report["attempt"] == attempts[index] and report.get("run") in (run, "", None)
    }


def _remove_values(descriptions: Iterable[dict[str, Any]]) -> None:
    for description in descriptions:
        if description["reason"]:
            description["reason"] = description["reason"][:MAX_BRIEF]
        description.get("waits_for", {}).pop("match", None)


def _outline(flow: Flow) -> dict[str, Any]:
    """Return a flow without its values, except small literals: their steps are titled by them."""
    outline = flow.to_dict()
    outline.pop("parameters", None)
    for step in outline["steps"]:
        step.pop("parameters", None)
        if not _is_small(step.get("value")):
            del step["value"]
    return outline


def _is_small(value: Json) -> bool:
    if isinstance(value, dict):
        return len(value) <= _MAX_WORDS and all(map(_is_word, (*value, *value.values())))
    if isinstance(value, list):
        return len(value) <= _MAX_WORDS and all(map(_is_word, value))
    return _is_word(value)


def _is_word(value: Json) -> bool:
    return not isinstance(value, dict | list) and not (
        isinstance(value, str) and len(value) > _MAX_WORD_LENGTH
    )
