"""Lets few requests at once do what takes long: searches, checks of flows, changes of many workflows.

All threads share one interpreter: with a hundred searches at once, everybody else would wait for all of them.
"""

from __future__ import annotations

import threading
from typing import Final

AT_ONCE: Final = 4
MAX_WAITING: Final = 8
"""How many such requests are worked on, and how many wait: streams and they leave threads for others."""

_PATIENCE_SECONDS: Final = 10.0
"""How long a request waits."""


class Turns:
    """The turns of a server. Any thread may call it."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._admitted = threading.BoundedSemaphore(AT_ONCE + MAX_WAITING)

    def acquire(self) -> bool:
        """Take a turn, and return True; wait for one, if not too many wait. False: there is none."""
        if not self._admitted.acquire(blocking=False):
            return False
        if self._free.acquire(timeout=_PATIENCE_SECONDS):
            return True
        self._admitted.release()
        return False

    def release(self) -> None:
        """Give back the turn that `acquire` has taken."""
        self._free.release()
        self._admitted.release()
