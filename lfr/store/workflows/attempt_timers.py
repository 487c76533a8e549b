"""The timers of attempts: fires deadlines and delayed starts that are due.

A deadline is one member of a zset that holds all that is needed when it is due. To fire it twice does no
harm: the second end-task event is stale. A delayed start is a member of a zset, and a string with the
start-task event. The process that fires it watches the string, so that of two processes only one appends the
event. `commit` sets and deletes both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lfr import events
from lfr.engine.transition import Fact, FactKind
from lfr.step_options import Invocation
from lfr.store import keys
from lfr.store.queues.pauses import load_holds
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import TIME, Command, Connection, parse_time_ms
from lfr.store.stream.entries import append_command, flatten_pairs
from lfr.store.workflows.attempt_status import runs
from lfr.store.workflows.commit import history_command
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.large_values import with_whole_input
from lfr.store.workflows.standing_deadlines import find_standing, put_aside
from lfr.store.workflows.start_events import parse_deadline, parse_delayed_start, start_task_commands
from lfr.store.workflows.workflow_timeouts import fire_workflow_deadlines
from lfr.values.times import format_timestamp

_MAX_WAIT_SECONDS: Final = 1.0
"""How long to wait at most before the timers are read again: other processes set timers, too."""


_ZSETS: Final = (keys.DEADLINES, keys.DELAYED_STARTS, keys.WORKFLOW_DEADLINES, keys.SCHEDULES_DUE)


def fire_due_timers(
    connection: Connection,
    route_cache: RouteCache,
    flows: FlowCache,
    decide_schedules: Callable[[Connection, int], None],
    *,
    count: int,
) -> float:
    """Fire up to `count` due deadlines of attempts or, if none is due, delayed starts, or deadlines of
    workflows. The deadline of an attempt appends a failed end-task and a cancel-task event, a delayed start
    its start-task event. Before, if schedules are due, call
    `decide_schedules` with the time. Return the seconds until the next timer, at most 1; 0 if some were due,
    because there may be more. (TIME, ZRANGE)"""
    time, *first_members = connection.execute(
        [TIME, *(("ZRANGE", key, 0, 0, "WITHSCORES") for key in _ZSETS)]
    )
    now_ms = parse_time_ms(time)
    deadline_ms, start_ms, workflow_ms, schedule_ms = (
        int(float(member[1])) if member else None for member in first_members
    )
    if schedule_ms is not None and schedule_ms <= now_ms:
        decide_schedules(connection, now_ms)
    if deadline_ms is not None and deadline_ms <= now_ms:
        _fire_deadlines(connection, route_cache, now_ms, count)
        return 0.0
    if start_ms is not None and start_ms <= now_ms:
        _fire_delayed_starts(connection, route_cache, now_ms, count)
        return 0.0
    if workflow_ms is not None and workflow_ms <= now_ms:
        fire_workflow_deadlines(connection, route_cache, flows, now_ms)
        return 0.0
    times = (deadline_ms, start_ms, workflow_ms, schedule_ms)
    next_ms = min((due_ms for due_ms in times if due_ms is not None), default=None)
    return _MAX_WAIT_SECONDS if next_ms is None else min(max(0, next_ms - now_ms) / 1000, _MAX_WAIT_SECONDS)


def read_held_starts(connection: Connection, attempts: Sequence[events.AttemptId]) -> list[bool]:
    """Return for each of these attempts whether a pause holds it back. (ZSCORE)"""
    members = (keys.attempt_member(*attempt) for attempt in attempts)
    scores = connection.execute([("ZSCORE", keys.HELD_STARTS, member) for member in members])
    return [score is not None for score in scores]


def read_delayed_starts(connection: Connection, attempts: Sequence[events.AttemptId]) -> list[int | None]:
    """Return when each of these attempts starts, in milliseconds since the epoch; None if it is not delayed.
    (ZSCORE)"""
    members = (keys.attempt_member(*attempt) for attempt in attempts)
    scores = connection.execute([("ZSCORE", keys.DELAYED_STARTS, member) for member in members])
    return [None if score is None else int(float(score)) for score in scores]


def _fire_deadlines(connection: Connection, route_cache: RouteCache, now_ms: int, count: int) -> None:
    """Fail up to `count` attempts whose deadline has come, and does not stand still. (ZRANGEBYSCORE; WATCH;
    MULTI/EXEC)"""
    members = _due_members(connection, keys.DEADLINES, now_ms, count)
    if not members:
        return
    routes = route_cache.watch(connection)
    bases: list[str] = []
    at = format_timestamp(now_ms / 1000)
    standing = find_standing(connection, routes.pauses, [member.split(" ")[0] for member in members])
    aside = [member for member in members if member.split(" ")[0] in standing]
    commands = put_aside(connection, keys.DEADLINES, aside)
    for member in members:
        if member in aside:
            continue
        fields, base, timeout = parse_deadline(member)
        reason = f"timeout: it has not ended within {timeout} s"
        failure = {**fields, "status": events.Status.FAILURE, "reason": reason}
        commands.append(append_command(keys.ENDS, events.END_TASK, at, failure))
        commands.append(routes.cancel_command(at, {**fields, "base": base}))
        bases.append(base)
    commands += routes.stale_commands(bases)
    connection.transact([*commands, ("ZREM", keys.DEADLINES, *members)])


def _fire_delayed_starts(connection: Connection, route_cache: RouteCache, now_ms: int, count: int) -> None:
    """Append up to `count` start-task events that are due; those that a pause holds back become held starts,
    and those of attempts that are over are dropped. (ZRANGEBYSCORE; WATCH, MGET, HGET; MULTI/EXEC)"""
    members = _due_members(connection, keys.DELAYED_STARTS, now_ms, count)
    if not members:
        return
    attempts = {member: keys.parse_attempt_member(member) for member in members}
    start_keys = {member: keys.delayed_start(*attempt) for member, attempt in attempts.items()}
    routes = route_cache.watch(connection, *start_keys.values())
    # Unlike GET, MGET answers nil for a key of another type.
    texts, *steps = connection.execute(
        [
            ("MGET", *start_keys.values()),
            *(("HGET", keys.steps(id), index) for id, index, _, _ in attempts.values()),
        ],
        keep_errors=True,
    )
    holds = load_holds(connection, routes.pauses, [attempt[0] for attempt in attempts.values()])
    commands: list[Command] = []
    held: list[str] = []
    for (member, attempt), text, step in zip(attempts.items(), texts, steps, strict=True):
        is_current = isinstance(step, bytes) and runs(step, attempt[2])
        if text is None or not is_current:
            continue
        fields, timeout = parse_delayed_start(text)
        invocation = Invocation(fields["name"], fields["base"], {})
        if attempt[0] in holds and holds[attempt[0]].pause_of(invocation) is not None:
            held.append(member)
            continue
        fields = with_whole_input(connection, routes, fields)
        commands += start_task_commands(routes, fields, timeout)
        fact = Fact(fields["index"], FactKind.STARTED, fields["attempt"])
        commands.append(history_command(fields["workflow"], routes.now_ms, [([fact], "", None)]))
    if held:
        commands.append(("ZADD", keys.HELD_STARTS, *flatten_pairs((now_ms, member) for member in held)))
    if done := [start_keys[member] for member in members if member not in held]:
        commands.append(("DEL", *done))
    connection.transact([*commands, ("ZREM", keys.DELAYED_STARTS, *members)])


def _due_members(connection: Connection, key: str, now_ms: int, count: int) -> list[str]:
    members = connection.call("ZRANGEBYSCORE", key, "-inf", now_ms, "LIMIT", 0, count)
    return [member.decode() for member in members]
