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
    """Return `is_current` for each of these attempts, in this order, in one round trip.

    With the ids of their entries, those are not current whose entry is older than the workflow: they belong
    to an earlier one with its id, which was deleted. (HGET)
    """
    pipeline = Pipeline(connection)
    states = [pipeline.add("HGET", task.workflow, "state") for task in tasks]
    starts = [pipeline.add("HGET", task.workflow, "started") for task in tasks[: len(entry_ids)]]
    steps = [pipeline.add("HGET", keys.steps(task.workflow), task.index) for task in tasks]
    pipeline.send()
    earlier = {
        index
        for index, (id, started) in enumerate(zip(entry_ids, starts, strict=True))
        if StreamId.parse(id).ms < int(started.value_or_none or 0)
    }
    not_current = (None, WorkflowState.TERMINATED.encode())  # None: deleted, or a key that is no workflow
    return [
        index not in earlier
        and state.value_or_none not in not_current
        and runs(step.value_or_none, task.attempt)
        for index, (task, state, step) in enumerate(zip(tasks, states, steps, strict=True))
    ]


def runs(step: Reply, attempt: int) -> bool:
    """Return whether an attempt is the latest of its step and runs. `step` is the value of its step in
    `W:steps`; None: the step has no value there, so it does not run."""
    if step is None:
        return False
    _, active, latest_attempt, *_ = map(int, step.split())
    return active > 0 and latest_attempt == attempt


def save_task_progress(
    connection: Connection, task: events.StartTask, at_ms: int, fraction: float, text: str
) -> None:
    """Save how far an attempt is, from 0 to 1, and a short text, for a day; replaces the last report of its
    step. `at_ms` is now, since the epoch. (SET EX)"""
    report = encode_json({"at": at_ms, "attempt": task.attempt, "fraction": fraction, "text": text})
    connection.call("SET", keys.task_progress(task.workflow, task.index), report, "EX", _PROGRESS_SECONDS)


def drop_progress_command(task: events.StartTask) -> Command:
    """Return the command that deletes the progress report of the step of an attempt, whichever attempt it is
    of. (DEL)"""
    return ("DEL", keys.task_progress(task.workflow, task.index))


def load_task_progress(
    connection: Connection, workflow: str, indices: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Return the progress reports of these steps by index, without steps that have none: at (milliseconds
    since the epoch), attempt, fraction, text. (MGET)"""
    if not indices:
        return {}
    reports = connection.call("MGET", *(keys.task_progress(workflow, index) for index in indices))
    return {index: decode_json(report) for index, report in zip(indices, reports, strict=True) if report}
