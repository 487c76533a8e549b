"""The status of a running attempt: whether it is still current, and the progress that its worker reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lfr import events
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.pipeline import Pipeline
from lfr.values.json import decode_json, encode_json
from lfr.values.stream_id import StreamId

_PROGRESS_SECONDS = 24 * 3600
"""After this time Redis drops a progress report: a worker that dies does not delete its own."""


def is_current(connection: Connection, task: events.StartTask) -> bool:
    """Return whether a workflow waits for the end of this attempt. False once the workflow was terminated or
    deleted, or the attempt has ended or timed out, or another attempt was started. (HGET)"""
    return are_current(connection, [task])[0]


def are_current(
    connection: Connection, tasks: Sequence[events.StartTask], entry_ids: Sequence[str] = ()
) -> list[bool]:
    """Return `is_current` for each of these attempts, in this order, in one round trip. `entry_ids` are those
    of their start-tasks, if the caller has them, see `is_of_run`. (HMGET, HGET)"""
    pipeline = Pipeline(connection)
    records = [pipeline.add("HMGET", task.workflow, "state", "run", "started") for task in tasks]
    steps = [pipeline.add("HGET", keys.steps(task.workflow), task.index) for task in tasks]
    pipeline.send()
    not_current = (None, WorkflowState.TERMINATED.encode())  # None: deleted, or a key that is no workflow
    current: list[bool] = []
    for task, entry_id, record, step in zip(
        tasks, entry_ids or [""] * len(tasks), records, steps, strict=True
    ):
        state, run, started = record.value_or_none or (None, None, None)
        current.append(
            state not in not_current
            and is_of_run(task.run, entry_id, run=(run or b"").decode(), started_ms=int(started or 0))
            and runs(step.value_or_none, task.attempt)
        )
    return current


def is_of_run(event_run: str, entry_id: str, *, run: str, started_ms: int) -> bool:
    """Return whether an event concerns the workflow that has its id now, not an earlier one that was deleted.

    `run` and `started_ms` are those of the record. An event without a run, of a foreign worker or of an
    earlier version, concerns an earlier workflow if its entry is older than this one; if `entry_id` is empty,
    that is not checked.
    """
    if event_run:
        return event_run == run
    return not entry_id or StreamId.parse(entry_id).ms >= started_ms


def runs(step: Reply, attempt: int) -> bool:
    """Return whether an attempt is the latest of its step and runs. `step` is the value of its step in
    `W:steps`; None: the step has no value there, so it does not run."""
    if step is None:
        return False
    _, active, latest_attempt, *_ = map(int, step.split())
    return active > 0 and latest_attempt == attempt


def is_active(connection: Connection, workflow: str, index: int) -> bool:
    """Return whether an attempt of a step runs, whichever. (HGET)"""
    step = connection.call("HGET", keys.steps(workflow), index)
    return step is not None and int(step.split()[1]) > 0


def save_task_progress(
    connection: Connection, task: events.StartTask, at_ms: int, fraction: float, text: str
) -> None:
    """Save how far an attempt is, from 0 to 1, and a short text, for a day; replaces the last report of its
    step. `at_ms` is now, since the epoch. (SET EX)"""
    attempt = {"attempt": task.attempt, "run": task.run}
    report = encode_json({"at": at_ms, **attempt, "fraction": fraction, "text": text})
    connection.call("SET", keys.task_progress(task.workflow, task.index), report, "EX", _PROGRESS_SECONDS)


def drop_progress_command(task: events.StartTask) -> Command:
    """Return the command that deletes the progress report of the step of an attempt, whichever attempt it is
    of. (DEL)"""
    return ("DEL", keys.task_progress(task.workflow, task.index))


def load_task_progress(
    connection: Connection, workflow: str, indices: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Return the progress reports of these steps by index, without steps that have none: at (milliseconds
    since the epoch), attempt, run, fraction, text. (MGET)"""
    if not indices:
        return {}
    reports = connection.call("MGET", *(keys.task_progress(workflow, index) for index in indices))
    return {index: decode_json(report) for index, report in zip(indices, reports, strict=True) if report}
