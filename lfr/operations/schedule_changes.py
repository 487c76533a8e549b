"""Makes, changes and removes the schedules in flow texts, in the transaction that stores the flows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from lfr.errors import Conflict
from lfr.schedules.decide import Outcome, ScheduleState, is_due, pass_over
from lfr.schedules.spec import BadSchedule, parse_stored_schedule
from lfr.store.redis.connection import Command
from lfr.store.schedules import (
    FROM_TEXT,
    StoredSchedule,
    outcome_commands,
    problem_commands,
    remove_schedule_commands,
    store_commands,
)
from lfr.values.json import Json

NEW: Final = "new"
CHANGED: Final = "changed"
REMOVED: Final = "removed"


def schedule_changes(
    name: str,
    declared: Mapping[str, Json] | None,
    stored: StoredSchedule | None,
    now_ms: int,
) -> tuple[str, list[Command]]:
    """Return NEW, CHANGED or REMOVED, or an empty text, and the commands that make the schedule of a flow as
    its text declares it; None: it has none. `stored` is the schedule with its name, which is watched.

    Raises Conflict if that one was made by hand.
    """
    if stored is not None and stored.origin != FROM_TEXT:
        if declared is None:
            return "", []
        hint = f"lfr schedule remove {name}, or give the flow another name"
        raise Conflict(f"the schedule {name} was made by hand, and the flow {name} has one, too", hint=hint)
    if declared is None:
        return (REMOVED, remove_schedule_commands(name)) if stored is not None else ("", [])
    spec = _dump_spec(declared)
    if stored is None:
        return NEW, new_schedule_commands(name, spec, flow=name, origin=FROM_TEXT, now_ms=now_ms)
    return ("", []) if stored.spec == spec else (CHANGED, _change_commands(stored, spec, now_ms))


def undecided_schedules(
    schedules: Iterable[StoredSchedule], declared: Mapping[str, Mapping[str, Json] | None], now_ms: int
) -> list[str]:
    """Return the names of the schedules in texts that another text is to change, and that have a time which
    is due already: it is to be decided before, by the text that it has come by."""
    return [
        stored.name
        for stored in schedules
        if stored.origin == FROM_TEXT
        and (text := declared.get(stored.name)) is not None
        and _dump_spec(text) != stored.spec
        and _is_due(stored, now_ms)
    ]


def _is_due(stored: StoredSchedule, now_ms: int) -> bool:
    try:
        return is_due(stored.name, stored.parse(), stored.state, now_ms)
    except BadSchedule:  # a later version has stored it
        return False


def _dump_spec(declared: Mapping[str, Json]) -> str:
    return json.dumps(declared, sort_keys=True, ensure_ascii=False)


def new_schedule_commands(name: str, spec: str, *, flow: str, origin: str, now_ms: int) -> list[Command]:
    """Return the commands that store a new schedule, whose first time is after `now_ms`."""
    stored = StoredSchedule(name, spec, flow, origin, now_ms, ScheduleState(now_ms))
    return store_commands(stored, now_ms)


def _change_commands(stored: StoredSchedule, spec: str, now_ms: int) -> list[Command]:
    """Return the commands that give a schedule another text, from now on. It stays paused if it is."""
    state = replace(stored.state, cursor_ms=max(stored.state.cursor_ms, now_ms))
    outcomes: list[Outcome] = []
    try:
        earlier = parse_stored_schedule(stored.spec)
    except BadSchedule:  # a later version has stored it
        pass
    else:
        if not stored.state.paused:
            reason = "the schedule was changed before a lifecycle had decided it"
            state, outcomes = pass_over(earlier, stored.state, now_ms, reason)
    changed = replace(stored, spec=spec, state=state)
    return [
        *store_commands(changed, None if state.paused else now_ms),
        *outcome_commands(stored, outcomes),
        *problem_commands(changed, outcomes),
    ]
