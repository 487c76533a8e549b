"""Waits that end by the clock: delays, and waits that give up. Their due times survive restarts.

Whoever fires timers watches the waits: of two roles that fire the same, one is refused, so that none is
fired twice.
"""

from __future__ import annotations

from typing import NamedTuple

from lfr.store import keys
from lfr.store.redis.connection import Command, Link
from lfr.store.waits.registry import forget_waits, tell_ends, watch_waits


class Due(NamedTuple):
    """What there is to do without an event.

    now_ms      the time of Redis, in milliseconds since the epoch
    next_ms     when the next wait is over by the clock, likewise, or None
    opened      whether there are countdowns to let go
    countdowns  whether there are countdowns that began at zero
    """

    now_ms: int
    next_ms: int | None
    opened: bool
    countdowns: bool

    @property
    def is_due(self) -> bool:
        """Whether a wait is over by the clock."""
        return self.next_ms is not None and self.next_ms <= self.now_ms


def look(link: Link) -> Due:
    """What there is to do. (TIME, ZRANGE, SCARD, ZCARD)"""
    ask: list[Command] = [
        ("TIME",),
        ("ZRANGE", keys.TIMERS, 0, 0, "WITHSCORES"),
        ("SCARD", keys.OPENED),
        ("ZCARD", keys.COUNTDOWNS),
    ]
    (seconds, microseconds), first, opened, countdowns = link.exchange(ask)
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    return Due(now_ms, int(float(first[1])) if first else None, bool(opened), bool(countdowns))


def fire_due(link: Link, stream: str, now_ms: int, *, count: int) -> int:
    """End up to `count` waits that are due; how many were. (ZRANGEBYSCORE; WATCH, GET; MULTI/EXEC)"""
    due = link.exchange([("ZRANGEBYSCORE", keys.TIMERS, "-inf", now_ms, "LIMIT", 0, count)])[0]
    if not due:
        return 0
    members = [member.decode() for member in due]
    waits = [wait for wait in watch_waits(link, members) if wait is not None]
    commands = tell_ends(stream, [wait.ending() for wait in waits], now_ms)
    commands += [*forget_waits(waits), ("ZREM", keys.TIMERS, *members)]
    return 0 if link.transact(commands) is None else len(members)
