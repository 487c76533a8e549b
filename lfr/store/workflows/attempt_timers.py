"""What is due for steps by the clock: attempts that have taken too long, and attempts that wait to be made.

A deadline is one member of a zset that says all that is to be said, so to fire it twice does no harm: the
second end-task speaks of an attempt that is over. A start that waits is a member and a string of its own,
which holds the event to come. Whoever fires it watches that string, so that of two only one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from lfr import events
from lfr.engine import Fact, FactKind, Transition
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.clock import TIME, parse_time_ms
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import append_command
from lfr.store.workflows.history import history_command
from lfr.values.json import Json, decode_json, decode_json_lines, encode_json, encode_json_lines

_OF_ANY_DEPTH: Final = ("input", "parameters")
"""What of a start-task event may be nested as deeply as values may be: nothing may stand around it."""


class Due(NamedTuple):
    """The time of Redis, and when the next deadline and the next start are due, in ms since the epoch."""

    now_ms: int
    deadline_ms: int | None
    start_ms: int | None


def deadline_command(task: Mapping[str, Json], seconds: float, now_ms: int) -> Command:
    """The command that lets an attempt fail unless it ends in time. `task`: the values of its start-task
    event. (ZADD)"""
    place = (task["workflow"], task["index"], task["attempt"])
    member = deadline_member(*place, seconds, task["name"], task["base"])
    return ("ZADD", keys.DEADLINES, now_ms + round(1000 * seconds), member)


def drop_deadline_commands(members: Sequence[str]) -> list[Command]:
    """The command that forgets deadlines, by what `deadline_member` gives. (ZREM)"""
    return [("ZREM", keys.DEADLINES, *members)] if members else []


def deadline_member(workflow: str, index: int, attempt: int, seconds: float, name: str, base: str) -> str:
    """What a deadline is known by. The names may be any text: of an archive from elsewhere."""
    return f"{_name(workflow, index, attempt)} {seconds:.10g} {encode_json([name, base])}"


def delayed_start_commands(
    task: Mapping[str, Json], delay: float, timeout: float | None, now_ms: int
) -> list[Command]:
    """The commands that keep a start-task event until it is due, in so many seconds. (SET, ZADD)"""
    workflow, index, attempt = task["workflow"], task["index"], task["attempt"]
    about = {name: value for name, value in task.items() if name not in _OF_ANY_DEPTH}
    kept = encode_json_lines({"task": about, "timeout": timeout}, *(task[name] for name in _OF_ANY_DEPTH))
    due_ms = now_ms + round(1000 * delay)
    return [
        ("SET", keys.delayed_start(workflow, index, attempt), kept),
        ("ZADD", keys.DELAYED_STARTS, due_ms, _name(workflow, index, attempt)),
    ]


def drop_delayed_start_commands(workflow: str, attempts: Iterable[tuple[int, int]]) -> list[Command]:
    """The commands that forget starts which wait, by index and attempt. (DEL, ZREM)"""
    names = [(workflow, *attempt) for attempt in attempts]
    if not names:
        return []
    members = [_name(*name) for name in names]
    waiting = [keys.delayed_start(*name) for name in names]
    return [("DEL", *waiting), ("ZREM", keys.DELAYED_STARTS, *members)]


def read_delayed_starts(connection: Connection, names: Sequence[tuple[str, int, int]]) -> list[int | None]:
    """When each of these attempts is due, by workflow, index and attempt, in ms since the epoch; None if it
    does not wait. (ZSCORE)"""
    asked: list[Command] = [("ZSCORE", keys.DELAYED_STARTS, _name(*name)) for name in names]
    return [None if due is None else int(float(due)) for due in (connection.execute(asked) if asked else ())]


def read_next_due(connection: Connection) -> Due:
    """When something is due next. (TIME, ZRANGE)"""
    first = [("ZRANGE", key, 0, 0, "WITHSCORES") for key in (keys.DEADLINES, keys.DELAYED_STARTS)]
    time, *dues = connection.execute([TIME, *first])
    deadline, start = (int(float(due[1])) if due else None for due in dues)
    return Due(parse_time_ms(time), deadline, start)


def fire_deadlines(connection: Connection, stream: str, now_ms: int, *, count: int) -> None:
    """Let up to `count` attempts fail that have taken too long. (ZRANGEBYSCORE; MULTI/EXEC)"""
    members = _due(connection, keys.DEADLINES, now_ms, count)
    if not members:
        return
    at = events.timestamp(now_ms / 1000)
    commands: list[Command] = []
    for member in members:
        workflow, index, attempt, seconds, names = member.split(" ", 4)
        name, base = decode_json(names.encode())
        attempt_of = {"workflow": workflow, "name": name, "index": int(index), "attempt": int(attempt)}
        reason = f"timeout: it has not ended within {seconds} s"
        failed = {**attempt_of, "status": events.Status.FAILURE, "reason": reason}
        commands.append(append_command(stream, events.END_TASK, at, failed))
        commands.append(append_command(stream, events.CANCEL_TASK, at, {**attempt_of, "base": base}))
    connection.transact([*commands, ("ZREM", keys.DEADLINES, *members)])


def fire_starts(connection: Connection, stream: str, now_ms: int, *, count: int) -> None:
    """Append up to `count` start-task events that are due. (ZRANGEBYSCORE; WATCH, GET; MULTI/EXEC)"""
    members = _due(connection, keys.DELAYED_STARTS, now_ms, count)
    if not members:
        return
    waiting = [keys.delayed_start(*_read_name(member)) for member in members]
    kept = connection.execute([("WATCH", *waiting), *(("GET", key) for key in waiting)])[1:]
    commands: list[Command] = []
    for value in kept:
        if value is not None:
            commands += _start(stream, value, now_ms)
    connection.transact([*commands, ("DEL", *waiting), ("ZREM", keys.DELAYED_STARTS, *members)])


def _start(stream: str, kept: bytes, now_ms: int) -> list[Command]:
    told, *values = decode_json_lines(kept)
    task, timeout = {**told["task"], **dict(zip(_OF_ANY_DEPTH, values, strict=True))}, told["timeout"]
    started = Transition(
        state=WorkflowState.RUNNING, facts=[Fact(task["index"], FactKind.STARTED, task["attempt"])]
    )
    return [
        append_command(stream, events.START_TASK, events.timestamp(now_ms / 1000), task),
        history_command(task["workflow"], now_ms, started),
        *([] if timeout is None else [deadline_command(task, timeout, now_ms)]),
    ]


def _due(connection: Connection, key: str, now_ms: int, count: int) -> list[str]:
    members = connection.execute([("ZRANGEBYSCORE", key, "-inf", now_ms, "LIMIT", 0, count)])[0]
    return [member.decode() for member in members]


def _name(workflow: str, index: int, attempt: int) -> str:
    return f"{workflow} {index} {attempt}"


def _read_name(member: str) -> tuple[str, int, int]:
    workflow, index, attempt = member.split(" ")
    return workflow, int(index), int(attempt)
