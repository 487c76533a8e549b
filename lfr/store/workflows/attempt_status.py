"""What a worker asks and tells of the attempt that it works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lfr import events
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.values.json import decode_json, encode_json

_KEPT_SECONDS = 24 * 3600
"""A worker that has died does not take back what it told last."""


def is_current(connection: Connection, task: events.StartTask) -> bool:
    """Whether anybody waits for the end of this attempt: False once its workflow was terminated, or it has
    failed by a timeout, or another attempt was started. (HGET)"""
    return are_current(connection, [task])[0]


def are_current(connection: Connection, tasks: Sequence[events.StartTask]) -> list[bool]:
    """`is_current` of each of these, in one round trip."""
    asked: list[Command] = []
    for task in tasks:
        asked += (("HGET", task.workflow, "state"), ("HGET", keys.steps(task.workflow), task.index))
    replies = connection.execute(asked, keep_errors=True) if asked else []
    return [_counts(task, *replies[2 * n : 2 * n + 2]) for n, task in enumerate(tasks)]


def _counts(task: events.StartTask, state: Reply, step: Reply) -> bool:
    if not isinstance(state, bytes) or not isinstance(step, bytes):  # gone; or no workflow: WRONGTYPE
        return False
    _, active, attempt, *_ = map(int, step.split())
    return state.decode() != WorkflowState.TERMINATED and active > 0 and attempt == task.attempt


def save_task_progress(
    connection: Connection, task: events.StartTask, at_ms: int, fraction: float, text: str
) -> None:
    """Say how far an attempt is: a part from 0 to 1, and a word on it. (SET EX)"""
    told = encode_json({"at": at_ms, "attempt": task.attempt, "fraction": fraction, "text": text})
    connection.execute([("SET", keys.told_progress(task.workflow, task.index), told, "EX", _KEPT_SECONDS)])


def drop_task_progress(connection: Connection, task: events.StartTask) -> None:
    """The attempt has ended. (DEL)"""
    connection.execute([("DEL", keys.told_progress(task.workflow, task.index))])


def load_task_progress(
    connection: Connection, workflow: str, indices: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """What was told of these steps: at (milliseconds since the epoch), attempt, fraction, text. (MGET)"""
    if not indices:
        return {}
    told = connection.execute([("MGET", *(keys.told_progress(workflow, index) for index in indices))])[0]
    return {
        index: decode_json(value) for index, value in zip(indices, told, strict=True) if value is not None
    }
