"""Latches: counters that all workflows share, and who waits for one to be at zero.

Acquire and release are done once for each attempt of a step: the attempt stands in `W:latched` from the
transaction on that counts it. A release to zero moves the waiters aside with one command, however many they
are; they are let go in transactions of bounded size, by any role that finds them there.

A countdown at zero ends at once if the group has nothing older pending, else as soon as that is so: there may
be an acquire that was read before, by a role that has died.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lfr import events
from lfr.store import keys
from lfr.store.redis.clock import read_time_ms
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.stream.entries import ConsumerId, append_command, check_reply
from lfr.store.waits.registry import (
    add_wait_commands,
    end_task_commands,
    member,
    remove_wait_commands,
    watch_waits,
)
from lfr.store.waits.start import start_receipt_commands, watch_started
from lfr.tasks.catalogue import ACQUIRE, COUNTDOWN
from lfr.tasks.wait_spec import LatchStep, Wait
from lfr.values.json import Json
from lfr.values.stream_id import StreamId

AT_ONCE = 500
"""How many waiters are let go in one transaction."""

_MOST_SHOWN = 100

_REMEMBERED_MS = 3_600_000
"""How long a latch is listed after it has come to zero."""


@dataclass(slots=True)
class Latch:
    """A latch in the making of a transaction. `count` is None if its key holds no whole number."""

    name: str
    count: int | None
    has_waiters: bool

    @property
    def is_zero(self) -> bool:
        """Whether nobody holds it."""
        return self.count is not None and self.count <= 0


@dataclass(slots=True)
class _Draft:
    """What a transaction changes. `is_certain`: nothing older than these steps is still to be dealt with."""

    stream: str
    now_ms: int
    is_certain: bool
    ends: list[dict[str, Json]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def end(self, step: LatchStep, failure: str | None = None) -> None:
        """A step has ended with its input, or failed."""
        reason = None if failure is None else f"{step.task.base}: {failure}"
        self.ends.append(events.end_task_values(step.task, output=step.task.input, failure=reason))


def do_latch_steps(
    connection: Connection, consumer: ConsumerId, steps: Sequence[LatchStep], *, first: str
) -> bool:
    """Acquire, release, begin to count down, in the order of the stream; False if somebody else has touched
    one of these latches or steps. (WATCH, GET, EXISTS, HGET, XPENDING; MULTI/EXEC)

    `first` is the oldest event that was read with them. A release for which an acquire may be missing that
    is older still is left pending: it will be read again.
    """
    standing = watch_started(connection, consumer, steps)
    latches = watch_latches(connection, [step.latch for step in steps])
    is_counted = _watch_marks(connection, steps)
    oldest = _oldest_pending(connection, consumer)
    draft = _Draft(consumer.stream, standing.now_ms, oldest is None or oldest >= StreamId.parse(first))
    done: list[LatchStep] = []
    for step in sorted(steps, key=lambda step: StreamId.parse(step.since)):
        is_wanted = step.since in standing.wanted and not is_counted[step.since]
        if not is_wanted or _do(draft, step, latches[step.latch]):
            done.append(step)
    commands = [*draft.commands, *end_task_commands(consumer.stream, draft.ends, standing.now_ms)]
    return connection.transact(commands + start_receipt_commands(consumer, done, standing.now_ms)) is not None


def watch_latches(connection: Connection, names: Iterable[str]) -> dict[str, Latch]:
    """Watch and read latches. (WATCH, GET, EXISTS)"""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    pairs = [(keys.latch(name), keys.latch_waiters(name)) for name in wanted]
    commands: list[Command] = [("WATCH", *(key for pair in pairs for key in pair))]
    for count, waiters in pairs:
        commands += (("GET", count), ("EXISTS", waiters))
    replies = connection.execute(commands, keep_errors=True)[1:]
    return {
        name: Latch(name, _number(replies[2 * place]), bool(replies[2 * place + 1]))
        for place, name in enumerate(wanted)
    }


@dataclass(frozen=True, slots=True)
class SeenLatch:
    """A latch as it is told of: its count (None if its key holds no whole number), how many count it down,
    and the first of these by workflow and index."""

    name: str
    count: int | None
    waiters: int
    first: Sequence[tuple[str, int]] = ()


def read_latches(connection: Connection) -> list[SeenLatch]:
    """All latches that are listed, by name. (TIME, ZRANGEBYSCORE; GET, ZCARD, ZRANGE)"""
    now_ms = read_time_ms(connection)
    listed = connection.execute([("ZRANGEBYSCORE", keys.LATCHES, now_ms - _REMEMBERED_MS, "+inf")])[0]
    names = sorted(name.decode() for name in listed)
    commands: list[Command] = []
    for name in names:
        waiters = keys.latch_waiters(name)
        commands += (("GET", keys.latch(name)), ("ZCARD", waiters), ("ZRANGE", waiters, 0, _MOST_SHOWN - 1))
    replies = connection.execute(commands, keep_errors=True) if commands else []
    seen: list[SeenLatch] = []
    for place, name in enumerate(names):
        count, waiters, first = replies[3 * place : 3 * place + 3]
        shown = [member.decode().rsplit(" ", 2) for member in first]
        steps = [(workflow, int(index)) for workflow, index, _ in shown]
        seen.append(SeenLatch(name, _number(count), waiters, steps))
    return seen


def reset(connection: Connection, stream: str, name: str, tag: str) -> SeenLatch | None:
    """Bring a latch to zero, if it is not there or somebody counts it down; what it was, or None if somebody
    else has touched it meanwhile. `tag` is unique. (WATCH, GET, EXISTS, ZCARD; MULTI/EXEC)"""
    now_ms = read_time_ms(connection)
    latch = watch_latches(connection, [name])[name]
    waiters = connection.execute([("ZCARD", keys.latch_waiters(name))])[0]
    if latch.count == 0 and not waiters:
        connection.execute([("UNWATCH",)])
    elif connection.transact(zero_latch_commands(stream, latch, tag, now_ms)) is None:
        return None
    return SeenLatch(name, latch.count, waiters)


def let_all_go(connection: Connection, stream: str) -> None:
    """End all countdowns that have been let go."""
    while let_go(connection, stream, read_time_ms(connection)):
        pass


def zero_latch_commands(stream: str, latch: Latch, tag: str, now_ms: int) -> list[Command]:
    """The commands that bring a latch to zero, move its waiters aside and tell of it. `tag` is unique."""
    at = events.timestamp(now_ms / 1000)
    commands: list[Command] = [
        ("SET", keys.latch(latch.name), 0, "PX", _REMEMBERED_MS),
        ("ZREMRANGEBYSCORE", keys.LATCHES, "-inf", now_ms - _REMEMBERED_MS),
        ("ZADD", keys.LATCHES, now_ms, latch.name),
    ]
    if latch.has_waiters:
        commands.append(("RENAME", keys.latch_waiters(latch.name), keys.opened(tag)))
        commands.append(("SADD", keys.OPENED, tag))
    told = {"latch": keys.latch(latch.name), "name": latch.name}
    return [*commands, append_command(stream, events.LATCH_ZERO, at, told)]


def let_go(connection: Connection, stream: str, now_ms: int) -> bool:
    """End some of the countdowns that a latch at zero has let go; whether there may be more. (SRANDMEMBER,
    ZRANGE; WATCH, GET; MULTI/EXEC)"""
    tag = connection.execute([("SRANDMEMBER", keys.OPENED)])[0]
    if tag is None:
        return False
    opened = keys.opened(tag.decode())
    members = [name.decode() for name in connection.execute([("ZRANGE", opened, 0, AT_ONCE - 1)])[0]]
    waits = [wait for wait in watch_waits(connection, members) if wait is not None]
    commands = end_task_commands(stream, [wait.ending() for wait in waits], now_ms) + remove_wait_commands(
        waits
    )
    commands += [("ZREM", opened, *members)] if members else []
    commands += [("SREM", keys.OPENED, tag.decode())] if len(members) < AT_ONCE else []
    connection.transact(commands)
    return True


def end_countdowns(connection: Connection, consumer: ConsumerId, now_ms: int) -> None:
    """End some of the countdowns that began at a latch of zero, if nothing older can change that any more.
    (ZRANGE, XPENDING; WATCH, GET; MULTI/EXEC)"""
    names = connection.execute([("ZRANGE", keys.COUNTDOWNS, 0, AT_ONCE - 1)])[0]
    oldest = _oldest_pending(connection, consumer)
    members = [name.decode() for name in names]
    waits = dict(zip(members, watch_waits(connection, members), strict=True))
    settled = {
        name: wait
        for name, wait in waits.items()
        if wait is None or oldest is None or StreamId.parse(wait.since) < oldest
    }
    if not settled:
        connection.execute([("UNWATCH",)])
        return
    there = [wait for wait in settled.values() if wait is not None]
    latches = watch_latches(connection, (wait.latch or "" for wait in there))
    ended = [wait for wait in there if latches[wait.latch or ""].is_zero]
    commands = end_task_commands(
        consumer.stream, [wait.ending() for wait in ended], now_ms
    ) + remove_wait_commands(ended)
    connection.transact([*commands, ("ZREM", keys.COUNTDOWNS, *settled)])


def _watch_marks(connection: Connection, steps: Sequence[LatchStep]) -> dict[str, bool]:
    """Whether each of these attempts has been counted, by the id of its start-task. (WATCH, HEXISTS)"""
    commands: list[Command] = [("WATCH", *(keys.latched(step.task.workflow) for step in steps))]
    commands += [("HEXISTS", keys.latched(step.task.workflow), _attempt(step)) for step in steps]
    replies = connection.execute(commands)[1:]
    return {step.since: bool(reply) for step, reply in zip(steps, replies, strict=True)}


def _oldest_pending(connection: Connection, consumer: ConsumerId) -> tuple[int, int] | None:
    """The oldest event that a role has read and not dealt with. (XPENDING)"""
    pending = check_reply(
        connection.execute([("XPENDING", consumer.stream, consumer.group)], keep_errors=True)[0]
    )
    return StreamId.parse(pending[1].decode()) if pending[1] else None


def _do(draft: _Draft, step: LatchStep, latch: Latch) -> bool:
    """Do a step, or say why that cannot be; False if it is to be done later."""
    if latch.count is None:
        draft.end(step, f"{keys.latch(latch.name)} holds something that is no whole number")
    elif step.task.base == COUNTDOWN:
        _count_down(draft, step, latch)
    elif step.task.base == ACQUIRE:
        _set(draft, latch, max(latch.count, 0) + 1)
        draft.commands.append(("ZADD", keys.LATCHES, "+inf", latch.name))
        _mark(draft, step)
    elif latch.is_zero and not draft.is_certain:
        return False
    elif latch.is_zero:
        _mark(draft, step, f"the latch {latch.name} is at zero, so there is nothing to release")
    else:
        if latch.count == 1:
            draft.commands += zero_latch_commands(draft.stream, latch, step.since, draft.now_ms)
            latch.count, latch.has_waiters = 0, False
        else:
            _set(draft, latch, latch.count - 1)
        _mark(draft, step)
    return True


def _set(draft: _Draft, latch: Latch, count: int) -> None:
    latch.count = count
    draft.commands.append(("SET", keys.latch(latch.name), count))


def _mark(draft: _Draft, step: LatchStep, failure: str | None = None) -> None:
    """The step has been counted, or refused, and ends. Its attempt before counts no more: in a loop there
    would be more and more of them."""
    task = step.task
    draft.commands.append(("HSET", keys.latched(task.workflow), _attempt(step), step.latch))
    if task.attempt > 1:
        draft.commands.append(("HDEL", keys.latched(task.workflow), f"{task.index}.{task.attempt - 1}"))
    draft.end(step, failure)


def _count_down(draft: _Draft, step: LatchStep, latch: Latch) -> None:
    """End at once, or begin to wait."""
    if latch.is_zero and draft.is_certain:
        draft.end(step)
        return
    wait = Wait(step.task, step.since, latch=step.latch)
    draft.commands += add_wait_commands(wait)
    latch.has_waiters = True
    if latch.is_zero:
        draft.commands.append(("ZADD", keys.COUNTDOWNS, StreamId.parse(step.since).ms, member(wait)))
    else:
        draft.commands.append(("ZADD", keys.LATCHES, "NX", "+inf", step.latch))


def _attempt(step: LatchStep) -> str:
    return f"{step.task.index}.{step.task.attempt}"


def _number(reply: Reply) -> int | None:
    try:
        return int(reply or 0)
    except (TypeError, ValueError):
        return None
