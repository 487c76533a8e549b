"""How the programs of a run do something in spite of all faults."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis

from lfr.errors import NoMemory, Refused, Unreachable


def persist(action: Callable[[], Any]) -> Any:
    """Call `action` until Redis can be reached. It must do no harm if it is done twice."""
    while True:
        try:
            return action()
        except (Unreachable, Refused, NoMemory):
            time.sleep(0.1)
        except (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError):
            time.sleep(0.1)
