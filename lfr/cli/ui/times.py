"""Times and durations for people."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """An aware time, from ISO 8601 as the operations give it."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Seconds from one ISO time to another; to now, if there is no end; None without a start."""
    if start is None:
        return None
    until = parse_time(end) if end is not None else datetime.now(UTC)
    return max(0.0, (until - parse_time(start)).total_seconds())


def duration(seconds: float | None) -> str:
    """A duration in a few characters: `0 ms`, `340 ms`, `2.4 s`, `3 m 05 s`, `2 h 07 m`, `4 d 03 h`."""
    if seconds is None:
        return ""
    if round(seconds, 3) < 1:
        return f"{round(seconds * 1000)} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller_size:02} {smaller}"
    return "1 m 00 s"


def clock(text: str | None) -> str:
    """The time of day of an ISO time, in the local zone, with milliseconds."""
    if text is None:
        return ""
    return parse_time(text).astimezone().strftime("%H:%M:%S.%f")[:-3]


def day(text: str) -> str:
    """The local date of an ISO time."""
    return parse_time(text).astimezone().strftime("%Y-%m-%d")


def full_time(text: str | None) -> str:
    """Date and time of day of an ISO time in the local zone, and the zone."""
    return f"{day(text)} {clock(text)} {parse_time(text).astimezone().strftime('%Z')}" if text else ""
