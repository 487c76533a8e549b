"""Ends waits by the clock: delays, and event waits with a timeout.

Whoever ends a wait watches it. So if two roles end the same wait, Redis refuses one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lfr.store import keys
from lfr.store.queues.pauses import watch_pauses
from lfr.store.redis.connection import TIME, Connection, parse_time_ms
from lfr.store.redis.pipeline import Pipeline
from lfr.store.waits.registry import end_wait_commands, watch_waits
from lfr.store.workflows.standing_deadlines import find_standing, put_aside
from lfr.tasks.wait_spec import Wait


class DueWork(NamedTuple):
    """What the wait role has to do without an event.

    now_ms                 the time of Redis, in milliseconds since the epoch
    next_ms                when the next timer is due, likewise, or None
    has_opened_countdowns  whether countdowns of a latch that was opened are to be completed
    has_countdowns         whether countdowns that started at a latch of zero still wait
    has_pauses             whether anything is paused
    """

    now_ms: int
    next_ms: int | None
    has_opened_countdowns: bool
    has_countdowns: bool
    has_pauses: bool

    @property
    def has_due_timers(self) -> bool:
        """Whether a timer is due at `now_ms`."""
        return self.next_ms is not None and self.next_ms <= self.now_ms


def read_due_work(connection: Connection) -> DueWork:
    """Return what there is to do; change nothing. (TIME, ZRANGE, SCARD, ZCARD)"""
    pipeline = Pipeline(connection)
    time = pipeline.add(*TIME)
    first_timer = pipeline.add("ZRANGE", keys.TIMERS, 0, 0, "WITHSCORES")
    opened_tags = pipeline.add("SCARD", keys.OPENED_TAGS)
    countdowns = pipeline.add("ZCARD", keys.COUNTDOWNS)
    pauses = pipeline.add("EXISTS", keys.PAUSES)
    pipeline.send()
    next_ms = int(float(first_timer.value[1])) if first_timer.value else None
    return DueWork(
        parse_time_ms(time.value),
        next_ms,
        has_opened_countdowns=bool(opened_tags.value),
        has_countdowns=bool(countdowns.value),
        has_pauses=bool(pauses.value),
    )


def end_due_waits(connection: Connection, now_ms: int, *, count: int, has_pauses: bool = False) -> None:
    """End up to `count` waits that are due, earliest first, in one transaction; if another role ends one of
    them meanwhile, end none. Time-outs that stand still are put aside, if anything is paused.
    (ZRANGEBYSCORE; WATCH, GET; MULTI/EXEC)"""
    due = connection.call("ZRANGEBYSCORE", keys.TIMERS, "-inf", now_ms, "LIMIT", 0, count)
    if not due:
        return
    members = [member.decode() for member in due]
    waits = watch_waits(connection, members)
    aside = _find_aside(connection, waits) if has_pauses else []
    ended = [wait for member, wait in waits.items() if wait is not None and member not in aside]
    commands = put_aside(connection, keys.TIMERS, aside) + end_wait_commands(ended, now_ms)
    ended_members = [member for member, wait in waits.items() if wait is None]
    commands += [("ZREM", keys.DELAYS, *ended_members)] if ended_members else []
    connection.transact([*commands, ("ZREM", keys.TIMERS, *members)])


def _find_aside(connection: Connection, waits: Mapping[str, Wait | None]) -> list[str]:
    """Return those of these waits, by member, whose time-out stands still."""
    pauses = watch_pauses(connection)
    timeouts = {
        member: wait.task.workflow
        for member, wait in waits.items()
        if wait is not None and (wait.pattern or wait.latch)
    }
    standing = find_standing(connection, pauses, list(timeouts.values()))
    return [member for member, workflow in timeouts.items() if workflow in standing]
