"""Waits that end by the clock: delays, and waits that give up. Their due times survive restarts.

Whoever fires timers watches the waits: of two roles that fire the same, one is refused, so that none is
fired twice.
"""

from __future__ import annotations

from typing import NamedTuple

from lfr.store import keys
from lfr.store.redis.clock import TIME, parse_time_ms
from lfr.store.redis.connection import Command, Connection
from lfr.store.waits.registry import end_task_commands, remove_wait_commands, watch_waits


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


def look(connection: Connection) -> Due:
    """What there is to do. (TIME, ZRANGE, SCARD, ZCARD)"""
    ask: list[Command] = [
        TIME,
        ("ZRANGE", keys.TIMERS, 0, 0, "WITHSCORES"),
        ("SCARD", keys.OPENED),
        ("ZCARD", keys.COUNTDOWNS),
    ]
    time, first, opened, countdowns = connection.execute(ask)
    return Due(parse_time_ms(time), int(float(first[1])) if first else None, bool(opened), bool(countdowns))


def fire_due(connection: Connection, stream: str, now_ms: int, *, count: int) -> int:
    """End up to `count` waits that are due; how many were. (ZRANGEBYSCORE; WATCH, GET; MULTI/EXEC)"""
    due = connection.execute([("ZRANGEBYSCORE", keys.TIMERS, "-inf", now_ms, "LIMIT", 0, count)])[0]
    if not due:
        return 0
    members = [member.decode() for member in due]
    waits = [wait for wait in watch_waits(connection, members) if wait is not None]
    commands = end_task_commands(stream, [wait.ending() for wait in waits], now_ms)
    commands += [*remove_wait_commands(waits), ("ZREM", keys.TIMERS, *members)]
    return 0 if connection.transact(commands) is None else len(members)
