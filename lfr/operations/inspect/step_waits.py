"""Describes what running steps wait for: a time, an event, a latch, or another attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lfr.store.redis.connection import Connection
from lfr.store.waits.registry import read_waits
from lfr.store.workflows.attempt_timers import read_delayed_starts
from lfr.values.times import iso_time


def describe_waits(
    connection: Connection, id: str, run: str, waiting: Mapping[int, int], retried: Mapping[int, int]
) -> dict[int, dict[str, Any]]:
    """Describe, by step index, what steps of a workflow wait for, without those that wait for nothing.

    `run` is that of its record. `waiting` has the attempt of each step that runs a wait: task, `retried` the
    attempt that has failed of each step that may be retried later. Keys: until (or None); of a wait for an
    event also event (its kind) and match; of one for a latch also latch (its name).
    """
    waits_for: dict[int, dict[str, Any]] = {}
    starts = [(id, index, attempt + 1, run) for index, attempt in retried.items()]
    for index, due_ms in zip(retried, read_delayed_starts(connection, starts), strict=True):
        if due_ms is not None:
            waits_for[index] = {"until": iso_time(due_ms)}
    ids = [(id, index, attempt, run) for index, attempt in waiting.items()]
    for index, wait in zip(waiting, read_waits(connection, ids), strict=True):
        if wait is not None:
            waits_for[index] = {"until": None if wait.due_ms is None else iso_time(wait.due_ms)}
            if wait.pattern is not None:
                waits_for[index] |= {"event": wait.pattern.kind, "match": dict(wait.pattern.match)}
            if wait.latch is not None:
                waits_for[index]["latch"] = wait.latch
    return waits_for
