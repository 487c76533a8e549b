"""Decides the schedules that are due, a few at a time between the passes of a lifecycle."""

from __future__ import annotations

import logging
import random
import time
from typing import Final

from lfr.errors import LfrError, Refused, Unreachable
from lfr.operations.decide_schedule import decide_schedule
from lfr.store.redis.connection import Connection, Store
from lfr.store.schedules import due_command, read_due_schedules

LOGGER = logging.getLogger(__name__)

_SLICE_SECONDS: Final = 0.05
"""After this time a slice begins no further schedule."""

_MAX_READ: Final = 100
"""How many schedules are read as due at once."""

_PUT_OFF_MS: Final = 60_000
"""When to look again at a schedule that has met an error."""


def decide_due_schedules(store: Store, connection: Connection, now_ms: int) -> None:
    """Decide some of the schedules that are due at `now_ms`. What one of them meets stops no other."""
    started = time.monotonic()
    names = read_due_schedules(connection, now_ms, _MAX_READ)
    random.shuffle(names)  # other lifecycles read the same: each transaction is refused to all but one
    for name in names:
        try:
            decide_schedule(store, connection, name)
        except (Unreachable, Refused):
            raise
        except Exception as error:
            connection.unwatch()
            LOGGER.error("schedule %s: %s", name, error, exc_info=not isinstance(error, LfrError))
            connection.execute([due_command(name, now_ms + _PUT_OFF_MS)])
        if time.monotonic() - started >= _SLICE_SECONDS:
            return
