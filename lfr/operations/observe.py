"""What is known of workflows: one in full, a list, one followed until it ends."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from lfr import events
from lfr.drawing.labels import resource_title
from lfr.engine import What
from lfr.engine.inputs import WORKFLOW_INPUT, NoInput, gather
from lfr.errors import BadInput, NotFound
from lfr.flow import Flow, Json, Kind, Step
from lfr.operations.identify import full_id
from lfr.operations.observe_items import tell_items
from lfr.states import StepState, WorkflowState
from lfr.store.attempts import read_progress
from lfr.store.connection import Link, Store
from lfr.store.flows import FlowCache
from lfr.store.history import Moment, read_history, read_whole_history
from lfr.store.load import load_flow, load_outputs
from lfr.store.waits import read_waits
from lfr.store.workflows import Record, newest, read_records, source_of
from lfr.tasks.catalogue import WAIT

_STATE_AFTER = {
    What.STARTED: StepState.RUNNING,
    What.ENDED: StepState.DONE,
    What.PASSED: StepState.DONE,
    What.SKIPPED: StepState.SKIPPED,
    What.FAILED: StepState.FAILED,
    What.RETRIED: StepState.RUNNING,
}

_PAGE = 200
"""How many records a listing reads at a time."""


def inspect_workflow(store: Store, id: str, *, history: bool = False) -> dict[str, Any]:
    """All that is known of a workflow, as plain data; times in ISO 8601, UTC, or None.

    Keys: id, name, state, started, ended, input, output, reason, counts (steps by state), and steps:
    index, name, base, kind, state, started, ended, attempt, input, output, reason of each; of a resource
    also uri and sink; of an iterated step that has started also items, as `tell_items` gives them; of a
    running one also progress, if its worker tells of it: at, fraction (from 0 to 1), text; and of one that
    waits also waits_for: until (or None), event (its kind) with match, or latch (its name). With `history`
    also `history`: at, index (None: the workflow), item, event. Raises NotFound.
    """
    id = full_id(id)
    with store.link() as link:
        record = _record(link, id)
        flow = load_flow(link, FlowCache(), id)
        outputs = load_outputs(link, id)
        moments = read_whole_history(link, id)
        if flow is None:
            raise NotFound(f"the flow of {id} is gone from Redis")
        steps = _tell_steps(flow, outputs, moments, record)
        _tell_progress(link, id, steps)
        _tell_waits(link, id, steps)
    answer: dict[str, Any] = {
        **summary(record),
        "input": outputs.get(WORKFLOW_INPUT),
        "output": outputs.get(flow.last) if record.state is WorkflowState.FINISHED else None,
        "reason": record.reason or None,
        "counts": dict(Counter(step["state"] for step in steps)),
        "steps": steps,
    }
    if history:
        answer["history"] = list(_facts(moments))
    return answer


def list_workflows(
    store: Store, *, state: str | None = None, name: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Workflows, newest first: id, name, state, started, ended of each.

    `state` and `name` (of the flow) choose among them. Costs what it shows, if no name is given.
    Raises BadInput for a state that there is not.
    """
    if state is not None and state not in tuple(WorkflowState):
        raise BadInput(f"there is no state {state}", hint="one of " + ", ".join(WorkflowState))
    chosen = None if state is None else WorkflowState(state)
    found: list[dict[str, Any]] = []
    skip = 0
    with store.link() as link:
        while len(found) < limit:
            ids = newest(link, chosen, skip=skip, count=min(_PAGE, limit) if name is None else _PAGE)
            if not ids:
                break
            skip += len(ids)
            records = read_records(link, ids)
            found += [
                summary(record)
                for record in records
                if record is not None and (name is None or record.name == name)
            ]
    return found[:limit]


def read_source(store: Store, id: str) -> str:
    """The text of the flow that a workflow runs; of an item, that of its parent. Raises NotFound."""
    id = full_id(id)
    with store.link() as link:
        _record(link, id)
        return source_of(link, id.partition("/")[0])


def read_flow(store: Store, id: str) -> Flow:
    """The flow that a workflow runs. Raises NotFound."""
    id = full_id(id)
    with store.link() as link:
        flow = load_flow(link, FlowCache(), id)
    if flow is None:
        raise NotFound(f"there is no workflow {id}", hint="lfr list shows what there is")
    return flow


def read_facts(store: Store, id: str) -> list[dict[str, Any]]:
    """A workflow's history, oldest first: at, index (None: the workflow), item, event, reason of each.

    Raises NotFound.
    """
    id = full_id(id)
    with store.link() as link:
        _record(link, id)
        return list(_facts(read_whole_history(link, id)))


def follow_workflow(
    store: Store, id: str, *, timeout_seconds: float | None = None, tick_seconds: float | None = None
) -> Iterator[dict[str, Any]]:
    """Tell of a workflow at once, and at each change until it has ended or the time is over.

    With `tick_seconds`, tell as often as that also if nothing has changed.

    Each time: id, name, state, counts (total, running, done, skipped, failed) and the `changes` since
    the last: at, index, name, event, reason. Waits on the workflow's history, so it sees every
    change and polls nothing. (XREAD BLOCK) Raises NotFound.
    """
    id = full_id(id)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with store.link() as link:
        record, flow = _record(link, id), load_flow(link, FlowCache(), id)
        if flow is None:
            raise NotFound(f"the flow of {id} is gone from Redis")
        last = "0-0"
        moments = read_history(link, id)
        while True:
            last = moments[-1].id if moments else last
            record = _record(link, id)
            yield _news(record, flow, moments)
            if record.state.has_ended:
                return
            moments = []
            tick = math.inf if tick_seconds is None else time.monotonic() + tick_seconds
            while not moments and time.monotonic() < tick:
                left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
                if left <= 0:
                    return
                moments = read_history(link, id, after=last, block_ms=int(left * 1000))


def _record(link: Link, id: str) -> Record:
    record = read_records(link, [id])[0]
    if record is None:
        raise NotFound(f"there is no workflow {id}", hint="lfr list shows what there is")
    return record


def summary(record: Record) -> dict[str, Any]:
    """What a list tells of a workflow: id, name, state, started, ended."""
    return {
        "id": record.id,
        "name": record.name,
        "state": record.state.value,
        "started": _time(record.started_ms),
        "ended": _time(record.ended_ms),
    }


def _news(record: Record, flow: Flow, moments: list[Moment]) -> dict[str, Any]:
    changes = [
        {**fact, "name": "" if fact["index"] is None else _title(flow.steps[fact["index"]])}
        for fact in _facts(moments)
    ]
    return {
        "id": record.id,
        "name": record.name,
        "state": record.state.value,
        "counts": {
            "total": len(flow.own_steps),
            "running": record.active,
            "done": record.done,
            "skipped": record.skipped,
            "failed": record.failed,
        },
        "changes": changes,
    }


def _title(step: Step) -> str:
    return resource_title(step.uri, is_sink=step.sink) if step.kind is Kind.RESOURCE else step.name


def _facts(moments: list[Moment]) -> Iterator[dict[str, Any]]:
    """The history fact by fact. A step that started and ended at once is told as both."""
    for moment in moments:
        at = _time(moment.at_ms)
        for fact in moment.facts:
            reason = moment.reason or None if fact.what in (What.FAILED, What.RETRIED) else None
            words = ("started", "ended") if fact.what is What.PASSED else (fact.what.value,)
            for word in words:
                yield {"at": at, "index": fact.index, "item": fact.item, "event": word, "reason": reason}


def _tell_steps(
    flow: Flow, outputs: dict[int, Json], moments: list[Moment], record: Record
) -> list[dict[str, Any]]:
    told = {step.index: _untouched(step) for step in flow.own_steps}
    for moment in moments:
        at = _time(moment.at_ms)
        for fact in moment.facts:
            if fact.index is None or fact.item is not None:
                continue
            step = told[fact.index]
            step["state"] = _STATE_AFTER[fact.what].value
            if fact.what is What.RETRIED:
                step["reason"], step["attempt"] = moment.reason, fact.attempt
                continue
            if fact.what is not What.ENDED and not (fact.what is What.FAILED and step["started"]):
                step["started"], step["ended"], step["reason"] = at, None, None
            if fact.what is not What.STARTED:
                step["ended"] = at
            if fact.what is What.FAILED:
                step["ended"], step["reason"] = at, moment.reason
            step["attempt"] = fact.attempt
    for index, step in told.items():
        _tell_values(step, flow, outputs)
        if step["attempt"] and flow.steps[index].iterate and step["state"] != StepState.SKIPPED:
            step["items"] = tell_items(record, index, moments, step["input"])
        if step["state"] == StepState.RUNNING and record.state is WorkflowState.TERMINATED:
            step["state"] = StepState.PENDING.value  # a restart starts it again
    return list(told.values())


def _tell_progress(link: Link, id: str, steps: list[dict[str, Any]]) -> None:
    running = {step["index"]: step for step in steps if step["state"] == StepState.RUNNING}
    for index, told in read_progress(link, id, list(running)).items():
        if told["attempt"] == running[index]["attempt"]:
            said = {"at": _time(told["at"]), "fraction": told["fraction"], "text": told["text"]}
            running[index]["progress"] = said


def _tell_waits(link: Link, id: str, steps: list[dict[str, Any]]) -> None:
    waiting = [step for step in steps if step["state"] == StepState.RUNNING and step["base"].startswith(WAIT)]
    names = [(id, step["index"], step["attempt"]) for step in waiting]
    for step, wait in zip(waiting, read_waits(link, names), strict=True):
        if wait is not None:
            said: dict[str, Any] = {"until": None if wait.due_ms is None else _time(wait.due_ms)}
            if wait.event is not None:
                said |= {"event": wait.event.kind, "match": dict(wait.event.match)}
            if wait.latch is not None:
                said["latch"] = wait.latch
            step["waits_for"] = said


def _untouched(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "name": step.name,
        "base": step.task if step.kind is Kind.TASK else "",
        "kind": step.kind.value,
        **({"uri": step.uri, "sink": step.sink} if step.kind is Kind.RESOURCE else {}),
        "state": StepState.PENDING.value,
        "started": None,
        "ended": None,
        "attempt": 0,
        "input": None,
        "output": None,
        "reason": None,
    }


def _tell_values(step: dict[str, Any], flow: Flow, outputs: dict[int, Json]) -> None:
    if step["state"] == StepState.PENDING:
        return
    with suppress(NoInput):  # which is why it failed; the reason says so
        step["input"] = gather(flow, outputs.get, step["index"])
    if step["state"] != StepState.RUNNING:
        step["output"] = outputs.get(step["index"])


def _time(ms: int) -> str | None:
    return events.timestamp(ms / 1000) if ms else None
