"""Due times that survive restarts.

Each wait is one member of the zset `waits:timers` and one string of its own, which holds the end-task
event to come. Whoever fires timers watches those strings: of two roles that fire the same, one is
refused, so that none is fired twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from lfr import events
from lfr.json_text import read_json, write_json
from lfr.store import keys
from lfr.store.connection import Command, Link
from lfr.store.stream import append


def set_timer(task: events.StartTask, due_ms: int) -> list[Command]:
    """The commands that end this task, its output being its input, at a time in ms since the epoch."""
    name = (task.workflow, task.index, task.attempt)
    ending = write_json(events.end_task(task, output=task.input))
    return [
        ("SET", keys.wait(*name), ending),
        ("ZADD", keys.TIMERS, due_ms, " ".join(map(str, name))),
    ]


def next_due(link: Link) -> tuple[int, int | None]:
    """The time of Redis, and when the next timer is due, both in ms since the epoch. (TIME, ZRANGE)"""
    (seconds, microseconds), first = link.exchange([("TIME",), ("ZRANGE", keys.TIMERS, 0, 0, "WITHSCORES")])
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    return now_ms, int(float(first[1])) if first else None


def fire_due(link: Link, stream: str, now_ms: int, *, count: int) -> int:
    """End up to `count` waits that are due; how many were. (ZRANGEBYSCORE; WATCH, GET; MULTI/EXEC)"""
    due = link.exchange([("ZRANGEBYSCORE", keys.TIMERS, "-inf", now_ms, "LIMIT", 0, count)])[0]
    if not due:
        return 0
    members = [member.decode() for member in due]
    waits = [_key(member) for member in members]
    replies = link.exchange([("WATCH", *waits), *(("GET", wait) for wait in waits)])
    commands = _fire(stream, members, waits, replies[1:], now_ms)
    return 0 if link.transact(commands) is None else len(members)


def _fire(
    stream: str, members: Sequence[str], waits: Sequence[str], endings: Sequence[bytes | None], now_ms: int
) -> list[Command]:
    at = events.timestamp(now_ms / 1000)
    commands: list[Command] = [
        append(stream, events.END_TASK, at, read_json(ending)) for ending in endings if ending is not None
    ]
    return [*commands, ("ZREM", keys.TIMERS, *members), ("DEL", *waits)]


def _key(member: str) -> str:
    workflow, index, attempt = member.rsplit(" ", 2)
    return keys.wait(workflow, int(index), int(attempt))
