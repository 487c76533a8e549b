"""Looks at the clock for a lifecycle: attempts that take too long, and attempts that are due to be made."""

from __future__ import annotations

import time

from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.attempt_timers import fire_deadlines, fire_starts, read_next_due

_LOOK_EVERY_SECONDS = 0.1
"""How late something due may be in a busy role."""

_LOOK_AHEAD_SECONDS = 1.0


class StepClock:
    """Fires what is due for steps. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        self._stream = store.stream
        self._batch = store.settings.batch
        self._look_at = 0.0

    def fire(self, connection: Connection) -> float:
        """Fire what is due; in how many seconds to look again."""
        now = time.monotonic()
        if now < self._look_at:  # a pass between has perhaps set what is due soon
            return self._look_at - now
        self._look_at = now + _LOOK_EVERY_SECONDS
        return self._fire(connection)

    def _fire(self, connection: Connection) -> float:
        due = read_next_due(connection)
        if due.deadline_ms is not None and due.deadline_ms <= due.now_ms:
            fire_deadlines(connection, self._stream, due.now_ms, count=self._batch)
            return 0.0
        if due.start_ms is not None and due.start_ms <= due.now_ms:
            fire_starts(connection, self._stream, due.now_ms, count=self._batch)
            return 0.0
        soonest = min((ms for ms in (due.deadline_ms, due.start_ms) if ms is not None), default=None)
        if soonest is None:
            return _LOOK_AHEAD_SECONDS
        return min((soonest - due.now_ms) / 1000, _LOOK_AHEAD_SECONDS)
