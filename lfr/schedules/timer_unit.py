"""Reads timers of systemd. (systemd.timer(5), systemd.time(7))"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lfr.schedules.imported import Import, ImportedSchedule, name_of
from lfr.schedules.occurrences import BadTiming, check_cron, load_zone
from lfr.values.json import Json

_WORDS: Final = {
    "minutely": "* * * * *",
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 1",
    "monthly": "0 0 1 * *",
    "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
_CALENDAR: Final = re.compile(
    r"(?:(?P<days>[A-Za-z][A-Za-z.,-]*)\s+)?(?:(?P<date>[\d*,./-]+)\s+)?(?P<time>[\d*,./:]+)(?:\s+(?P<zone>\S+))?"
)
_DATE_ALONE: Final = re.compile(r"(?:(?P<days>[A-Za-z][A-Za-z.,-]*)\s*)?(?P<date>[\d*,./]+(?:-[\d*,./]+)+)?")
_INTERVALS: Final = ("OnUnitActiveSec", "OnUnitInactiveSec")
_WITHOUT_TIME: Final = ("OnActiveSec", "OnBootSec", "OnStartupSec", "OnClockChange", "OnTimezoneChange")
_SPAN: Final = re.compile(r"(\d{1,12})\s*(us|ms|s|sec|seconds?|m|min|minutes?|h|hr|hours?|d|days?|w|weeks?)?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CATCH_UP: Final = "30d"
"""How long after its time a timer with Persistent= is started."""


def read_timer_unit(text: str, source: str, zone: str, command: str) -> Import:
    """Return the schedules of a timer, one for each of its times. `zone` is the time zone of its host,
    `command` the one of its service, empty if that is not known."""
    settings = _settings(text)
    options: dict[str, Json] = {}
    refusals = [
        f"{source}: {key}= cannot be carried over: it is no time of the clock"
        for key in _WITHOUT_TIME
        if key in settings
    ]
    if settings.get("Persistent", ["no"])[-1].lower() in ("yes", "true", "on", "1"):
        options["catch_up"] = _CATCH_UP
    jitter = _seconds(settings.get("RandomizedDelaySec", ["0"])[-1])
    if jitter:
        options["jitter"] = min(jitter, _SECONDS["d"])
    base, names = source.rpartition("/")[2].removesuffix(".timer"), dict[str, int]()
    timings: list[Mapping[str, Json]] = []
    for calendar in settings.get("OnCalendar", []):
        try:
            timings.append(_read_calendar(calendar, zone))
        except BadTiming as error:
            refusals.append(f"{source}: OnCalendar={calendar} cannot be carried over: {error}")
    for key in _INTERVALS:
        for span in settings.get(key, []):
            if seconds := _seconds(span):
                timings.append({"every": seconds})
            else:
                refusals.append(f"{source}: {key}={span} cannot be carried over: it is no number of seconds")
    if not timings and not refusals:
        refusals.append(f"{source}: it has no OnCalendar= and no OnUnitActiveSec= in [Timer]")
    notes = () if command else (f"The service of {source} was not found: complete the command.",)
    schedules = [
        ImportedSchedule(name_of(base, names), {**timing, **options}, command, source, notes)
        for timing in timings
    ]
    return Import(tuple(schedules), tuple(refusals))


def read_command(text: str) -> str:
    """Return the commands that a service unit executes, joined by `&&`; empty if there are none."""
    commands = _settings(text, "Service").get("ExecStart", [])
    return " && ".join(" ".join(command.lstrip("@-:+!").split()) for command in commands)


def service_of(text: str, name: str) -> str:
    """Return the name of the service that the timer of this name starts."""
    return _settings(text).get("Unit", [name.removesuffix(".timer") + ".service"])[-1]


def _settings(text: str, section: str = "Timer") -> dict[str, list[str]]:
    """Return the values of each key of a section of a unit; an empty value removes those before it."""
    values: dict[str, list[str]] = {}
    current = ""
    for line in text.replace("\\\n", " ").split("\n"):  # as systemd: other separators end no line
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            current = line[1:-1]
        elif current == section and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            values[key.strip()] = [*values.get(key.strip(), []), value.strip()] if value.strip() else []
    return values


def _read_calendar(text: str, zone: str) -> Mapping[str, Json]:
    """Return the timing of an OnCalendar=. Raises BadTiming if cron cannot express it."""
    if line := _WORDS.get(text.strip().lower()):
        return {"cron": line, "timezone": zone}
    match = _CALENDAR.fullmatch(text.strip()) or _DATE_ALONE.fullmatch(text.strip())
    if match is None:
        raise BadTiming("it is written in a way that lfr does not know")
    parts: Mapping[str, str | None] = match.groupdict()
    hour, minute, second = [*(parts.get("time") or "0:0:0").split(":"), "0", "0"][:3]
    year, month, day = ["*", *(parts["date"] or "*-*-*").split("-")][-3:]
    if not re.fullmatch("0+", second):
        raise BadTiming("cron knows no seconds")
    if year != "*":
        raise BadTiming("cron knows no years")
    days = (parts["days"] or "*").replace("..", "-").lower()
    if "*" not in (day, days):
        raise BadTiming("it restricts days of the month and of the week, and both must fit")
    fields = [_field(minute), _field(hour), _field(day), _field(month), _days(days)]
    named_zone = parts.get("zone") or zone
    load_zone(named_zone)
    return {"cron": check_cron(" ".join(fields)), "timezone": named_zone}


def _field(text: str) -> str:
    return re.sub(r"\b0+(\d)", r"\1", text.replace("..", "-"))


def _days(text: str) -> str:
    """Return days of the week as cron has them: systemd writes them out, and lets a range end on Sunday."""
    short = re.sub(r"[a-z]+", lambda name: name[0][:3], text)
    return re.sub(r"-sun\b", "-7", short)


def _seconds(text: str) -> int:
    """Return a time span in whole seconds; 0 if it is none, or is not written as a number and a unit."""
    match = _SPAN.fullmatch(text.strip())
    if match is None or (match[2] or "s") in ("us", "ms"):
        return 0
    return int(match[1]) * _SECONDS[(match[2] or "s")[0]]
