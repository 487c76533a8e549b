"""Bounds the values that are in memory at once for responses that are being made: a value takes several times
its size while it is parsed and written again."""

from __future__ import annotations

import threading
from typing import Final

MAX_BYTES: Final = 64 * 2**20
"""How many bytes of values, as Redis stores them, may be in memory at once. A response with more is made
while no other is."""

_SMALL_BYTES: Final = 256 * 2**10
"""The size up to which a value does not count: all threads may have one."""

_PATIENCE_SECONDS: Final = 10.0
_MAX_WAITING: Final = 16
"""How long a request waits for memory, and how many do: other requests need the other threads."""


class ResponseMemory:
    """The memory of a server for values. Any thread may call it."""

    def __init__(self) -> None:
        self._free = MAX_BYTES
        self._waiting = 0
        self._changed = threading.Condition()

    def acquire(self, size: int | None) -> int | None:
        """Take memory for so many bytes, None: all of it; wait if it is taken. Return how much to release;
        None if there is none."""
        share = MAX_BYTES if size is None else min(size, MAX_BYTES)
        if share <= _SMALL_BYTES:
            return 0
        with self._changed:
            if self._free < share and not self._wait_for(share):
                return None
            self._free -= share
        return share

    def release(self, share: int) -> None:
        """Give back what `acquire` has returned."""
        with self._changed:
            self._free += share
            self._changed.notify_all()

    def _wait_for(self, size: int) -> bool:
        if self._waiting >= _MAX_WAITING:
            return False
        self._waiting += 1
        try:
            return self._changed.wait_for(lambda: self._free >= size, _PATIENCE_SECONDS)
        finally:
            self._waiting -= 1
