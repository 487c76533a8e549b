"""The schedules: what each says, how far it is, and what has become of its latest times.

A schedule is a hash. spec (JSON), flow (the reference of a stored flow), origin (`text`: it stands in the
text of the flow with its name; `hand`), made; and its state: cursor, running, queued, failures, paused,
paused_at. Times are in milliseconds since the epoch. Who changes a schedule watches it, so that each of its
times is decided once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lfr.errors import WrongType
from lfr.schedules.decide import STARTS, Outcome, OutcomeKind, ScheduleState
from lfr.schedules.spec import Schedule, parse_stored_schedule
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import parse_pairs

FROM_TEXT: Final = "text"
BY_HAND: Final = "hand"

MAX_OUTCOMES: Final = 200
"""How many outcomes are kept of each schedule."""


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule as it is stored, with its latest outcome; the module's text explains the other fields."""

    name: str
    spec: str
    flow: str
    origin: str
    made_ms: int
    state: ScheduleState
    paused_ms: int = 0
    latest: Outcome | None = None

    def parse(self) -> Schedule:
        """Return what it says. Raises BadSchedule if this version of lfr cannot use it."""
        return parse_stored_schedule(self.spec)

    def with_state(self, state: ScheduleState, now_ms: int) -> StoredSchedule:
        """Return it with another state, which it has since `now_ms`."""
        paused_ms = 0 if not state.paused else self.paused_ms or now_ms
        return replace(self, state=state, paused_ms=paused_ms)


def load_schedule_names(connection: Connection) -> list[str]:
    """Return the names of all schedules, sorted. (SMEMBERS)"""
    return sorted(name.decode() for name in connection.call("SMEMBERS", keys.SCHEDULES))


def count_schedules(connection: Connection) -> dict[str, int]:
    """Return how many schedules there are, `count`, and how many of them are to be decided again some time,
    `due`: neither paused nor over. (SCARD, ZCARD)"""
    count, due = connection.execute([("SCARD", keys.SCHEDULES), ("ZCARD", keys.SCHEDULES_DUE)])
    return {"count": count, "due": due}


def load_schedules(connection: Connection, names: Sequence[str]) -> dict[str, StoredSchedule]:
    """Return those of these schedules that exist, by name. (HGETALL, LRANGE) Raises WrongType."""
    pipeline = Pipeline(connection)
    replies = {
        name: (
            pipeline.add("HGETALL", keys.schedule(name)),
            pipeline.add("LRANGE", keys.schedule_outcomes(name), -1, -1),
        )
        for name in names
    }
    pipeline.send()
    return {
        name: _parse(name, fields.value, latest.value)
        for name, (fields, latest) in replies.items()
        if fields.value
    }


def watch_schedules(connection: Connection, names: Sequence[str]) -> dict[str, StoredSchedule]:
    """Return those of these schedules that exist, by name, and watch all of them. (WATCH, HGETALL)"""
    if names:
        connection.execute([("WATCH", *map(keys.schedule, names))])
    return load_schedules(connection, names)


def store_commands(schedule: StoredSchedule, due_ms: int | None) -> list[Command]:
    """Return the commands that store a schedule, new or with another text, and when it is to be decided
    again; None: never. (HSET, SADD, ZADD or ZREM)"""
    fields = ["spec", schedule.spec, "flow", schedule.flow, "origin", schedule.origin]
    return [
        ("HSET", keys.schedule(schedule.name), *fields, "made", schedule.made_ms),
        ("SADD", keys.SCHEDULES, schedule.name),
        *state_commands(schedule, due_ms),
    ]


def state_commands(schedule: StoredSchedule, due_ms: int | None) -> list[Command]:
    """Return those of `store_commands` that store how far a schedule is. (HSET, ZADD or ZREM)"""
    state = schedule.state
    fields: list[str | int] = ["cursor", state.cursor_ms, "running", " ".join(state.running)]
    fields += ["queued", "" if state.queued_ms is None else state.queued_ms, "failures", state.failures]
    fields += ["paused", state.paused, "paused_at", schedule.paused_ms]
    return [("HSET", keys.schedule(schedule.name), *fields), due_command(schedule.name, due_ms)]


def due_command(name: str, due_ms: int | None) -> Command:
    """Return the command that sets when a schedule is to be decided again; None: never. (ZADD or ZREM)"""
    if due_ms is None:
        return ("ZREM", keys.SCHEDULES_DUE, name)
    return ("ZADD", keys.SCHEDULES_DUE, due_ms, name)


def remove_schedule_commands(name: str) -> list[Command]:
    """Return the commands that remove a schedule and all that is known of it. (DEL, SREM, ZREM, HDEL)"""
    return [
        ("DEL", keys.schedule(name), keys.schedule_outcomes(name)),
        ("SREM", keys.SCHEDULES, name),
        ("ZREM", keys.SCHEDULES_DUE, name),
        ("HDEL", keys.SCHEDULE_PROBLEMS, name),
    ]


def outcome_commands(schedule: StoredSchedule, outcomes: Sequence[Outcome]) -> list[Command]:
    """Return the commands that append outcomes of a schedule. One that only repeats the latest is counted
    with it. (RPUSH, LSET, LTRIM)"""
    if not outcomes:
        return []
    key, latest = keys.schedule_outcomes(schedule.name), schedule.latest
    commands: list[Command] = []
    for entry in outcomes:
        merged = None if latest is None else latest.merged(entry)
        latest = merged or entry
        text = _dump(latest)
        commands.append(("RPUSH", key, text) if merged is None else ("LSET", key, -1, text))
    return [*commands, ("LTRIM", key, -MAX_OUTCOMES, -1)]


def load_outcomes(connection: Connection, name: str, count: int) -> list[Outcome]:
    """Return the latest outcomes of a schedule, up to `count`, the oldest first. (LRANGE)"""
    return [_load(text) for text in connection.call("LRANGE", keys.schedule_outcomes(name), -count, -1)]


def read_due_schedules(connection: Connection, now_ms: int, count: int) -> list[str]:
    """Return the names of up to `count` schedules that are to be decided now. (ZRANGEBYSCORE)"""
    names = connection.call("ZRANGEBYSCORE", keys.SCHEDULES_DUE, "-inf", now_ms, "LIMIT", 0, count)
    return [name.decode() for name in names]


def read_oldest_due_ms(connection: Connection) -> int | None:
    """Return when the first of all schedules is to be decided, in milliseconds since the epoch; it may be to
    come. None: none is. (ZRANGE)"""
    first = connection.call("ZRANGE", keys.SCHEDULES_DUE, 0, 0, "WITHSCORES")
    return int(float(first[1])) if first else None


def load_states(connection: Connection, ids: Sequence[str]) -> dict[str, WorkflowState | None]:
    """Return the states of workflows by id; None: there is none. (HGET)"""
    states = connection.execute([("HGET", id, "state") for id in ids], keep_errors=True)
    return {
        id: WorkflowState(state.decode()) if isinstance(state, bytes) else None
        for id, state in zip(ids, states, strict=True)
    }


def problem_commands(schedule: StoredSchedule, outcomes: Sequence[Outcome]) -> list[Command]:
    """Return the command that notes what is wrong with a schedule after these outcomes, or that nothing is;
    none if they change nothing. (HSET or HDEL)"""
    if schedule.state.paused:
        return [("HSET", keys.SCHEDULE_PROBLEMS, schedule.name, f"paused: {schedule.state.paused}")]
    if not outcomes:
        return []
    latest = outcomes[-1]
    if latest.kind in (OutcomeKind.MISSED, OutcomeKind.REFUSED):
        return [("HSET", keys.SCHEDULE_PROBLEMS, schedule.name, f"{latest.kind}: {latest.reason}")]
    return [("HDEL", keys.SCHEDULE_PROBLEMS, schedule.name)] if latest.kind in STARTS else []


def load_problems(connection: Connection) -> dict[str, str]:
    """Return what is wrong with schedules, by name. (HGETALL)"""
    pairs = parse_pairs(connection.call("HGETALL", keys.SCHEDULE_PROBLEMS))
    return {name.decode(): text.decode() for name, text in sorted(pairs.items())}


def _parse(name: str, reply: Reply, latest: Reply) -> StoredSchedule:
    fields = {key.decode(): value.decode() for key, value in parse_pairs(reply).items()}
    try:
        state = ScheduleState(
            cursor_ms=int(fields["cursor"]),
            running=tuple(fields["running"].split()),
            queued_ms=int(fields["queued"]) if fields["queued"] else None,
            failures=int(fields["failures"]),
            paused=fields["paused"],
        )
        parts = fields["spec"], fields["flow"], fields["origin"], int(fields["made"])
        outcome = _load(latest[0]) if latest else None
        return StoredSchedule(name, *parts, state, int(fields["paused_at"]), outcome)
    except (KeyError, ValueError):
        key = keys.schedule(name)
        raise WrongType(f"{key} holds no schedule", key, hint="lfr has not written it: delete it") from None


def _dump(outcome: Outcome) -> str:
    data = [outcome.kind, outcome.first_ms, outcome.last_ms, outcome.count, outcome.at_ms]
    return json.dumps([*data, outcome.workflow, outcome.reason], separators=(",", ":"))


def _load(text: bytes) -> Outcome:
    kind, *values = json.loads(text)
    return Outcome(OutcomeKind(kind), *values)
