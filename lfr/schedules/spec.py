"""What a schedule says: when it occurs, and what is done if it is late, or the last workflow still runs.

    @flow f (- schedule: {cron: '0 3 * * 1-5', timezone: Europe/Berlin, overlap: skip, catch_up: 6h} -)

The compiler reads it, so that a mistake is found before anything is stored, and so do lifecycles.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from lfr.flow_inputs import InputFault, UnfitInput, complete_input
from lfr.schedules.occurrences import (
    BadTiming,
    CronTiming,
    FixedTiming,
    IntervalTiming,
    Timing,
    check_cron,
    load_zone,
)
from lfr.schedules.start_ids import MAX_NAME, is_schedule_name
from lfr.values.checks import TEXT, Check, duration, mismatch, one_of, suggestion, whole_number
from lfr.values.json import ABSENT, Json
from lfr.values.times import MAX_TIME_MS, parse_timestamp

SCHEDULE_KEY: Final = "schedule"
"""The key among the parameters of `@flow` that holds the schedule."""

ON_TIME_MS: Final = 10_000
"""A start that is late by no more than this is on time: a lifecycle was restarted meanwhile, or many
schedules occur at once."""

MAX_BYTES: Final = 100_000
"""How many bytes a schedule may have, as JSON: each decision reads it."""

MAX_TIMES: Final = 1000
"""How many times `at` may name."""

_DEFAULT_ZONE: Final = "UTC"
_TIMINGS: Final = ("cron", "every", "at")


class Overlap(StrEnum):
    """What is done at a time of the schedule while a workflow of it runs."""

    SKIP = "skip"
    ALLOW = "allow"
    QUEUE = "queue"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule, as parsed.

    timing       its times, in milliseconds since the epoch
    overlap      what is done while a workflow of it runs
    catch_up_ms  how late a workflow may be started
    jitter_ms    by how much a start is delayed, at most; fixed for each time
    pause_after  after how many failed workflows in a row it pauses; 0: never
    input        of its workflows; ABSENT: there is none
    """

    timing: Timing
    overlap: Overlap
    catch_up_ms: int
    jitter_ms: int
    pause_after: int
    input: Json

    def due_ms(self, name: str, time_ms: int) -> int:
        """Return when the start for a time is due: the jitter of the schedule with this name later."""
        if not self.jitter_ms:
            return time_ms
        digest = hashlib.sha256(f"{name} {time_ms}".encode()).digest()
        return time_ms + int.from_bytes(digest[:8]) % (self.jitter_ms + 1)


def _text(words: str) -> Check:
    return Check(words, TEXT.read)


_CHECKS: Final[Mapping[str, Check]] = {
    "cron": _text("a cron line, such as 0 3 * * 1-5"),
    "every": duration(1),
    "at": Check("a time in ISO 8601, or a list of them", lambda value: value),
    "timezone": _text("the name of a time zone, such as Europe/Berlin"),
    "overlap": one_of(*Overlap),
    "catch_up": duration(ON_TIME_MS / 1000),
    "jitter": duration(0, 86_400),
    "pause_after": whole_number(1, 1_000_000),
    "input": Check("any value", lambda value: value),
}

_DEFAULTS: Final = {"overlap": Overlap.SKIP, "catch_up": 60.0, "jitter": 0.0, "pause_after": 0}


class BadSchedule(ValueError):
    """A schedule cannot be used. `path`: the keys that lead to the fault within it."""

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def parse_schedule(value: Json) -> Schedule:
    """Return a schedule. Raises BadSchedule with the first fault."""
    if not isinstance(value, dict):
        raise BadSchedule((), mismatch(SCHEDULE_KEY, value, "an object, as {cron: '0 3 * * 1-5'}"))
    for key in value:
        if key not in _CHECKS:
            hint = suggestion(key, _CHECKS) or f"it takes {', '.join(_CHECKS)}"
            raise BadSchedule((key,), f"{SCHEDULE_KEY} does not know {key}: {hint}")
    if len(json.dumps(value)) > MAX_BYTES:
        raise BadSchedule((), f"{SCHEDULE_KEY} is longer than {MAX_BYTES:,} bytes")
    fields: dict[str, Any] = {**_DEFAULTS, **{key: _read(key, each) for key, each in value.items()}}
    return Schedule(
        _parse_timing(value, fields),
        Overlap(fields["overlap"]),
        round(1000 * fields["catch_up"]),
        round(1000 * fields["jitter"]),
        fields["pause_after"],
        fields.get("input", ABSENT),
    )


@lru_cache(maxsize=4096)
def parse_stored_schedule(text: str) -> Schedule:
    """Return a schedule from its JSON text. Cached: a lifecycle reads the same ones again and again."""
    return parse_schedule(json.loads(text))


def declared_schedule(parameters: Json) -> dict[str, Json] | None:
    """Return what the parameters of a flow's `@flow` say about a schedule; None: nothing, or nothing that can
    be used: an earlier version has compiled it."""
    if not isinstance(parameters, dict) or SCHEDULE_KEY not in parameters:
        return None
    declared: dict[str, Json] = parameters[SCHEDULE_KEY]
    try:
        parse_schedule(declared)
    except BadSchedule:
        return None
    return declared


def find_schedule_faults(name: str, parameters: Json) -> list[InputFault]:
    """Return the fault in the schedule that the parameters of the `@flow` with this name declare, if there is
    one, with its path among the parameters."""
    if not isinstance(parameters, dict) or SCHEDULE_KEY not in parameters:
        return []
    try:
        schedule = parse_schedule(parameters[SCHEDULE_KEY])
        check_schedule_name(name)
        check_input(parameters, schedule.input)
    except BadSchedule as error:
        return [InputFault((SCHEDULE_KEY, *error.path), str(error))]
    return []


def check_schedule_name(name: str) -> None:
    """Raise BadSchedule if this cannot be the name of a schedule."""
    if not name:
        raise BadSchedule((), f"a flow with a {SCHEDULE_KEY} needs a name: @flow NAME")
    if not is_schedule_name(name):
        message = f"{name[:60]!r} cannot be the name of a schedule: letters, digits, _ : - only"
        raise BadSchedule((), f"{message}, up to {MAX_NAME} characters")


def check_input(parameters: Json, input: Json) -> None:
    """Raise BadSchedule if this input does not fit what the parameters of `@flow` declare."""
    try:
        complete_input(parameters, {} if input is ABSENT else input)
    except UnfitInput as error:
        member = error.members[0]
        path = () if input is ABSENT else ("input", member.name) if member.name else ("input",)
        raise BadSchedule(path, f"{SCHEDULE_KEY}: {member.message}") from None


def describe_timing(value: Mapping[str, Json]) -> str:
    """Return the times of a schedule as its author wrote them: `0 3 * * 1-5`, `every 15m`, `3 times`."""
    if "cron" in value:
        return str(value["cron"])
    if "every" in value:
        return f"every {value['every']}"
    count = len(value["at"]) if isinstance(value["at"], list) else 1
    return f"at {count} times" if count > 1 else "once"


def _read(key: str, value: Json) -> Any:
    check = _CHECKS[key]
    parsed = check.read(value)
    if parsed is None and key != "input":
        raise BadSchedule((key,), mismatch(f"{SCHEDULE_KEY}.{key}", value, check.words))
    return parsed


def _parse_timing(value: Mapping[str, Json], fields: Mapping[str, Any]) -> Timing:
    kinds = [key for key in _TIMINGS if key in value]
    if len(kinds) != 1:
        raise BadSchedule(
            tuple(kinds[1:2]), f"{SCHEDULE_KEY} takes one of {', '.join(_TIMINGS)}: when is it to start?"
        )
    zone = fields.get("timezone", _DEFAULT_ZONE)
    try:
        load_zone(zone)
    except BadTiming as error:
        raise BadSchedule(
            ("timezone",), f"{SCHEDULE_KEY}.timezone: there is no zone {zone[:60]}; {error}"
        ) from None
    if "cron" in value:
        try:
            return CronTiming(check_cron(fields["cron"]), zone)
        except BadTiming as error:
            message = f"{SCHEDULE_KEY}.cron cannot be used: {error}"
            raise BadSchedule(("cron",), message) from None
    if "every" in value:
        if "timezone" in value:
            message = "timezone goes with cron and at: an interval is the same everywhere"
            raise BadSchedule(("timezone",), f"{SCHEDULE_KEY}.{message}")
        if not float(fields["every"]).is_integer():
            raise BadSchedule(("every",), f"{SCHEDULE_KEY}.every must be whole seconds")
        return IntervalTiming(int(fields["every"]))
    return FixedTiming(_parse_times(fields["at"], zone))


def _parse_times(value: Json, zone: str) -> tuple[int, ...]:
    times = value if isinstance(value, list) else [value]
    if not 1 <= len(times) <= MAX_TIMES:
        raise BadSchedule(("at",), f"{SCHEDULE_KEY}.at takes 1 to {MAX_TIMES} times")
    return tuple(sorted({_parse_time(each, zone) for each in times}))


def _parse_time(value: Json, zone: str) -> int:
    ms = parse_timestamp(value)
    if ms is None or ms < 0 or ms % 1000:
        expected = "a time in ISO 8601 since 1970, in whole seconds, as 2026-12-01T08:00"
        raise BadSchedule(("at",), mismatch(f"a time of {SCHEDULE_KEY}.at", value, expected))
    time = datetime.fromisoformat(str(value).strip())
    if time.tzinfo is None:
        ms = 1000 * math.floor(time.replace(tzinfo=load_zone(zone)).timestamp())
    return min(ms, MAX_TIME_MS)
