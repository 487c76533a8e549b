"""Decides from the facts about a running step why it stands. Pure: `facts.py` loads the facts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lfr.operations.explain.cause import Cause, CauseKind, format_since, format_until
from lfr.operations.workers import MissingWorker
from lfr.states import WorkflowState
from lfr.store.queues.task_position import MAX_AHEAD, TaskPosition
from lfr.store.waits.latch_holders import HeldLatch
from lfr.tasks.wait_spec import EventPattern, Wait
from lfr.values.json import Json
from lfr.values.texts import cut_json
from lfr.values.times import format_at, format_span

_MAX_NAMED: Final = 3
"""How many workflows or fields a text names."""

_MAX_JSON: Final = 200

_RESTARTABLE: Final = (WorkflowState.FAILED, WorkflowState.TERMINATED)

_LATE_MS: Final = 2000
"""How late the clock may end a wait, or start an attempt, before somebody counts as behind."""


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event of the kind that a step waits for, which does not fit: when it came, and the fields in which
    it differs from the match (None: it lacks the field)."""

    at_ms: int
    fields: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class LatchFacts:
    """The latch that a step waits for: `states`, of its holders, by id (None: deleted); `circle`: workflows
    that wait for each other's latches, from the own one on, each with the latch that it waits for."""

    latch: HeldLatch
    states: Mapping[str, str | None]
    circle: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """The group that does a task: how many live processes it has, how many tasks these have in work."""

    name: str
    processes: int
    in_work: int


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """The items of an iterated step; total None: not known yet. `limit`: how many may run at once."""

    total: int | None
    begun: int
    done: int
    failed: int
    limit: int
    first: str = ""  # why the first item that is open stands


@dataclass(frozen=True, slots=True)
class CallFacts:
    """The stored flow that a step calls, and the child that runs it, with its state; None: it has not
    begun."""

    flow: str
    child: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What is known about a step that runs; times are in milliseconds since the epoch, by the clock of Redis.

    reason      why the attempt before failed; empty: this is the first, or it was started by hand
    retry_ms    when the next attempt starts; None: it is not delayed
    timeout_ms  when the attempt fails because it took too long; None: never
    has_result  whether its result is there, and no lifecycle has processed it
    usual       how many seconds it took in other workflows: the median; None: too few are known
    worker      who has its task, such as `pid 7 on host a`; empty: that process is gone
    last_seen   when and by whom the task was done last, as far as that is known
    """

    id: str
    index: int
    task: str
    now_ms: int
    started_ms: int
    has_lifecycle: bool
    lease_seconds: float
    reason: str = ""
    retry_ms: int | None = None
    timeout_ms: int | None = None
    has_result: bool = False
    results: int = 0
    wait: Wait | None = None
    other_event: OtherEvent | None = None
    latch: LatchFacts | None = None
    missing: MissingWorker | None = None
    last_seen: str = ""
    position: TaskPosition | None = None
    group: GroupFacts | None = None
    worker: str = ""
    is_own_worker: bool = True
    usual: float | None = None
    items: ItemFacts | None = None
    call: CallFacts | None = None


def explain_running(facts: StepFacts) -> Cause:
    """Return why a running step has not ended: the one cause that is to go first."""
    if facts.has_result:
        return _result_waits(facts)
    if facts.items is not None:
        return _items(facts, facts.items)
    if facts.retry_ms is not None:
        return _retry(facts, facts.retry_ms)
    if facts.call is not None:
        return _call(facts, facts.call)
    if facts.missing is not None:
        return _no_worker(facts, facts.missing)
    if facts.wait is not None:
        return _wait(facts, facts.wait)
    if facts.position is not None:
        return _position(facts, facts.position)
    if facts.task.startswith("request:"):
        text = f"{facts.task} was sent; a server is to report its end{_timeout(facts)}"
        return Cause(CauseKind.SERVER, text, f"{_end(facts)} reports it instead")
    if facts.task.startswith("wait:"):
        text = f"the wait role has not read the task, which was sent {_since(facts)}"
        return Cause(CauseKind.QUEUED, text, "start another one if this lasts: lfr wait")
    text = f"its task, sent {_since(facts)}, stands in no queue, and its result has not come{_timeout(facts)}"
    cure = f"if no foreign worker has it: lfr retry {facts.id} {facts.index} sends it again"
    return Cause(CauseKind.LOST, text, cure)


def _result_waits(facts: StepFacts) -> Cause:
    if not facts.has_lifecycle:
        text = "its result is there, but no lifecycle runs that would take it"
        return Cause(CauseKind.NO_LIFECYCLE, text, "lfr lifecycle")
    text = f"its result is there, and waits for the lifecycles with {_count(facts.results - 1, 'other')}"
    return Cause(CauseKind.SLOW_LIFECYCLE, text, "start another one if this lasts: lfr lifecycle")


def _retry(facts: StepFacts, retry_ms: int) -> Cause:
    if retry_ms < facts.now_ms - _LATE_MS:
        text = f"its next attempt was due at {format_at(retry_ms)}; the last one failed: {facts.reason}"
        if not facts.has_lifecycle:
            return Cause(
                CauseKind.NO_LIFECYCLE, f"no lifecycle runs that would start it: {text}", "lfr lifecycle"
            )
        return Cause(CauseKind.SLOW_LIFECYCLE, text, "start another lifecycle if this lasts: lfr lifecycle")
    text = f"its last attempt failed, and the next one is delayed {format_until(retry_ms, facts.now_ms)}: "
    cure = f"lfr retry {facts.id} {facts.index} starts it now"
    return Cause(CauseKind.RETRY, text + facts.reason, cure)


def _no_worker(facts: StepFacts, missing: MissingWorker) -> Cause:
    last = f"; {facts.last_seen}" if facts.last_seen else ""
    text = f"{missing.message}: it waits {_since(facts)}{last}{_timeout(facts)}"
    return Cause(CauseKind.NO_WORKER, text, missing.hint)


def _position(facts: StepFacts, position: TaskPosition) -> Cause:
    if not position.consumer:
        return _queued(facts, position)
    times = f", handed out {position.deliveries} times" if position.deliveries > 1 else ""
    if facts.is_own_worker and not facts.worker:
        rest = facts.lease_seconds - position.idle_ms / 1000
        text = f"the worker that had {facts.task} is gone ({position.consumer}); its lease ends "
        text += f"in {format_span(rest)}" if rest >= 1 else "now"
        return Cause(CauseKind.WORKER_GONE, text, f"another worker of {position.group} then takes it over")
    worker = facts.worker or f"{position.consumer}, a foreign worker,"
    usual = "" if facts.usual is None else f"; it usually takes {_seconds(facts.usual)}"
    text = (
        f"{worker} of the group {position.group} works on it{times}, {_since(facts)}{usual}{_timeout(facts)}"
    )
    cure = f"if it hangs: lfr retry {facts.id} {facts.index} starts another attempt"
    return Cause(CauseKind.HELD, text, cure)


def _queued(facts: StepFacts, position: TaskPosition) -> Cause:
    many = position.ahead >= MAX_AHEAD
    ahead = f"{MAX_AHEAD:,} or more others" if many else _count(position.ahead, "other")
    if not position.group:
        text = f"{facts.task} waits on the bus {_since(facts)}, and no foreign group has read it yet"
        return Cause(CauseKind.QUEUED, text, "a foreign worker, or lfr tasks FILE.py, has to do it")
    workers, in_work = (facts.group.processes, facts.group.in_work) if facts.group else (0, 0)
    busy = (
        f"{_count(workers, 'process', 'processes')} of {position.group}, busy with {_count(in_work, 'task')}"
    )
    text = (
        f"it stands in the queue of {position.group} behind {ahead} {_since(facts)}: {busy}{_timeout(facts)}"
    )
    return Cause(CauseKind.QUEUED, text, "start more workers, or let them do more at once: --concurrency")


def _wait(facts: StepFacts, wait: Wait) -> Cause:
    if wait.due_ms is not None and wait.due_ms < facts.now_ms - _LATE_MS:
        text = f"it was due at {format_at(wait.due_ms)}: the wait role is behind"
        return Cause(CauseKind.DUE, text, "start another one if this lasts: lfr wait")
    until = "" if wait.due_ms is None else f", {format_until(wait.due_ms, facts.now_ms)}"
    if wait.pattern is not None:
        return _event(facts, wait.pattern, until)
    if facts.latch is not None:
        return _latch(facts, facts.latch)
    cure = f"lfr skip {facts.id} {facts.index} goes on at once"
    return Cause(CauseKind.DELAY, f"it is delayed{until.removeprefix(',')}", cure)


def _event(facts: StepFacts, pattern: EventPattern, until: str) -> Cause:
    match = dict(pattern.match)
    fields = f" with {cut_json(match, _MAX_JSON)}" if match else ""
    text = f"it waits for the event {pattern.kind}{fields} {_since(facts)}{until}"
    if facts.other_event is not None:
        other = facts.other_event
        fields = cut_json(other.fields, _MAX_JSON)
        text += f"; an event {pattern.kind} came at {format_at(other.at_ms)}, but with {fields}"
    elif until == "":
        text += ", for any time"
    return Cause(CauseKind.EVENT, text, f"lfr event {shlex.quote(pattern.kind)}{_data(match)} sends it")


def _latch(facts: StepFacts, latch: LatchFacts) -> Cause:
    name, count = latch.latch.name, latch.latch.count
    reset = f"lfr latches reset {shlex.quote(name)}"
    if count is None:
        return Cause(CauseKind.LATCH, f"the latch {name} holds no number: another program wrote it", reset)
    if latch.circle:
        waits = [f"{id} waits for the latch {awaited}" for id, awaited in latch.circle]
        holders = [id for id, _ in latch.circle[1:]] + [latch.circle[0][0]]
        parts = [f"{wait}, which {holder} holds" for wait, holder in zip(waits, holders, strict=True)]
        text = f"workflows wait for each other in a circle: {'; '.join(parts)}"
        if len(latch.circle) == 1:
            text = f"it waits for the latch {name}, which its own workflow holds: it waits for itself"
        # Without its count, a latch would fail the step that releases it; a terminated holder keeps it.
        return Cause(CauseKind.CIRCLE, text, f"lfr skip {facts.id} {facts.index} goes on at once")
    text = f"it waits {_since(facts)} for the latch {name}, which is at {count}"
    if not latch.states:
        return Cause(CauseKind.LATCH, f"{text}; who holds it is not known", f"{reset}, if its holder is gone")
    text += f" and held by {_holders(latch)}"
    living = [id for id, state in latch.states.items() if state == WorkflowState.RUNNING]
    if living:
        return Cause(CauseKind.LATCH, text, f"lfr why {living[0]} says why that one has not released it")
    failed = [id for id, state in latch.states.items() if state in _RESTARTABLE]
    if failed:
        return Cause(CauseKind.LATCH, text, f"lfr restart {failed[0]}, so that it releases it; or {reset}")
    return Cause(CauseKind.LATCH, f"{text}: nobody will release it", reset)


def _holders(latch: LatchFacts) -> str:
    named = [f"{id} ({state or 'deleted'})" for id, state in list(latch.states.items())[:_MAX_NAMED]]
    more = len(latch.states) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _items(facts: StepFacts, items: ItemFacts) -> Cause:
    if items.total is None:
        text = f"its items have not begun {_since(facts)}"
        if not facts.has_lifecycle:
            return Cause(CauseKind.NO_LIFECYCLE, f"no lifecycle runs: {text}", "lfr lifecycle")
        return Cause(CauseKind.SLOW_LIFECYCLE, text, "start another one if this lasts: lfr lifecycle")
    running = items.begun - items.done - items.failed
    text = f"{items.done} of {_count(items.total, 'item')} are done, {running} run"
    text += f", {items.failed} failed" if items.failed else ""
    if items.begun < items.total and running >= items.limit:
        text += f", and no more than {items.limit} may at once (lfr.limit, iterate.limit)"
    elif items.begun < items.total and not facts.has_lifecycle:
        return Cause(CauseKind.NO_LIFECYCLE, f"{text}; no lifecycle begins the others", "lfr lifecycle")
    text += f"; {items.first}" if items.first else ""
    return Cause(CauseKind.ITEMS, text, "see why each item stands")


def _call(facts: StepFacts, call: CallFacts) -> Cause:
    if call.child is not None:
        text = f"the flow {call.flow} that it calls, {call.child}, is {call.state}"
        return Cause(CauseKind.CALL, text + _timeout(facts), f"lfr why {call.child} says more")
    text = f"it calls the flow {call.flow}, which has not begun {_since(facts)}"
    if not facts.has_lifecycle:
        return Cause(CauseKind.NO_LIFECYCLE, f"no lifecycle runs: {text}", "lfr lifecycle")
    return Cause(CauseKind.SLOW_LIFECYCLE, text, "start another one if this lasts: lfr lifecycle")


def _timeout(facts: StepFacts) -> str:
    return "" if facts.timeout_ms is None else f"; it fails at {format_at(facts.timeout_ms)} otherwise"


def _since(facts: StepFacts) -> str:
    return format_since(facts.started_ms, facts.now_ms)


def _end(facts: StepFacts) -> str:
    return f"lfr end {facts.id} {facts.index}"


def _data(fields: Mapping[str, Json]) -> str:
    return f" --data {shlex.quote(json.dumps(fields, ensure_ascii=False))}" if fields else ""


def _seconds(seconds: float) -> str:
    return f"{seconds:.1g} s" if seconds < 1 else format_span(seconds)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
