"""Wait for a condition instead of sleeping. How busy the machine is decides nothing: a wait fails only if
nothing has changed for a long time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

STALL_SECONDS = 90.0
"""A wait fails when nothing has changed for so long. Also the timeout of everything that should be quick:
processes that end, threads that join, sockets that answer."""

LONGEST_SECONDS = 900.0
"""A wait fails after so long although its result keeps changing."""


def eventually(condition: Callable[[], T], *, progress: Callable[[], object] | None = None) -> T:
    """Call `condition` until its result is true. Return the result.

    Fails with the last result once neither it nor what `progress` returns has changed for STALL_SECONDS.
    """
    begin = last_change = time.monotonic()
    last: object = None
    pause_seconds = 0.005
    while True:
        result = condition()
        if result:
            return result
        current = (repr(result), progress() if progress else None)
        now = time.monotonic()
        if current != last:
            last, last_change, pause_seconds = current, now, 0.005
        if now - last_change > STALL_SECONDS or now - begin > LONGEST_SECONDS:
            raise AssertionError(f"after {now - begin:.0f} s still {result!r}, progress {current[1]!r}")
        time.sleep(pause_seconds)
        pause_seconds = min(0.05, pause_seconds * 1.2)


def eventually_equal(read: Callable[[], T], expected: T) -> None:
    """Call `read` until it returns what is expected; each change of its result counts as progress."""
    eventually(lambda: read() == expected, progress=read)
