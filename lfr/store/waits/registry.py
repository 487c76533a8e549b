"""Waits as Redis holds them: one string for each, and the indexes that lead to it.

The string `W:wait:INDEX.ATTEMPT` is what everyone watches who ends that wait: the first to commit deletes it,
so Redis refuses the others. Each index has the wait as the member `W INDEX ATTEMPT`: `waits:timers` by due
time, the zset of its match key, the zset of its latch. In another index people find it, see `listing`. When
an attempt is cancelled, a mark replaces the string for a while, because the start-task of that attempt may
not have been processed yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import append_command
from lfr.tasks.wait_spec import Wait, decode_wait, encode_wait
from lfr.values.json import Json
from lfr.values.stream_id import StreamId
from lfr.values.times import format_timestamp

_CANCELLED: Final = b"cancelled "

_MARK_MS: Final = 3_600_000
"""How long a mark stays: longer than it takes to reclaim a start-task from a consumer that has died."""


def add_wait_commands(wait: Wait, now_ms: int) -> list[Command]:
    """Return the commands that store a wait that has begun and add it to its indexes. (SET, ZADD, HINCRBY)"""
    member, entry_id = keys.attempt_member(*wait.task.attempt_id), StreamId.parse(wait.entry_id)
    commands: list[Command] = [("SET", keys.wait(*wait.task.attempt_id), encode_wait(wait))]
    commands += list_wait_commands(wait)
    if wait.due_ms is not None:
        commands.append(("ZADD", keys.TIMERS, wait.due_ms, member))
    if wait.pattern is not None:
        kind = wait.pattern.kind
        commands.append(("ZADD", keys.event_waits(wait.pattern.match_key), entry_id.score, member))
        commands.append(("HINCRBY", keys.field_set_counts(kind), wait.pattern.field_set, 1))
        commands.append(("ZADD", keys.FIELD_SET_KINDS, "NX", now_ms, kind))
    if wait.latch is not None:
        commands.append(("ZADD", keys.latch_waiters(wait.latch), entry_id.score, member))
    return commands


def list_wait_commands(wait: Wait) -> list[Command]:
    """Return the command that adds a wait that has begun to the index in which people find it; none for a
    countdown, which they find in that of its latch. (ZADD)"""
    member = keys.attempt_member(*wait.task.attempt_id)
    if wait.pattern is not None:
        return [("ZADD", keys.kind_waits(wait.pattern.kind), StreamId.parse(wait.entry_id).score, member)]
    return [] if wait.latch is not None else [("ZADD", keys.DELAYS, wait.due_ms or 0, member)]


def remove_wait_commands(waits: Sequence[Wait]) -> list[Command]:
    """Return the commands that undo `add_wait_commands` for these waits. (DEL, ZREM, HINCRBY)"""
    if not waits:
        return []
    commands: list[Command] = [("DEL", *(keys.wait(*wait.task.attempt_id) for wait in waits))]
    timer_members = [keys.attempt_member(*wait.task.attempt_id) for wait in waits if wait.due_ms is not None]
    if timer_members:
        commands.append(("ZREM", keys.TIMERS, *timer_members))
    if delays := [wait for wait in waits if wait.pattern is None and wait.latch is None]:
        commands.append(
            ("ZREM", keys.DELAYS, *(keys.attempt_member(*each.task.attempt_id) for each in delays))
        )
    for wait in waits:
        member = keys.attempt_member(*wait.task.attempt_id)
        if wait.pattern is not None:
            commands.append(("ZREM", keys.event_waits(wait.pattern.match_key), member))
            commands.append(("ZREM", keys.kind_waits(wait.pattern.kind), member))
            counts = keys.field_set_counts(wait.pattern.kind)
            commands.append(("HINCRBY", counts, wait.pattern.field_set, -1))
        if wait.latch is not None:
            commands.append(("ZREM", keys.latch_waiters(wait.latch), member))
    return commands


def watch_waits(connection: Connection, members: Sequence[str]) -> dict[str, Wait | None]:
    """Watch and read waits; return them by member, None for one that is over or cancelled. (WATCH, GET)"""
    if not members:
        return {}
    wait_keys = {member: keys.wait(*keys.parse_attempt_member(member)) for member in members}
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *wait_keys.values())
    replies = {member: pipeline.add("GET", key) for member, key in wait_keys.items()}
    pipeline.send()
    return {member: _parse_wait(reply.value_or_none) for member, reply in replies.items()}


def read_waits(connection: Connection, ids: Sequence[events.AttemptId]) -> list[Wait | None]:
    """Return the waits of these attempts, in this order; None for one that does not wait. (GET)"""
    pipeline = Pipeline(connection)
    replies = [pipeline.add("GET", keys.wait(*id)) for id in ids]
    pipeline.send()
    return [_parse_wait(reply.value_or_none) for reply in replies]


def _parse_wait(text: Reply) -> Wait | None:
    return None if text is None or text.startswith(_CANCELLED) else decode_wait(text)


def cancel_mark_command(id: events.AttemptId, cancel_entry_id: str) -> Command:
    """Return the command that marks an attempt as cancelled by the cancel-task event of this entry id. The
    mark replaces the attempt's wait, if there is one, and expires after an hour. (SET)"""
    return ("SET", keys.wait(*id), _CANCELLED.decode() + cancel_entry_id, "PX", _MARK_MS)


def may_start(text: bytes | None, entry_id: str) -> bool:
    """Return whether the start-task of this entry id may start a wait where Redis holds `text`: nothing, or
    the mark of an earlier cancel-task, for a workflow that had the same id."""
    if text is None:
        return True
    if not text.startswith(_CANCELLED):
        return False
    return StreamId.parse(text.removeprefix(_CANCELLED).decode()) < StreamId.parse(entry_id)


def end_wait_commands(waits: Sequence[Wait], now_ms: int) -> list[Command]:
    """Return the commands that end waits by the clock or by their latch: they append the end-task events and
    remove the waits. (XADD, DEL, ZREM, HINCRBY)"""
    end_tasks = [wait.end_task_values() for wait in waits]
    return end_task_commands(end_tasks, now_ms) + remove_wait_commands(waits)


def end_task_commands(end_tasks: Sequence[Mapping[str, Json]], now_ms: int) -> list[Command]:
    """Return the commands that append end-task events with these values. (XADD)"""
    at = format_timestamp(now_ms / 1000)
    return [append_command(keys.ENDS, events.END_TASK, at, values) for values in end_tasks]
