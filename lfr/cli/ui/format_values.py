"""Formats times, durations and JSON values for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lfr.values.json import Json


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time as the operations return it; the result has a time zone."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _to_local(text: str) -> datetime:
    """Parse an ISO 8601 time; return it in the local zone, or in UTC if no year can express it there."""
    time = parse_time(text)
    try:
        return time.astimezone()
    except OverflowError:  # the last hours of the year 9999, or the first of the year 1
        return time.astimezone(UTC)


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two ISO times, or 0. Without an end, up to now; without a start, None."""
    if start is None:
        return None
    until = parse_time(end) if end is not None else datetime.now(UTC)
    return max(0.0, (until - parse_time(start)).total_seconds())


def format_duration(seconds: float | None) -> str:
    """Format a duration briefly: `340 ms`, `2.4 s`, `3 m 05 s`, `2 h 07 m`, `4 d 03 h`; "" for None."""
    if seconds is None:
        return ""
    if round(seconds, 3) < 1:
        return f"{round(seconds * 1000)} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def format_time(text: str | None) -> str:
    """Format the time of day of an ISO time in the local zone, with milliseconds; "" for None."""
    if text is None:
        return ""
    return _to_local(text).strftime("%H:%M:%S.%f")[:-3]


def format_start(text: str) -> str:
    """Format the local date and time of day of an ISO time, to the second."""
    return _to_local(text).strftime("%Y-%m-%d %H:%M:%S")


def format_date_time(text: str | None) -> str:
    """Format an ISO time as local date, time of day with milliseconds, and zone; "" for None."""
    if not text:
        return ""
    time = _to_local(text)
    return f"{time:%Y-%m-%d} {format_time(text)} {time:%Z}"


def short_json(value: Json) -> str:
    """Format JSON for people: in one line, without escaping letters outside ASCII."""
    return json.dumps(value, ensure_ascii=False)


def format_size(bytes: int) -> str:
    """Format a number of bytes, as `1.5 KiB` or `1,234.5 MiB`."""
    return f"{bytes / 2**10:.1f} KiB" if bytes < 2**20 else f"{bytes / 2**20:,.1f} MiB"


def format_pause(pause: Mapping[str, Any]) -> str:
    """Return what is paused and since when: `the flow order since 2026-01-31 18:00:00 by ann@web1`."""
    scope, name = pause["scope"], pause["name"]
    what = "everything" if scope == "all" else name if scope == "workflow" else f"the {scope} {name}"
    actor = f" by {pause['by']}" if pause["by"] else ""
    deadlines = ", deadlines stand still" if pause["deadlines"] == "stop" else ""
    return f"{what} is paused since {format_date_time(pause['since'])}{actor}{deadlines}"
