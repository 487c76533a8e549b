"""Waits in Redis: one string for each, and the indexes that lead to it.

The string `W:wait:INDEX.ATTEMPT` is what two processes that end the same wait watch: the first to commit
deletes it, so the other is refused. Each index holds the wait's name, `W INDEX ATTEMPT`: `waits:timers` by
its due time, the place of what it waits for, the waiters of its latch. After an attempt has been cancelled a
mark stands in its place for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import append_command
from lfr.tasks.matching import field_set, place
from lfr.tasks.wait_spec import Wait, read_wait, write_wait
from lfr.values.json import Json
from lfr.values.stream_id import StreamId

_CANCELLED: Final = b"cancelled "

_REMEMBERED_MS: Final = 3_600_000
"""How long a mark stays: longer than any role takes to find a start-task that another has left behind."""


def member(wait: Wait) -> str:
    """The name by which indexes know a wait."""
    return " ".join(map(str, wait.name))


def key_of(member: str) -> str:
    """The key of the wait that an index knows by this name."""
    workflow, index, attempt = member.rsplit(" ", 2)
    return keys.wait(workflow, int(index), int(attempt))


def add_wait_commands(wait: Wait) -> list[Command]:
    """The commands that keep a wait, with its indexes."""
    name, since = member(wait), StreamId.parse(wait.since).score
    commands: list[Command] = [("SET", keys.wait(*wait.name), write_wait(wait))]
    if wait.due_ms is not None:
        commands.append(("ZADD", keys.TIMERS, wait.due_ms, name))
    if wait.event is not None:
        kind, match = wait.event.kind, wait.event.match
        commands.append(("ZADD", keys.event_waits(place(kind, match)), since, name))
        commands.append(("HINCRBY", keys.field_set_waits(kind), field_set(match), 1))
        commands.append(("ZADD", keys.AWAITED_KINDS, "NX", int(since), kind))
    if wait.latch is not None:
        commands.append(("ZADD", keys.latch_waiters(wait.latch), since, name))
    return commands


def remove_wait_commands(waits: Sequence[Wait]) -> list[Command]:
    """The commands that undo `add_wait_commands` for these."""
    if not waits:
        return []
    commands: list[Command] = [("DEL", *(keys.wait(*wait.name) for wait in waits))]
    timed = [member(wait) for wait in waits if wait.due_ms is not None]
    if timed:
        commands.append(("ZREM", keys.TIMERS, *timed))
    for wait in waits:
        if wait.event is not None:
            kind, match = wait.event.kind, wait.event.match
            commands.append(("ZREM", keys.event_waits(place(kind, match)), member(wait)))
            commands.append(("HINCRBY", keys.field_set_waits(kind), field_set(match), -1))
        if wait.latch is not None:
            commands.append(("ZREM", keys.latch_waiters(wait.latch), member(wait)))
    return commands


def watch_waits(connection: Connection, members: Sequence[str]) -> list[Wait | None]:
    """Watch and read the waits of these names; None for one that is over. (WATCH, GET)"""
    if not members:
        return []
    waits = [key_of(member) for member in members]
    return _read(connection.execute([("WATCH", *waits), *(("GET", wait) for wait in waits)])[1:])


def read_waits(connection: Connection, names: Sequence[tuple[str, int, int]]) -> list[Wait | None]:
    """The waits of these attempts, by workflow, index and attempt; None where there is none. (GET)"""
    return _read(connection.execute([("GET", keys.wait(*name)) for name in names]) if names else [])


def _read(texts: Sequence[bytes | None]) -> list[Wait | None]:
    return [None if text is None or text.startswith(_CANCELLED) else read_wait(text) for text in texts]


def cancelled_mark_command(name: tuple[str, int, int], by: str) -> Command:
    """The command that leaves a mark in the place of a wait, for its start-task may still be to come. `by`:
    the id of the cancel-task event. (SET)"""
    return ("SET", keys.wait(*name), _CANCELLED.decode() + by, "PX", _REMEMBERED_MS)


def may_begin(text: bytes | None, since: str) -> bool:
    """Whether a wait may begin whose start-task has the id `since`, by what stands in its place.

    That may be nothing, or an older mark, left by a workflow that had the same id.
    """
    if text is None:
        return True
    if not text.startswith(_CANCELLED):
        return False
    return StreamId.parse(text.removeprefix(_CANCELLED).decode()) < StreamId.parse(since)


def end_task_commands(stream: str, endings: Sequence[dict[str, Json]], now_ms: int) -> list[Command]:
    """The commands that append these end-task events."""
    at = events.timestamp(now_ms / 1000)
    return [append_command(stream, events.END_TASK, at, ending) for ending in endings]
