"""The totals that metrics show: what has happened to workflows by flow, to tasks by name.

Each process adds up what it sees, and stores that with its heartbeats: nothing is written on the way of a
step. A process that is killed loses what it has not stored, up to two seconds. A field of the hashes is
`WHAT NAME`. They have about MAX_NAMES names each, so that names from outside do not fill Redis; all further
names count as OTHER. (Two processes may add their last names at once.)
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import parse_pairs

MAX_NAMES: Final = 100

OTHER: Final = "other"

DURATION_BOUNDS: Final = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)
"""The upper bounds of the classes of durations, in seconds. `leN` counts those of class N; above the last
bound is one more class. DURATION_SUM is the sum of all durations, in microseconds."""

DURATION_SUM: Final = "microseconds"
"""What a worker counts of each task, and nobody else."""

_MAX_NAME_LENGTH: Final = 200


class NewTotals:
    """What a process has counted and not stored yet: for each of the hashes, numbers by what has happened
    and the name of the flow or the task. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[tuple[str, str, str]] = Counter()

    def add(self, key: str, numbers: Mapping[tuple[str, str], int]) -> None:
        """Add numbers, by what has happened and the name, to those for the hash `key`."""
        with self._lock:
            for (what, name), number in numbers.items():
                self._numbers[key, what, name] += number

    def take(self) -> Counter[tuple[str, str, str]]:
        """Return all numbers, by key, what and name, and forget them."""
        with self._lock:
            numbers, self._numbers = self._numbers, Counter()
        return numbers


class TotalsWriter:
    """Makes the commands that store totals. Knows which names the hashes have."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {
            key: set() for key in (keys.FLOW_TOTALS, keys.TASK_TOTALS, keys.NOTICE_TOTALS, keys.TRACE_TOTALS)
        }

    def commands(self, connection: Connection, numbers: Mapping[tuple[str, str, str], int]) -> list[Command]:
        """Return the commands that add these numbers. Reads the names in the hashes only if a name is new
        to this process and there may be room for it. (HKEYS; HINCRBY)"""
        for key, names in self._names.items():
            new = {name for each, _, name in numbers if each == key} - names
            if new and len(names) < MAX_NAMES:
                self._add_names(connection, key, new)
        bounded: Counter[tuple[str, str]] = Counter()
        for (key, what, name), number in numbers.items():
            bounded[key, f"{what} {name if name in self._names[key] else OTHER}"] += number
        return [("HINCRBY", key, field, number) for (key, field), number in bounded.items()]

    def served_commands(self, groups: Mapping[str, str], now_ms: int) -> list[Command]:
        """Return the commands that note that the groups, by task, have done these tasks at this time of
        Redis; without tasks that count as OTHER. Call it after `commands`. (HSET)"""
        names = self._names[keys.TASK_TOTALS]
        return [
            ("HSET", keys.SERVED_TASKS, name, f"{now_ms} {group}")
            for name, group in groups.items()
            if name in names
        ]

    def _add_names(self, connection: Connection, key: str, new: Iterable[str]) -> None:
        names = self._names[key]
        [fields] = connection.execute([("HKEYS", key)], keep_errors=True)
        if not isinstance(fields, list):  # another program has overwritten the key: that stops no role
            return
        names |= {field.decode().partition(" ")[2] for field in fields} - {OTHER}
        candidates = sorted(name for name in new if 0 < len(name) <= _MAX_NAME_LENGTH)
        names.update(candidates[: max(0, MAX_NAMES - len(names))])


def load_totals(connection: Connection, key: str) -> dict[str, dict[str, int]]:
    """Return the totals of one of the hashes: by name, then by what has happened. (HGETALL)"""
    totals: dict[str, dict[str, int]] = {}
    for field, number in parse_pairs(connection.call("HGETALL", key)).items():
        what, _, name = field.decode().partition(" ")
        totals.setdefault(name, {})[what] = int(number)
    return totals
