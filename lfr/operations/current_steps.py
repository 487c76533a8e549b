"""Says what running workflows do now, for lists: a step of each, since when, where, or what it waits for.

What a page costs does not depend on how long its workflows have run: of each history it reads the latest
entries, and of all else one command for each workflow, all workflows at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lfr.engine.transition import FactKind
from lfr.flow import Flow, Step
from lfr.operations.workers import MissingWorker, select_missing, task_of
from lfr.states import WorkflowState
from lfr.store.queues.task_position import read_consumers
from lfr.store.queues.workforce import Workforce, read_workforce
from lfr.store.redis.connection import Connection
from lfr.store.waits.registry import read_waits
from lfr.store.workflows.attempt_timers import read_delayed_starts
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.history import HistoryEntry, read_latest_entries
from lfr.store.workflows.record import Record
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.tasks.wait_spec import Wait
from lfr.values.times import iso_time

_LATEST: Final = 30
"""How many entries at the end of a history are read."""


@dataclass(frozen=True, slots=True)
class _RunningStep:
    """A step that runs: of which workflow, since when, and whether its latest attempt has failed."""

    record: Record
    index: int
    attempt: int
    since_ms: int
    is_retried: bool

    @property
    def attempt_id(self) -> tuple[str, int, int, str]:
        """Return its attempt; if that has failed, the next one."""
        return self.record.id, self.index, self.attempt + self.is_retried, self.record.run


def describe_current_steps(
    connection: Connection, bus: str, flows: FlowCache, records: Sequence[Record]
) -> dict[str, dict[str, Any]]:
    """Describe one step of each workflow that runs, by the workflow's id: one that no worker does, or else
    the one that has run longest. A workflow is left out if its latest entries start no step that still runs.

    Keys: index, step (its name), task; since; until (None: open), when what it waits for is due; text, what
    it does in words; host, on which it runs (None: it runs on none, or that is not known). The number of
    round trips does not depend on the number of workflows. (LRANGE, GET, ZSCORE, XPENDING and others)
    """
    running = [record for record in records if record.state is WorkflowState.RUNNING]
    if not running:
        return {}
    histories = read_latest_entries(connection, [record.id for record in running], count=_LATEST)
    loaded = flows.fetch(connection, {record.reference for record in running})
    steps = [
        (step, loaded[record.reference].steps[step.index])
        for record, entries in zip(running, histories, strict=True)
        if record.reference in loaded
        for step in _find_running(record, entries, loaded[record.reference])
    ]
    workforce = read_workforce(connection, bus)
    tasks = {task for _, of_flow in steps if (task := task_of(of_flow))}
    missing = select_missing(connection, workforce, tasks)
    chosen: dict[str, tuple[_RunningStep, Step]] = {}
    for step, of_flow in sorted(steps, key=lambda pair: (task_of(pair[1]) not in missing, pair[0].since_ms)):
        chosen.setdefault(step.record.id, (step, of_flow))
    return _describe(connection, workforce, missing, list(chosen.values()))


def _find_running(record: Record, entries: Sequence[HistoryEntry], flow: Flow) -> list[_RunningStep]:
    """Return the steps that run, of those of which these entries, the latest of a history, say anything."""
    steps: dict[int, _RunningStep] = {}
    for entry in entries:
        for fact in entry.facts:
            if fact.index is None or fact.item is not None or fact.index >= len(flow.steps):
                continue
            if fact.kind in (FactKind.STARTED, FactKind.RETRIED):
                is_retried = fact.kind is FactKind.RETRIED
                steps[fact.index] = _RunningStep(record, fact.index, fact.attempt, entry.at_ms, is_retried)
            else:
                steps.pop(fact.index, None)
    return list(steps.values())


def _describe(
    connection: Connection,
    workforce: Workforce,
    missing: Mapping[str, MissingWorker],
    steps: Sequence[tuple[_RunningStep, Step]],
) -> dict[str, dict[str, Any]]:
    ids = [step.attempt_id for step, _ in steps]
    waits = read_waits(connection, ids)
    delayed = read_delayed_starts(connection, ids)
    groups = [workforce.claims.group_of(task_of(of_flow)) or "" for _, of_flow in steps]
    consumers = read_consumers(
        connection, [(group, step.since_ms) for group, (step, _) in zip(groups, steps, strict=True)]
    )
    descriptions: dict[str, dict[str, Any]] = {}
    for (step, of_flow), wait, due_ms, names in zip(steps, waits, delayed, consumers, strict=True):
        task = task_of(of_flow)
        host = names[0].rpartition("-")[0].rpartition("-")[0] if len(set(names)) == 1 else None
        until_ms = due_ms if wait is None else wait.due_ms
        descriptions[step.record.id] = {
            "index": step.index,
            "step": of_flow.name or task or of_flow.kind.value,
            "task": task,
            "since": iso_time(step.since_ms),
            "until": None if until_ms is None else iso_time(until_ms),
            "text": _text(step, of_flow, wait, missing.get(task), host),
            "host": host or None,
        }
    return descriptions


def _text(
    step: _RunningStep, of_flow: Step, wait: Wait | None, missing: MissingWorker | None, host: str | None
) -> str:
    if step.is_retried:
        return "waits for its next attempt"
    if missing is not None:
        return missing.message
    if wait is not None and wait.pattern is not None:
        return f"waits for the event {wait.pattern.kind}"
    if wait is not None and wait.latch is not None:
        return f"waits for the latch {wait.latch}"
    if wait is not None or task_of(of_flow).startswith(WAIT_PREFIX):
        return "waits"
    if of_flow.is_call:
        return "runs the flow that it calls"
    if of_flow.iterate:
        return "runs its items"
    return f"runs on {host}" if host else "runs"
