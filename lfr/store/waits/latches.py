"""Latches in Redis: processes requests to them, completes their countdowns, lists them and resets them.

Each step is counted once: its attempt stands in `W:latched` from the transaction on that counts it until the
lifecycle commits the end of the step. If that attempt is stopped before, the next one is not counted.

A release to zero renames the zset of waiting countdowns with one command, however many there are; any wait
role completes them in transactions of bounded size.

A countdown at a latch that is zero completes as soon as no earlier event is pending in the group: an acquire
may be pending at a consumer that has died.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lfr import events
from lfr.engine.latches import Latch, OpenLatch, SetCount, StartCountdown, apply_requests, is_settled
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, read_time_ms
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import commit_together_or_singly, retry_until_committed
from lfr.store.stream.entries import ConsumerId, append_command
from lfr.store.stream.groups import call_group
from lfr.store.waits.latch_holders import HeldLatch, count_holder_commands, parse_count, read_held_latches
from lfr.store.waits.registry import add_wait_commands, end_task_commands, end_wait_commands, watch_waits
from lfr.store.waits.start import ended_at_once_commands, processed_commands, watch_start_tasks
from lfr.tasks.wait_spec import LatchRequest
from lfr.values.stream_id import StreamId
from lfr.values.times import format_timestamp

PAGE_SIZE = 500
"""How many countdowns are completed in one transaction."""

_MOST_LISTED = 100

_ZERO_MS = 3_600_000
"""How long a latch is listed after it has become zero."""


def process_requests(
    connection: Connection, consumer: ConsumerId, requests: Sequence[LatchRequest], *, first_id: str
) -> None:
    """Acquire, release, start countdowns, in the order of the stream; end their steps, or let them wait.

    Appends receipts and acknowledges the start-tasks, also those that change nothing: the attempt has been
    counted or is over. `first_id` is the oldest entry of the batch: while an earlier one is pending in the
    group, releases at zero stay pending, too. (WATCH, GET, EXISTS, HGET, XPENDING; MULTI/EXEC)
    """

    def attempt(requests: Sequence[LatchRequest]) -> list[Command]:
        tasks = watch_start_tasks(connection, consumer, requests)
        latches = watch_latches(connection, [request.latch for request in requests])
        marks = _watch_marks(connection, requests)
        done_ids = {id for id, mark in marks.items() if mark.is_of_attempt}
        counted_ids = {id for id, mark in marks.items() if mark.is_counted}
        is_certain = is_settled(first_id, _read_oldest_pending(connection, consumer))
        to_apply = [request for request in requests if request.entry_id in tasks.to_start - done_ids]
        result = apply_requests(to_apply, latches, is_certain=is_certain, counted_ids=counted_ids)
        commands = [
            command
            for change in result.changes
            for command in _change_commands(consumer.stream, change, tasks.now_ms)
        ]
        commands += [_mark_command(request, is_counted=True) for request in result.counted]
        commands += [_mark_command(request, is_counted=False) for request in result.refused]
        commands += end_task_commands(result.end_tasks, tasks.now_ms)
        ended = {(each["workflow"], each["index"]) for each in result.end_tasks}
        commands += ended_at_once_commands(
            each.task.attempt_id for each in to_apply if (each.task.workflow, each.task.index) in ended
        )
        deferred_ids = {request.entry_id for request in result.deferred}
        processed = [request for request in requests if request.entry_id not in deferred_ids]
        return commands + processed_commands(consumer, processed, tasks.now_ms)

    commit_together_or_singly(connection, requests, attempt)


def watch_latches(connection: Connection, names: Iterable[str]) -> dict[str, Latch]:
    """Watch and read latches; return them by name. A missing one has the count 0. (WATCH, GET, EXISTS)"""
    key_pairs = {name: (keys.latch(name), keys.latch_waiters(name)) for name in names}
    if not key_pairs:
        return {}
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *(key for pair in key_pairs.values() for key in pair))
    replies = {
        name: (pipeline.add("GET", count), pipeline.add("EXISTS", waiters))
        for name, (count, waiters) in key_pairs.items()
    }
    pipeline.send()
    return {
        name: Latch(name, keys.latch(name), parse_count(count.value_or_error), bool(waiters.value))
        for name, (count, waiters) in replies.items()
    }


class _Mark(NamedTuple):
    """What `W:latched` says of the step of a request: whether its mark is of the attempt of this request, and
    whether an attempt was counted, for the same latch, whose end has not been committed."""

    is_of_attempt: bool
    is_counted: bool


def _watch_marks(connection: Connection, requests: Sequence[LatchRequest]) -> dict[str, _Mark]:
    """Watch and read the marks of the steps of these requests; return them by entry id. (WATCH, HGET)"""
    if not requests:
        return {}
    marks = [(keys.counted_attempts(request.task.workflow), request.task.index) for request in requests]
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *(key for key, _ in marks))
    replies = [pipeline.add("HGET", key, index) for key, index in marks]
    pipeline.send()
    return {
        request.entry_id: _parse_mark(request, reply.value)
        for request, reply in zip(requests, replies, strict=True)
    }


def _parse_mark(request: LatchRequest, value: bytes | None) -> _Mark:
    attempt, _, latch = (value or b"0").decode().partition(" ")
    is_counted = int(attempt) > 0 and latch == request.latch
    return _Mark(abs(int(attempt)) == request.task.attempt, is_counted)


def _read_oldest_pending(connection: Connection, consumer: ConsumerId) -> StreamId | None:
    """Return the oldest entry that is pending in the group. (XPENDING)"""
    _, oldest_id, *_ = call_group(connection, "XPENDING", consumer.stream, consumer.group)
    return StreamId.parse(oldest_id.decode()) if oldest_id else None


def _change_commands(
    stream: str, change: SetCount | OpenLatch | StartCountdown, now_ms: int
) -> list[Command]:
    match change:
        case SetCount(latch, count, is_acquire, workflow):
            commands: list[Command] = [("SET", latch.key, count)]
            commands += count_holder_commands(latch.name, workflow, is_acquire=is_acquire)
            return [*commands, ("ZADD", keys.LATCHES, "+inf", latch.name)] if is_acquire else commands
        case OpenLatch(latch, tag):
            return open_latch_commands(stream, latch, tag, now_ms)
        case StartCountdown(latch, wait):
            commands = add_wait_commands(wait, now_ms)
            if latch.is_zero:
                start_ms = StreamId.parse(wait.entry_id).ms
                return [
                    *commands,
                    ("ZADD", keys.COUNTDOWNS, start_ms, keys.attempt_member(*wait.task.attempt_id)),
                ]
            return [*commands, ("ZADD", keys.LATCHES, "NX", "+inf", latch.name)]


def _mark_command(request: LatchRequest, *, is_counted: bool) -> Command:
    task = request.task
    mark = f"{task.attempt if is_counted else -task.attempt} {request.latch}"
    return ("HSET", keys.counted_attempts(task.workflow), task.index, mark)


def open_latch_commands(stream: str, latch: Latch, tag: str, now_ms: int) -> list[Command]:
    """Return the commands that set a latch to zero, append the event that says so, and move its countdowns to
    the key of the unique `tag`, from where `complete_opened_countdowns` completes them. They also unlist the
    latches that became zero an hour ago. (SET, DEL, ZREMRANGEBYSCORE, ZADD, RENAME, SADD, XADD)"""
    commands: list[Command] = [
        ("SET", latch.key, 0, "PX", _ZERO_MS),
        ("DEL", keys.latch_holders(latch.name)),
        ("ZREMRANGEBYSCORE", keys.LATCHES, "-inf", now_ms - _ZERO_MS),
        ("ZADD", keys.LATCHES, now_ms, latch.name),
    ]
    if latch.has_waiters:
        commands.append(("RENAME", keys.latch_waiters(latch.name), keys.opened_countdowns(tag)))
        commands.append(("SADD", keys.OPENED_TAGS, tag))
    values = {"latch": latch.key, "name": latch.name}
    return [*commands, append_command(stream, events.LATCH_ZERO, format_timestamp(now_ms / 1000), values)]


def complete_opened_countdowns(connection: Connection, now_ms: int) -> bool:
    """Complete up to PAGE_SIZE countdowns of one latch that was opened. Return False if there was none to
    complete, else True: there may be more. (SRANDMEMBER, ZRANGE; WATCH, GET; MULTI/EXEC)"""
    tag = connection.call("SRANDMEMBER", keys.OPENED_TAGS)
    if tag is None:
        return False
    opened = keys.opened_countdowns(tag.decode())
    members = [member.decode() for member in connection.call("ZRANGE", opened, 0, PAGE_SIZE - 1)]
    waits = [wait for wait in watch_waits(connection, members).values() if wait is not None]
    commands = end_wait_commands(waits, now_ms)
    commands += [("ZREM", opened, *members)] if members else []
    commands += [("SREM", keys.OPENED_TAGS, tag.decode())] if len(members) < PAGE_SIZE else []
    connection.transact(commands)
    return True


def complete_settled_countdowns(connection: Connection, consumer: ConsumerId, now_ms: int) -> None:
    """Complete countdowns that started at a latch of zero, if no earlier event is pending in the group. If
    the latch has been acquired since then, let them wait for a release. Looks at the first PAGE_SIZE, in one
    transaction; if that is refused, changes nothing. (ZRANGE, XPENDING; WATCH, GET; MULTI/EXEC)"""
    members = [member.decode() for member in connection.call("ZRANGE", keys.COUNTDOWNS, 0, PAGE_SIZE - 1)]
    oldest_pending = _read_oldest_pending(connection, consumer)
    settled = {
        member: wait
        for member, wait in watch_waits(connection, members).items()
        if wait is None or is_settled(wait.entry_id, oldest_pending)
    }
    if not settled:
        connection.unwatch()
        return
    waits = [wait for wait in settled.values() if wait is not None]
    latches = watch_latches(connection, (wait.latch or "" for wait in waits))
    completed = [wait for wait in waits if latches[wait.latch or ""].is_zero]
    commands = end_wait_commands(completed, now_ms)
    connection.transact([*commands, ("ZREM", keys.COUNTDOWNS, *settled)])


@dataclass(frozen=True, slots=True)
class LatchSummary:
    """A latch as it is listed: its count (None if its key holds no integer), how many countdowns wait for it,
    and up to a hundred that have waited longest, as workflow and step index (empty after `reset`)."""

    name: str
    count: int | None
    waiter_count: int
    first_waiters: Sequence[tuple[str, int]] = ()


def read_latches(connection: Connection) -> list[LatchSummary]:
    """Return the latches above zero, and those that became zero within the last hour, sorted by name. (TIME,
    ZRANGEBYSCORE; GET, ZCARD, ZRANGE)"""
    since_ms = read_time_ms(connection) - _ZERO_MS
    names = sorted(name.decode() for name in connection.call("ZRANGEBYSCORE", keys.LATCHES, since_ms, "+inf"))
    pipeline = Pipeline(connection)
    counts = [pipeline.add("GET", keys.latch(name)) for name in names]
    waiter_counts = [pipeline.add("ZCARD", keys.latch_waiters(name)) for name in names]
    first_members = [pipeline.add("ZRANGE", keys.latch_waiters(name), 0, _MOST_LISTED - 1) for name in names]
    pipeline.send()
    summaries: list[LatchSummary] = []
    for name, count, waiter_count, members in zip(names, counts, waiter_counts, first_members, strict=True):
        attempts = [keys.parse_attempt_member(member.decode()) for member in members.value]
        first_waiters = [(workflow, index) for workflow, index, *_ in attempts]
        summaries.append(
            LatchSummary(name, parse_count(count.value_or_error), waiter_count.value, first_waiters)
        )
    return summaries


def reset(
    connection: Connection,
    stream: str,
    name: str,
    tag: str,
    expected: HeldLatch | None = None,
    also: Sequence[Command] = (),
) -> LatchSummary:
    """Set a latch to zero and open it, unless it is zero and no countdown waits. Return the latch as it was
    before. `tag` is unique. With `expected`, do nothing if its count or its holders are others. `also` are
    commands for the same transaction. (TIME; WATCH, GET, EXISTS; ZCARD; MULTI/EXEC)"""

    def attempt() -> tuple[list[Command] | None, LatchSummary]:
        now_ms = read_time_ms(connection)
        latch = watch_latches(connection, [name])[name]
        waiter_count = connection.call("ZCARD", keys.latch_waiters(name))
        is_at_rest = latch.count == 0 and not waiter_count
        if expected is not None and read_held_latches(connection, [name])[name] != expected:
            return None, LatchSummary(name, latch.count, 0)
        commands = None if is_at_rest else [*open_latch_commands(stream, latch, tag, now_ms), *also]
        return commands, LatchSummary(name, latch.count, waiter_count)

    return retry_until_committed(connection, attempt)
