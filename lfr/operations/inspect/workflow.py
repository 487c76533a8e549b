"""What is known of one workflow: all of it, one step, its flow, its text, its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from lfr.engine.step_inputs import WORKFLOW_INPUT, InputError, gather_input, input_sources
from lfr.errors import BadInput, NotFound
from lfr.flow import Flow
from lfr.operations.inspect.steps import add_items, tell_steps
from lfr.operations.inspect.summary import describe_facts, iso_time, summarize
from lfr.operations.permitted_actions import actions, step_actions
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import StepState, WorkflowState
from lfr.store.redis.connection import Connection, Store
from lfr.store.waits.registry import read_waits
from lfr.store.workflows.attempt_status import load_task_progress
from lfr.store.workflows.attempt_timers import read_delayed_starts
from lfr.store.workflows.commit import MAX_BRIEF
from lfr.store.workflows.history import HistoryEntry, read_whole_history
from lfr.store.workflows.load import FlowCache, Record
from lfr.store.workflows.queries import (
    load_flow,
    load_outputs,
    load_records,
    load_some_outputs,
    load_source,
    load_step,
)
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.values.json import Json
from lfr.values.times import parse_timestamp

_MOST_WORDS: Final = 6
_LONGEST_WORD: Final = 40
"""What a small value is: so many words at the most, none longer than so many characters."""


def inspect_workflow(
    store: Store, id: str, *, history: bool = False, values: bool = True, flow: bool = False
) -> dict[str, Any]:
    """All that is known of a workflow, as plain data; times in ISO 8601, UTC, or None.

    Keys: those of `summary`; actions: by action, why it cannot be done now, or None; moment, the id of the
    latest entry of its history (empty: none), behind which `follow_workflow` goes on; input, output; and
    steps: index, name, base, kind, state, started, ended, attempt, input, output, reason of each; of a
    resource also uri and sink; of an iterated step that has started also items, as `tell_items` gives them;
    of a running one also progress, if its worker tells of it: at, fraction (from 0 to 1), text; and of one
    that waits, or is to be tried again, also waits_for: until (or None), event (its kind) with match, or
    latch (its name). With `history` also `history`, as `describe_facts` gives it; with `flow` also `flow`, as
    `Flow.to_dict` does.

    Without `values`, what may be large is left out: input and output, parameters, literals of more than a
    few words, match, and more than the beginning of a reason. Raises NotFound.
    """
    id = parse_workflow_id(id)
    with store.connect() as connection:
        record = require_record(connection, id)
        runs = _flow_of(connection, id)
        moments = read_whole_history(connection, id)
        steps = tell_steps(runs, moments, record)
        add_items(connection, runs, record, moments, {step["index"]: step for step in steps})
        _add_news(connection, id, steps)
        told = {**summarize(record), "actions": actions(id, record.state), "moment": last_id(moments)}
        if values:
            outputs = load_outputs(connection, id)
            told["input"] = outputs.get(WORKFLOW_INPUT)
            told["output"] = outputs.get(runs.last) if record.state is WorkflowState.FINISHED else None
            for step in steps:
                _add_values(step, runs, outputs)
        else:
            _leave_out_values([told, *steps])
    told["counts"]["total"] = runs.size
    told["steps"] = steps
    if history:
        told["history"] = list(describe_facts(moments))
    if flow:
        told["flow"] = runs.to_dict() if values else _outline(runs)
    return told


def inspect_step(store: Store, id: str, index: int) -> dict[str, Any]:
    """All that is known of one step of a workflow: what `inspect_workflow` tells of it, and its parameters,
    guard (or None), actions: by action, why it cannot be done now, or None; and attempts: its starts and
    ends, oldest first, as `describe_facts` gives them. Raises NotFound.
    """
    id = parse_workflow_id(id)
    with store.connect() as connection:
        record = require_record(connection, id)
        flow = _flow_of(connection, id)
        if not flow.first <= index <= flow.last:
            raise NotFound(f"{id} has no step {index}", hint="lfr inspect shows the indices")
        moments = read_whole_history(connection, id)
        told = next(step for step in tell_steps(flow, moments, record) if step["index"] == index)
        add_items(connection, flow, record, moments, {index: told})
        _add_news(connection, id, [told])
        _add_values(told, flow, load_some_outputs(connection, id, [*input_sources(flow, index), index]))
        progress = load_step(connection, record, index)
    step = flow.steps[index]
    facts = describe_facts(moments)
    return {
        **told,
        "parameters": step.parameters,
        "guard": step.guard,
        "actions": step_actions(id, flow, progress, index),
        "attempts": [fact for fact in facts if fact["index"] == index and fact["item"] is None],
    }


def read_flow_text(store: Store, id: str) -> str:
    """The text of the flow that a workflow runs; of an item, that of its parent. Raises NotFound."""
    id = parse_workflow_id(id)
    with store.connect() as connection:
        require_record(connection, id)
        return load_source(connection, id.partition("/")[0])


def read_flow(store: Store, id: str) -> Flow:
    """The flow that a workflow runs. Raises NotFound."""
    id = parse_workflow_id(id)
    with store.connect() as connection:
        require_record(connection, id)
        return _flow_of(connection, id)


def list_history(store: Store, id: str, *, since: str = "") -> list[dict[str, Any]]:
    """Return a workflow's history, oldest first, as `describe_facts` gives it; only the facts since a time
    (ISO 8601), if there is one. Raises NotFound and BadInput."""
    since_ms = parse_timestamp(since) if since else 0
    if since_ms is None:
        raise BadInput(f"since is {since[:40]!r}, which is no time", hint="as 2026-01-31T18:00:00Z")
    id = parse_workflow_id(id)
    with store.connect() as connection:
        require_record(connection, id)
        return list(describe_facts(read_whole_history(connection, id, since_ms=max(0, since_ms))))


def require_record(connection: Connection, id: str) -> Record:
    """The record of a workflow. Raises NotFound."""
    record = load_records(connection, [id])[0]
    if record is None:
        raise NotFound(f"there is no workflow {id}", hint="lfr list shows what there is")
    return record


def last_id(moments: list[HistoryEntry]) -> str:
    """The id of the latest of these moments; empty if there is none."""
    return moments[-1].id if moments else ""


def _flow_of(connection: Connection, id: str) -> Flow:
    flow = load_flow(connection, FlowCache(), id)
    if flow is None:
        raise NotFound(f"the flow of {id} is gone from Redis")
    return flow


def _add_values(step: dict[str, Any], flow: Flow, outputs: Mapping[int, Json]) -> None:
    step["input"] = step["output"] = None
    if step["state"] == StepState.PENDING:
        return
    with suppress(InputError):  # which is why it failed; the reason says so
        step["input"] = gather_input(flow, outputs.get, step["index"])
    if step["state"] != StepState.RUNNING:
        step["output"] = outputs.get(step["index"])


def _add_news(connection: Connection, id: str, steps: Iterable[dict[str, Any]]) -> None:
    """Add to what runs how far it is, what it waits for, and when it is tried again."""
    running = {step["index"]: step for step in steps if step["state"] == StepState.RUNNING}
    for index, told in load_attempt_progress(
        connection, id, {i: step["attempt"] for i, step in running.items()}
    ).items():
        running[index]["progress"] = told
    _add_waits(connection, id, [step for step in running.values() if step["base"].startswith(WAIT_PREFIX)])
    _add_next_attempts(connection, id, [step for step in running.values() if step["reason"]])


def _add_waits(connection: Connection, id: str, waiting: list[dict[str, Any]]) -> None:
    names = [(id, step["index"], step["attempt"]) for step in waiting]
    for step, wait in zip(waiting, read_waits(connection, names), strict=True):
        if wait is not None:
            said: dict[str, Any] = {"until": None if wait.due_ms is None else iso_time(wait.due_ms)}
            if wait.pattern is not None:
                said |= {"event": wait.pattern.kind, "match": dict(wait.pattern.match)}
            if wait.latch is not None:
                said["latch"] = wait.latch
            step["waits_for"] = said


def _add_next_attempts(connection: Connection, id: str, failed: list[dict[str, Any]]) -> None:
    names = [(id, step["index"], step["attempt"] + 1) for step in failed]
    for step, due_ms in zip(failed, read_delayed_starts(connection, names), strict=True):
        if due_ms is not None:
            step["waits_for"] = {"until": iso_time(due_ms)}


def load_attempt_progress(
    connection: Connection, id: str, attempts: Mapping[int, int]
) -> dict[int, dict[str, Any]]:
    """How far these attempts, by index, are as their workers tell: at, fraction (from 0 to 1), text."""
    return {
        index: {"at": iso_time(told["at"]), "fraction": told["fraction"], "text": told["text"]}
        for index, told in load_task_progress(connection, id, list(attempts)).items()
        if told["attempt"] == attempts[index]
    }


def _leave_out_values(told: Iterable[dict[str, Any]]) -> None:
    for each in told:
        if each["reason"]:
            each["reason"] = each["reason"][:MAX_BRIEF]
        each.get("waits_for", {}).pop("match", None)


def _outline(flow: Flow) -> dict[str, Any]:
    """A flow without its values, but for literals of a few words, which are what their steps are known by."""
    data = flow.to_dict()
    data.pop("parameters", None)
    for step in data["steps"]:
        step.pop("parameters", None)
        if not _is_small(step.get("value")):
            del step["value"]
    return data


def _is_small(value: Json) -> bool:
    """Whether a value is told in a few words."""
    if isinstance(value, dict | list):
        inner = list(value.values() if isinstance(value, dict) else value)[:_MOST_WORDS]
        names = value if isinstance(value, dict) else ()
        return len(value) < _MOST_WORDS and all(_is_word(each) for each in (*names, *inner))
    return _is_word(value)


def _is_word(value: Json) -> bool:
    return not isinstance(value, dict | list) and not (isinstance(value, str) and len(value) > _LONGEST_WORD)
