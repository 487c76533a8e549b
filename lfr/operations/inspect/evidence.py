"""Describes which process has run an attempt, and what that took, as far as its worker has said so."""

from __future__ import annotations

from typing import Any, Final

from lfr.store.redis.connection import Connection
from lfr.store.workflows.task_logs import AttemptKey, LoggedAttempt, read_attempts
from lfr.values.times import iso_time

_MAX_ATTEMPTS: Final = 100
"""Of how many attempts of a step the evidence is read: the latest."""

_VALUES: Final = ("host", "process", "version", "cpu_seconds", "peak_bytes")


def describe_evidence(attempt: AttemptKey, logged: LoggedAttempt) -> dict[str, Any]:
    """Describe an attempt. Keys: index; attempt; delivery; lines, how many it has written, with those that
    were left out; started and ended by the clock of its worker (None: not known); and the other values of
    `task_log.EVIDENCE` (None: the worker has not said)."""
    values = logged.evidence
    return {
        "index": attempt[0],
        "attempt": attempt[1],
        "delivery": logged.delivery,
        "lines": logged.lines,
        "started": iso_time(int(values.get("started") or 0)),
        "ended": iso_time(int(values.get("ended") or 0)),
        **{name: values.get(name) for name in _VALUES},
    }


def load_step_evidence(connection: Connection, id: str, index: int, attempt: int) -> list[dict[str, Any]]:
    """Describe the attempts of a step up to this one that have left evidence, the latest 100. (HMGET)"""
    numbers = range(max(1, attempt - _MAX_ATTEMPTS + 1), attempt + 1)
    logged = read_attempts(connection, id, [(index, number) for number in numbers])
    return [describe_evidence(key, each) for key, each in sorted(logged.items())]
