"""Durations and timestamps in the form in which users write them.

Durations: `90`, `"90s"`, `"5m"`, `"1h30m"`, `"1d"`, `"250ms"`. Timestamps: `2026-01-31T18:00:00Z`,
`2026-01-31T18:00+01:00`, `2026-01-31`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from lfr.values.json import Json

MAX_DURATION_SECONDS: Final = 100 * 366 * 24 * 3600
"""A hundred years. A longer duration is almost certainly given in the wrong unit."""

MIN_TIME_MS: Final = -62_135_596_800_000
MAX_TIME_MS: Final = 253_402_300_799_999
"""The first and the last millisecond that can be shown, since the epoch: of the years 1 and 9999, in UTC."""

DURATION_FORMAT: Final = "a number of seconds, or a text such as 90s, 5m, 1h30m or 2d"
"""The description of a duration in error messages."""

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER: Final = r"\d+(?:\.\d+)?"
_JSON_NUMBER: Final = rf"-?{_NUMBER}(?:[eE][+-]?\d+)?"
"""A number as JSON writes it. Templates are filled with such texts."""

_DURATION: Final = re.compile("".join(rf"(?:({_NUMBER}){unit})?" for unit in _UNITS), re.ASCII)


def parse_duration(value: Json) -> float | None:
    """Return a duration in seconds, from 0 to `MAX_DURATION_SECONDS`, or None if the value is no duration.

    A text names its units from the largest to the smallest, each at most once: d, h, m, s, ms. A text
    without a unit is a number of seconds.
    """
    if isinstance(value, str):
        value = _parse_duration_text(value.replace(" ", ""))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_DURATION_SECONDS else None  # neither does NaN fit, nor infinity


def _parse_duration_text(text: str) -> float | None:
    if len(text) > 100 or not text:
        return None
    if re.fullmatch(_JSON_NUMBER, text, re.ASCII):
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    numbers = zip(match.groups(), _UNITS.values(), strict=True)
    return sum(float(number) * unit for number, unit in numbers if number)


def format_duration(seconds: float) -> str:
    """Return a duration in the form that `parse_duration` reads, to the millisecond: `1h30m`."""
    rest_ms, text = round(1000 * seconds), ""
    for unit, size in _UNITS.items():
        number, rest_ms = divmod(rest_ms, round(1000 * size))
        text += f"{number}{unit}" if number else ""
    return text or "0s"


def format_span(seconds: float) -> str:
    """Format a duration roughly: `45 s`, `12 min`, `3 h`, `2 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def parse_timestamp(value: Json) -> int | None:
    """Return a timestamp in milliseconds since the epoch, or None if the value is no timestamp.

    The format is ISO 8601 as `datetime.fromisoformat` reads it. A date means its first moment. Without a
    time zone the timestamp is in UTC, because the role may run in another zone than the author's. None also
    for a time that is in the year 0 or 10000 in UTC: it could not be shown.
    """
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
        ms = round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return ms if MIN_TIME_MS <= ms <= MAX_TIME_MS else None


@lru_cache(maxsize=4)  # all events of one transaction have the same time
def format_timestamp(at: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    seconds, microseconds = divmod(round(at * 1_000_000), 1_000_000)
    return f"{_whole_second(seconds)}.{microseconds // 1000:03}+00:00"


@lru_cache(maxsize=4)  # all that happens within a second has the same
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def iso_time(ms: int) -> str | None:
    """Format milliseconds since the epoch in ISO 8601, UTC; None for 0. A time that ISO 8601 cannot express
    becomes the nearest that it can."""
    return format_timestamp(min(max(ms, MIN_TIME_MS), MAX_TIME_MS) / 1000) if ms else None


def format_at(at: int | str) -> str:
    """Format a time in UTC to the second, for sentences: `2026-01-31T18:00:00Z`. It is given in milliseconds
    since the epoch, or as `iso_time` makes it."""
    text = at if isinstance(at, str) else iso_time(at) or ""
    return f"{text[:19]}Z"
