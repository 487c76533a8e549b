"""Loads the facts about running steps from which `step.py` decides why they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, Final

from lfr.engine.transition import FactKind
from lfr.flow import Flow
from lfr.item_ids import is_item, root_workflow
from lfr.operations.explain.circles import find_circle
from lfr.operations.explain.step import CallFacts, GroupFacts, ItemFacts, LatchFacts, OtherEvent, StepFacts
from lfr.operations.workers import explain_absence, task_of
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.queues.backlog import count_waiting
from lfr.store.queues.task_position import TaskPosition, count_in_work, find_task_position, read_results
from lfr.store.queues.workforce import read_lapses, read_workforce
from lfr.store.redis.connection import Connection, Store
from lfr.store.waits.event_buffer import read_buffered_events
from lfr.store.waits.latch_holders import HeldLatch, read_held_latches
from lfr.store.waits.registry import read_waits
from lfr.store.workflows.attempt_timers import read_delayed_starts
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.history import read_history
from lfr.store.workflows.items import load_item_counts, load_open_items
from lfr.store.workflows.queries import load_flow, load_range, load_records, load_running_steps
from lfr.store.workflows.record import Record
from lfr.tasks.catalogue import COUNTDOWN, WAIT_PREFIX
from lfr.tasks.wait_spec import EventPattern
from lfr.values.stream_id import StreamId
from lfr.values.times import format_at, parse_timestamp

LIFECYCLE_ROLES: Final = ("lifecycle", "worker")

_MAX_OTHER_EVENTS: Final = 50
_MAX_HOLDERS: Final = 20

_SAMPLE_PAGE: Final = 100
_MAX_SAMPLES: Final = 10
_LEAST_SAMPLES: Final = 3
"""Of how many workflows that have finished the same flow the durations of a step are read."""


class FactsLoader:
    """Loads facts, all of about the same time. Reads once what concerns the installation as a whole."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._settings = store.settings
        self._bus = store.stream
        self._connection = connection
        self._flows = FlowCache()
        self._workforce = read_workforce(connection, store.stream)
        self._results = read_results(connection)

    @property
    def now_ms(self) -> int:
        """The time of Redis."""
        return self._workforce.now_ms

    @property
    def has_lifecycle(self) -> bool:
        """Whether a lifecycle is alive."""
        return self._workforce.runs_role(*LIFECYCLE_ROLES)

    def load(self, record: Record, flow: Flow, step: Mapping[str, Any]) -> StepFacts:
        """Return the facts about a running step, which `describe_steps` describes, with its items."""
        index, task = step["index"], task_of(flow.steps[step["index"]])
        started_ms = parse_timestamp(step["started"]) or record.started_ms
        timeout = flow.invocation_of(index).options.timeout
        attempt = (record.id, index, step["attempt"], record.run)
        common = StepFacts(
            id=record.id,
            index=index,
            task=task,
            now_ms=self.now_ms,
            started_ms=started_ms,
            has_lifecycle=self.has_lifecycle,
            lease_seconds=self._settings.tasks_lease_seconds,
            reason=step["reason"] or "",
            timeout_ms=None if timeout is None else started_ms + round(1000 * timeout),
            has_result=attempt[:3] in self._results.attempts,
            results=self._results.count,
        )
        if common.has_result:
            return common
        if flow.steps[index].iterate:
            return self._with_items(common, flow, step)
        [retry_ms] = read_delayed_starts(self._connection, [(*attempt[:2], attempt[2] + 1, record.run)])
        if step["reason"] and retry_ms is not None:
            return replace(common, retry_ms=retry_ms)
        if flow.steps[index].is_call:
            call = step["call"]
            return replace(common, call=CallFacts(call["flow"], call["id"], call["state"]))
        if task.startswith(WAIT_PREFIX):
            return self._with_wait(common, attempt)
        return self._with_position(common, record, attempt)

    def _with_items(self, facts: StepFacts, flow: Flow, step: Mapping[str, Any]) -> StepFacts:
        counts = load_item_counts(self._connection, facts.id, [facts.index]).get(facts.index)
        limit = flow.invocation_of(facts.index).options.limit or self._settings.iterate_limit
        limit = min(limit, self._settings.iterate_limit)
        if counts is None:
            return replace(facts, items=ItemFacts(None, 0, 0, 0, limit))
        failed = step["items"]["failed"] if "items" in step else 0
        return replace(facts, items=ItemFacts(counts.total, counts.begun, counts.done, failed, limit))

    def _with_wait(self, facts: StepFacts, attempt: tuple[str, int, int, str]) -> StepFacts:
        missing = explain_absence(self._workforce, facts.task)
        [wait] = read_waits(self._connection, [attempt])
        if missing is not None or wait is None:
            return replace(facts, missing=missing, wait=wait)
        if wait.pattern is not None:
            since_ms = min(facts.started_ms, StreamId.parse(wait.entry_id).ms)
            other = self._find_other_event(wait.pattern, since_ms)
            return replace(facts, wait=wait, other_event=other)
        latch = None if wait.latch is None else self._load_latch(facts.id, wait.latch)
        return replace(facts, wait=wait, latch=latch)

    def _find_other_event(self, pattern: EventPattern, since_ms: int) -> OtherEvent | None:
        """Return the event that has come since then and differs in the fewest fields, the latest of these."""
        events = read_buffered_events(self._connection, pattern.kind, count=_MAX_OTHER_EVENTS)
        others = [
            OtherEvent(
                StreamId.parse(event.id).ms,
                {
                    name: event.fields.get(name)
                    for name, value in pattern.match.items()
                    if event.fields.get(name) != value
                },
            )
            for event in events
            if StreamId.parse(event.id).ms >= since_ms
        ]
        return min(
            (other for other in others if other.fields), key=lambda each: len(each.fields), default=None
        )

    def _load_latch(self, id: str, name: str) -> LatchFacts:
        latch = self._read_latch(name)
        ids = list(latch.holders)[:_MAX_HOLDERS]
        records = load_records(self._connection, ids, for_list=True)
        states = {
            id: None if each is None else each.state.value for id, each in zip(ids, records, strict=True)
        }
        own = root_workflow(id)
        circle: Sequence[tuple[str, str]] = ()
        if name in self._blocking_latches(own):
            circle = find_circle(own, name, self._find_holders, self._blocking_latches)
        return LatchFacts(latch, states, circle)

    def _read_latch(self, name: str) -> HeldLatch:
        return read_held_latches(self._connection, [name])[name]

    def _find_holders(self, name: str) -> Iterable[str]:
        return dict.fromkeys(map(root_workflow, list(self._read_latch(name).holders)[:_MAX_HOLDERS]))

    def _blocking_latches(self, id: str) -> list[str]:
        """Return the latches for which a workflow waits, its items included; none if one of its steps does
        something else: it may release a latch then."""
        flow = load_flow(self._connection, self._flows, id)
        record = load_records(self._connection, [id], for_list=True)[0]
        if flow is None or record is None or record.state is not WorkflowState.RUNNING:
            return []
        latches: list[str] = []
        for index, attempt in load_running_steps(self._connection, id).items():
            names = self._latches_of_step(flow, record, index, attempt)
            if not names:
                return []
            latches += names
        return list(dict.fromkeys(latches))

    def _latches_of_step(self, flow: Flow, record: Record, index: int, attempt: int) -> list[str]:
        step = flow.steps[index]
        if step.has_children:
            counts = load_item_counts(self._connection, record.id, [index]).get(index)
            items = load_open_items(self._connection, record.id, index, counts) if counts else []
            blocked = [self._blocking_latches(str(item)) for item in items[:_MAX_HOLDERS]]
            return [name for names in blocked for name in names] if all(blocked) else []
        if step.task != COUNTDOWN:
            return []
        [wait] = read_waits(self._connection, [(record.id, index, attempt, record.run)])
        return [wait.latch] if wait is not None and wait.latch is not None else []

    def _with_position(
        self, facts: StepFacts, record: Record, attempt: tuple[str, int, int, str]
    ) -> StepFacts:
        workforce, task = self._workforce, facts.task
        group = workforce.claims.group_of(task)
        position = find_task_position(self._connection, self._bus, group, attempt, facts.started_ms)
        missing = explain_absence(workforce, task)
        if missing is not None and (position is None or not position.consumer):
            lengths, counts = count_waiting(self._connection, [group] if group else [], [task])
            if position is not None or lengths.get(group or "") or counts.get(task):
                return replace(facts, missing=missing, last_seen=self._last_seen(task, group))
        if position is None:
            return facts
        is_own = position.group in workforce.worker_groups()
        in_work = count_in_work(self._connection, [position.group])[position.group] if is_own else 0
        processes = len(workforce.processes(position.group))
        return replace(
            facts,
            position=position,
            group=GroupFacts(position.group, processes, in_work),
            worker=self._find_worker(position),
            is_own_worker=is_own,
            missing=missing if missing and is_own and not processes else None,
            last_seen=self._last_seen(task, group),
            usual=self._usual_seconds(record, facts.index) if position.consumer else None,
        )

    def _find_worker(self, position: TaskPosition) -> str:
        """Return the live process whose consumer has a task, in words; empty: there is none. The name of a
        consumer is HOST-PID-NUMBER."""
        host, _, pid = position.consumer.rpartition("-")[0].rpartition("-")
        for each in self._workforce.processes(position.group):
            if (each.process.host, str(each.process.pid)) == (host, pid):
                return f"{each.process.name}, pid {pid} on {host},"
        return ""

    def _last_seen(self, task: str, group: str | None) -> str:
        """Return in words who did a task last, and when, as far as Redis still knows it."""
        if service := self._workforce.served_tasks.get(task):
            return f"the group {service.group} did one last at {format_at(service.at_ms)}"
        if group is not None and not self._workforce.processes(group):
            lapses = read_lapses(self._connection, [group])[group]
            silent = max(0.0, self._settings.tasks_forget_seconds - lapses)
            last_ms = self.now_ms - round(1000 * silent)
            return f"the group {group} did it, and was last alive at about {format_at(last_ms)}"
        if task in self._workforce.foreign_tasks:
            return f"a foreign worker ended one at {format_at(self._workforce.foreign_tasks[task])}"
        return ""

    def _usual_seconds(self, record: Record, index: int) -> float | None:
        """Return how long a step took in other workflows of the same flow that have finished lately: the
        median; None if these are fewer than three. Reads up to ten histories."""
        if is_item(record.id):
            return None
        page = load_range(self._connection, keys.flow_index(record.name), None, count=_SAMPLE_PAGE)
        others = load_records(self._connection, [id for _, id in page], for_list=True) if page else []
        same = [each.id for each in others if each is not None and _is_finished(each, record.reference)]
        seconds = [
            duration for id in same[:_MAX_SAMPLES] if (duration := self._duration_of(id, index)) is not None
        ]
        return median(seconds) if len(seconds) >= _LEAST_SAMPLES else None

    def _duration_of(self, id: str, index: int) -> float | None:
        started_ms = None
        for entry in read_history(self._connection, id):
            for fact in entry.facts:
                if fact.index != index or fact.item is not None:
                    continue
                if fact.kind is FactKind.STARTED:
                    started_ms = entry.at_ms
                elif fact.kind is FactKind.ENDED and started_ms is not None:
                    return (entry.at_ms - started_ms) / 1000
        return None


def _is_finished(record: Record, reference: str) -> bool:
    return record.state is WorkflowState.FINISHED and record.reference == reference
