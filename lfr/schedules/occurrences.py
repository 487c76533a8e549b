"""The times at which a schedule occurs, in milliseconds since the epoch; each is a whole second.

A cron line means what it means to Debian's cron: across a change of the clock, a line with fixed minutes and
hours occurs once a day. At a time that is left out, it occurs when the clock has been put forward; at one
that comes twice, the first time. A line with `*` in minutes or hours follows the clock as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MAX_CRON: Final = 200
"""How many characters a cron line may have."""

CRON_WORDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""The words of cron, and the lines that they stand for. (crontab(5))"""

_ZONES_OF_HOSTS: Final = ("localtime", "posixrules")
"""Files in the database that are another zone on each host."""

_LAST_YEAR: Final = 9000
"""No schedule occurs later: a date beyond the year 9999 cannot be computed with."""


class BadTiming(ValueError):
    """A cron line or a time zone cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class CronTiming:
    """A line of cron with five fields, in the time of a zone."""

    line: str
    zone: str

    def after(self, ms: int) -> Iterator[int]:
        """Yield the times after `ms`, in ascending order, each once."""
        from cronsim import CronSim  # here: only schedules need it

        zone = load_zone(self.zone)
        previous = ms
        for time in CronSim(self.line, datetime.fromtimestamp(ms // 1000, zone)):
            if time.year > _LAST_YEAR:
                return
            time_ms = 1000 * int(time.timestamp())
            # Two times that the clock leaves out become one, and one that comes twice may lie in the past.
            if time_ms > previous:
                yield time_ms
                previous = time_ms


@dataclass(frozen=True, slots=True)
class IntervalTiming:
    """The multiples of an interval since the epoch, in whole seconds."""

    seconds: int

    def after(self, ms: int) -> Iterator[int]:
        """Yield the times after `ms`, in ascending order."""
        step_ms = 1000 * self.seconds
        time_ms = (ms // step_ms + 1) * step_ms
        while True:
            yield time_ms
            time_ms += step_ms


@dataclass(frozen=True, slots=True)
class FixedTiming:
    """Some times, sorted."""

    times_ms: Sequence[int]

    def after(self, ms: int) -> Iterator[int]:
        """Yield the times after `ms`, in ascending order."""
        return (time_ms for time_ms in self.times_ms if time_ms > ms)


Timing: TypeAlias = CronTiming | IntervalTiming | FixedTiming


def next_time(timing: Timing, ms: int) -> int | None:
    """Return the first time after `ms`; None: there is none."""
    return next(timing.after(ms), None)


def check_cron(line: str) -> str:
    """Return a line of cron with five fields, for which a word of cron may stand. Raises BadTiming."""
    from cronsim import CronSim, CronSimError

    words = line.split()
    if len(words) == 1 and words[0].lower() in CRON_WORDS:
        return CRON_WORDS[words[0].lower()]
    if len(words) != 5 or len(line) > MAX_CRON:
        raise BadTiming("a cron line has five fields: minute, hour, day of month, month, day of week")
    text = " ".join(words)
    try:
        if next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)), None) is None:
            raise BadTiming("no day fits it")
    except CronSimError as error:
        raise BadTiming(_explain(str(error))) from None
    return text


_FIELDS: Final = {
    "Bad minute": "the minute is from 0 to 59",
    "Bad hour": "the hour is from 0 to 23",
    "Bad day-of-month": "the day of month is from 1 to 31 and in one of the months; L is the last one",
    "Bad month": "the month is from 1 to 12 or jan to dec",
    "Bad day-of-week": "the day of week is from 0 to 7 or sun to sat; 5L is the last Friday",
}


def _explain(message: str) -> str:
    return _FIELDS.get(message, message)


@lru_cache(maxsize=64)
def load_zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database, as this system has it, else from the package tzdata. Raises
    BadTiming."""
    from zoneinfo import ZoneInfo  # here: most commands need no zone

    try:
        if name not in _ZONES_OF_HOSTS:
            return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        pass
    raise BadTiming(_unknown_zone(name))


def _unknown_zone(name: str) -> str:
    from zoneinfo import available_timezones

    from lfr.values.checks import suggestion

    names = sorted(available_timezones() - set(_ZONES_OF_HOSTS))
    by_city = {each.rpartition("/")[2].lower(): each for each in names if "/" in each}
    city = by_city.get(name.rpartition("/")[2].lower().replace(" ", "_"))
    hint = f"did you mean {city}?" if city else suggestion(name, names)
    return hint or "it is a name such as Europe/Berlin or UTC"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Some times of a schedule that follow each other: the first, the last, and how many they are."""

    first_ms: int
    last_ms: int
    count: int


def leap(timing: Timing, ms: int, until_ms: int, limit: int) -> TimeRange | None:
    """Return the times after `ms` up to and including `until_ms`, but no more than `limit` if they have to be
    counted one by one; None: there are none."""
    if isinstance(timing, IntervalTiming):
        step_ms = 1000 * timing.seconds
        count = until_ms // step_ms - ms // step_ms
        last_ms = until_ms // step_ms * step_ms
        return TimeRange(last_ms - (count - 1) * step_ms, last_ms, count) if count > 0 else None
    times = list(islice(takewhile(lambda time_ms: time_ms <= until_ms, timing.after(ms)), limit))
    return TimeRange(times[0], times[-1], len(times)) if times else None
