"""What people do with schedules: list, show, add, pause, resume, trigger, backfill, remove."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from lfr.errors import BadInput, Conflict, NotFound, WrongType
from lfr.operations.decide_schedule import decide_until, start_of
from lfr.operations.find_flow import load_stored_flow
from lfr.operations.operator_actions import note_action
from lfr.operations.schedule_changes import new_schedule_commands
from lfr.operations.start import watch_starts
from lfr.schedules.decide import MAX_RUNNING, Outcome, OutcomeKind, ScheduleState, is_due, pass_over
from lfr.schedules.occurrences import CronTiming, load_zone
from lfr.schedules.spec import (
    BadSchedule,
    Schedule,
    check_input,
    check_schedule_name,
    describe_timing,
    parse_schedule,
)
from lfr.schedules.start_ids import start_id
from lfr.store import keys
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Connection, Store, read_time_ms
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.schedules import (
    BY_HAND,
    FROM_TEXT,
    MAX_OUTCOMES,
    StoredSchedule,
    load_outcomes,
    load_problems,
    load_schedule_names,
    load_schedules,
    outcome_commands,
    problem_commands,
    remove_schedule_commands,
    state_commands,
    watch_schedules,
)
from lfr.values.checks import suggestion
from lfr.values.json import Json
from lfr.values.times import iso_time, parse_timestamp

PREVIEW: Final = 20
"""How many times to come `describe_schedule` names."""

MAX_BACKFILL: Final = 1000
"""How many workflows one backfill starts, at most."""


def list_schedules(store: Store) -> list[dict[str, Any]]:
    """Return the schedules by name, as plain data.

    name, flow (NAME or NAME@VERSION), origin (text or hand), schedule (as it was written), times (in words),
    timezone, next (the next time), paused (why; null: it is not), running (the ids of its workflows),
    failures (how many failed since one has finished), problem (what is wrong with it; null: nothing), latest
    (its latest outcome as in `describe_schedule`, or null).
    """
    with store.connect() as connection:
        schedules = load_schedules(connection, load_schedule_names(connection))
        problems = load_problems(connection)
        now_ms = read_time_ms(connection)
    return [_describe(schedule, problems.get(name), now_ms) for name, schedule in schedules.items()]


def describe_schedule(store: Store, name: str) -> dict[str, Any]:
    """Return a schedule as plain data: what `list_schedules` returns, and made, queued (the time whose start
    waits), upcoming (the next twenty times: time, local, due) and outcomes, the newest first: outcome, time,
    until and count (if there are several), at, workflow, reason. Raises NotFound."""
    with store.connect() as connection:
        schedule = _require(load_schedules(connection, [name]).get(name), name, connection)
        outcomes = load_outcomes(connection, name, MAX_OUTCOMES)
        problem = load_problems(connection).get(name)
        now_ms = read_time_ms(connection)
    queued_ms = schedule.state.queued_ms
    return {
        **_describe(schedule, problem, now_ms),
        "made": iso_time(schedule.made_ms),
        "queued": None if queued_ms is None else iso_time(queued_ms),
        "upcoming": _preview(schedule, now_ms),
        "outcomes": [_describe_outcome(outcome) for outcome in reversed(outcomes)],
    }


def add_schedule(store: Store, name: str, schedule: Mapping[str, Json], flow: str) -> dict[str, Any]:
    """Make a schedule by hand for a stored flow, `NAME` (its latest version at each start) or `NAME@VERSION`;
    return it as `describe_schedule` does. `schedule` is as in a flow text.

    Raises BadInput for what it says, NotFound for the flow, Conflict if the name is in use.
    """
    try:
        check_schedule_name(name)
        parsed = parse_schedule(dict(schedule))
    except BadSchedule as error:
        raise BadInput(str(error)) from None
    with store.connect() as connection:
        parameters = load_stored_flow(connection, flow).flow.parameters
        try:
            check_input(parameters, parsed.input)
        except BadSchedule as error:
            raise BadInput(str(error)) from None
        spec = json.dumps(dict(schedule), sort_keys=True, ensure_ascii=False)

        def attempt() -> tuple[Sequence[Command] | None, None]:
            if name in watch_schedules(connection, [name]):
                hint = "choose another name, or lfr schedule remove it"
                raise Conflict(f"there is a schedule {name} already", hint=hint)
            now_ms = read_time_ms(connection)
            commands = new_schedule_commands(name, spec, flow=flow, origin=BY_HAND, now_ms=now_ms)
            return [*commands, *note_action(store, "add-schedule", schedule=name)], None

        retry_until_committed(connection, attempt)
    return describe_schedule(store, name)


def remove_schedule(store: Store, name: str) -> None:
    """Remove a schedule that was made by hand; its workflows go on. Raises NotFound, and Conflict if it
    stands in a flow text."""
    with store.connect() as connection:

        def attempt() -> tuple[Sequence[Command] | None, None]:
            schedule = _require(watch_schedules(connection, [name]).get(name), name, connection)
            if schedule.origin == FROM_TEXT:
                hint = f"remove it there and lfr apply it, or lfr schedule pause {name}"
                raise Conflict(f"the schedule {name} stands in the text of the flow {name}", hint=hint)
            note = note_action(store, "remove-schedule", schedule=name)
            return [*remove_schedule_commands(name), *note], None

        retry_until_committed(connection, attempt)


def pause_schedule(store: Store, name: str, reason: str = "") -> None:
    """Pause a schedule: nothing is started for the times from now on until it is resumed. Times that are due
    already, and that no lifecycle has decided, are decided before. Raises NotFound, and Conflict if it is
    paused."""
    words = _by_hand(store, reason)

    def change(
        schedule: StoredSchedule, parsed: Schedule, now_ms: int
    ) -> tuple[ScheduleState, list[Outcome]]:
        if schedule.state.paused:
            raise Conflict(f"the schedule {name} is paused already: {schedule.state.paused}")
        outcome = Outcome(OutcomeKind.PAUSED, now_ms, now_ms, 1, now_ms, reason=words)
        return replace(schedule.state, paused=words), [outcome]

    _change(store, "pause-schedule", name, change)


def _by_hand(store: Store, reason: str = "") -> str:
    """Return why something was done to a schedule, and who has done it."""
    actor = store.actor
    words = reason.strip() or (actor.reason if actor else "") or "by hand"
    return f"{words} ({actor.name})" if actor else words


def resume_schedule(store: Store, name: str) -> None:
    """Resume a paused schedule, from now on: the times meanwhile count as missed. Raises NotFound, and
    Conflict if it is not paused."""

    def change(
        schedule: StoredSchedule, parsed: Schedule, now_ms: int
    ) -> tuple[ScheduleState, list[Outcome]]:
        if not schedule.state.paused:
            raise Conflict(f"the schedule {name} is not paused")
        state, outcomes = pass_over(parsed, schedule.state, now_ms, "the schedule was paused")
        outcomes.append(Outcome(OutcomeKind.RESUMED, now_ms, now_ms, 1, now_ms, reason=_by_hand(store)))
        return replace(state, paused="", failures=0), outcomes

    _change(store, "resume-schedule", name, change)


def trigger_schedule(store: Store, name: str) -> str:
    """Start a workflow of a schedule now, also if it is paused or another one runs; return its id. Raises
    NotFound, also for its flow, BadInput if its input does not fit, and as `start_workflow`."""
    return _start_by_hand(store, name, None, OutcomeKind.TRIGGERED)[0]


@dataclass(frozen=True, slots=True)
class Backfill:
    """The times of a schedule in a range, for which workflows are to be started."""

    name: str
    times_ms: Sequence[int]

    def ids(self) -> list[str]:
        """Return the ids of their workflows."""
        return [start_id(self.name, time_ms) for time_ms in self.times_ms]


def plan_backfill(store: Store, name: str, start: str, end: str) -> Backfill:
    """Return the times of a schedule from `start` to `end`, both included, that lie behind it. Raises
    BadInput, also for more than a thousand, and NotFound."""
    limits = [parse_timestamp(text) for text in (start, end)]
    if limits[0] is None or limits[1] is None:
        raise BadInput("a backfill goes from one time to another, in ISO 8601, as 2026-11-01T00:00Z")
    with store.connect() as connection:
        schedule = _require(load_schedules(connection, [name]).get(name), name, connection)
    last_ms = min(limits[1], schedule.state.cursor_ms)
    times = schedule.parse().timing.after(limits[0] - 1)
    times_ms: list[int] = []
    for time_ms in times:
        if time_ms > last_ms:
            break
        if len(times_ms) == MAX_BACKFILL:
            hint = "choose a shorter range"
            raise BadInput(f"that are more than {MAX_BACKFILL} workflows", hint=hint)
        times_ms.append(time_ms)
    return Backfill(name, times_ms)


def backfill(store: Store, plan: Backfill) -> Iterator[tuple[str, bool]]:
    """Start a workflow for each time of the plan; yield its id, and whether it is new: one that exists is
    left alone. What is started is started, wherever this is interrupted. Raises as `trigger_schedule`."""
    for time_ms in plan.times_ms:
        yield _start_by_hand(store, plan.name, time_ms, OutcomeKind.BACKFILLED)


def _start_by_hand(store: Store, name: str, time_ms: int | None, kind: OutcomeKind) -> tuple[str, bool]:
    with store.connect() as connection:

        def attempt() -> tuple[Sequence[Command] | None, tuple[str, bool]]:
            schedule = _require(watch_schedules(connection, [name]).get(name), name, connection)
            now_ms = read_time_ms(connection)
            start_ms = now_ms if time_ms is None else time_ms
            while True:
                id = start_id(name, start_ms)
                try:
                    start = start_of(store, connection, schedule, schedule.parse(), start_ms)
                    [commands] = watch_starts(connection, RouteCache(store), [start], may_exist=True)
                except WrongType:
                    raise
                except Conflict:
                    commands = None  # it ran another version of the flow
                if commands is not None:
                    break
                if time_ms is not None:
                    return None, (id, False)
                start_ms += 1  # somebody else has just triggered it
            running = (*schedule.state.running, id)[-MAX_RUNNING:]
            changed = replace(schedule, state=replace(schedule.state, running=running))
            outcome = Outcome(kind, start_ms, start_ms, 1, now_ms, id, _by_hand(store))
            commands += state_commands(changed, None if changed.state.paused else now_ms)
            commands += outcome_commands(schedule, [outcome])
            action = "trigger-schedule" if kind is OutcomeKind.TRIGGERED else "backfill-schedule"
            return [*commands, *note_action(store, action, schedule=name, workflow=id)], (id, True)

        return retry_until_committed(connection, attempt)


def _change(
    store: Store,
    action: str,
    name: str,
    change: Callable[[StoredSchedule, Schedule, int], tuple[ScheduleState, list[Outcome]]],
) -> None:
    with store.connect() as connection:

        def attempt() -> tuple[Sequence[Command] | None, None]:
            schedule = _require(watch_schedules(connection, [name]).get(name), name, connection)
            now_ms, parsed = read_time_ms(connection), schedule.parse()
            if is_due(name, parsed, schedule.state, now_ms):
                connection.unwatch()
                decide_until(store, connection, name, now_ms)
                raise ReadAgain
            state, outcomes = change(schedule, parsed, now_ms)
            changed = schedule.with_state(state, now_ms)
            problems = problem_commands(changed, outcomes)
            if schedule.state.paused and not state.paused:
                problems = [("HDEL", keys.SCHEDULE_PROBLEMS, name)]
            return [
                *state_commands(changed, None if changed.state.paused else now_ms),
                *outcome_commands(schedule, outcomes),
                *problems,
                *note_action(store, action, schedule=name),
            ], None

        retry_until_committed(connection, attempt)


def _require(schedule: StoredSchedule | None, name: str, connection: Connection) -> StoredSchedule:
    if schedule is not None:
        return schedule
    hint = suggestion(name, load_schedule_names(connection)) or "lfr schedule list shows them"
    raise NotFound(f"there is no schedule {name[:60]}", hint=hint)


def _describe(schedule: StoredSchedule, problem: str | None, now_ms: int) -> dict[str, Any]:
    spec = json.loads(schedule.spec)
    upcoming = _preview(schedule, now_ms, 1)
    return {
        "name": schedule.name,
        "flow": schedule.flow,
        "origin": schedule.origin,
        "schedule": spec,
        "times": describe_timing(spec),
        "timezone": spec.get("timezone", "UTC"),
        "next": upcoming[0]["time"] if upcoming else None,
        "paused": schedule.state.paused or None,
        "running": list(schedule.state.running),
        "failures": schedule.state.failures,
        "problem": problem,
        "latest": None if schedule.latest is None else _describe_outcome(schedule.latest),
    }


def _preview(schedule: StoredSchedule, now_ms: int, count: int = PREVIEW) -> list[dict[str, Any]]:
    try:
        parsed = schedule.parse()
    except BadSchedule:
        return []
    zone = load_zone(parsed.timing.zone if isinstance(parsed.timing, CronTiming) else "UTC")
    after_ms = max(schedule.state.cursor_ms, now_ms) if schedule.state.paused else schedule.state.cursor_ms
    return [
        {
            "time": iso_time(time_ms),
            "local": datetime.fromtimestamp(time_ms / 1000, zone).isoformat(),
            "due": iso_time(parsed.due_ms(schedule.name, time_ms)),
        }
        for time_ms in islice(parsed.timing.after(after_ms), count)
    ]


def _describe_outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "outcome": outcome.kind.value,
        "time": iso_time(outcome.first_ms),
        "until": iso_time(outcome.last_ms) if outcome.count > 1 else None,
        "count": outcome.count,
        "at": iso_time(outcome.at_ms),
        "workflow": outcome.workflow or None,
        "reason": outcome.reason or None,
    }
