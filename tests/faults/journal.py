"""What the run itself did: faults with their times and the processes that they hit, and interventions."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from lfr.runtime.consumer import LONGEST_BACKOFF_SECONDS

EVERYBODY = "*"
"""A fault that hits all processes, because it hits Redis."""


@dataclass(slots=True)
class Hit:
    """A fault while it may make workers lose their connections or their lives, in seconds since the epoch."""

    kind: str
    slot: str
    begin: float
    end: float = float("inf")


_RECOVERY_SECONDS: Final = LONGEST_BACKOFF_SECONDS + 1.0
"""For how long after an outage a worker may wait before it begins what it had read: its longest pause, and
the time to connect."""

_WITHOUT_PAUSE: Final = ("kill", "freeze", "stall")
"""Faults after which a worker goes on, or is gone, at once: its connection has not failed."""


@dataclass(slots=True)
class Journal:
    """Written by many threads.

    faults         how many of each kind
    actions        how many interventions, by their words
    touched        workflows that an operator has changed: their tasks may have been skipped or ended by hand
    dead_letters   the marks of the malformed or impossible events that were appended
    """

    faults: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    touched: set[str] = field(default_factory=set)
    dead_letters: set[str] = field(default_factory=set)
    hits: dict[str, list[Hit]] = field(default_factory=lambda: defaultdict(list))
    lines: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str, detail: str = "") -> None:
        """Note a fault that hits no process."""
        with self.lock:
            self.faults[kind] += 1
            self.lines.append(f"{time.time():.3f} {kind} {detail}")

    @contextmanager
    def hitting(self, kind: str, slot: str) -> Iterator[None]:
        """Note a fault that hits a process, or EVERYBODY, as long as the block lasts."""
        hit = Hit(kind, slot, time.time())
        with self.lock:
            self.hits[slot].append(hit)
        try:
            yield
        finally:
            hit.end = time.time()
            self.count(kind, f"{slot} {hit.end - hit.begin:.2f} s")

    def note_stall(self, slot: str, begin: float, end: float) -> None:
        """Note that the machine itself has held processes up: no fault of ours, but it counts as one."""
        with self.lock:
            self.hits[slot].append(Hit("stall", slot, begin, end))
            self.lines.append(f"{begin:.3f} stall {end - begin:.2f} s")

    def excuses(self, slots: set[str], first: float, second: float) -> bool:
        """Return whether a fault has hit one of two workers, or everybody, between their executions of one
        attempt; or whether the second one, when its connection had failed, was in the pause before it tries
        again: it had read the task, could not renew its claim, and begins it now."""
        return any(
            hit.begin <= second and hit.end >= min(first - 1, second - _pause_seconds(hit))
            for each in (*slots, EVERYBODY)
            for hit in self.hits[each]
        )

    def act(self, action: str, id: str) -> None:
        """Note an intervention."""
        with self.lock:
            self.actions[action] += 1
            self.touched.add(id)
            self.lines.append(f"{time.time():.3f} {action} {id}")


def _pause_seconds(hit: Hit) -> float:
    return 0.0 if hit.kind in _WITHOUT_PAUSE else _RECOVERY_SECONDS
