"""The times of schedules: intervals, fixed times, and cron lines as Debian's cron runs them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lfr.schedules.occurrences import (
    BadTiming,
    CronTiming,
    FixedTiming,
    IntervalTiming,
    TimeRange,
    Timing,
    check_cron,
    leap,
    load_zone,
)

MINUTE = timedelta(minutes=1)


def ms(text: str) -> int:
    """Return a time in ISO 8601, in UTC unless it says otherwise, in milliseconds since the epoch."""
    time = datetime.fromisoformat(text)
    return round(1000 * (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def local(timing: CronTiming, after: str, count: int) -> list[str]:
    """Return the next times of a cron line after a time, in its zone."""
    zone = ZoneInfo(timing.zone)
    times = islice(timing.after(ms(after)), count)
    return [datetime.fromtimestamp(time / 1000, zone).isoformat(timespec="minutes") for time in times]


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


@pytest.mark.parametrize(
    ("line", "zone", "after", "expected"),
    [
        # The clock goes forward from 2:00 to 3:00: what stands at 2:30 runs at 3:00, once.
        ("30 2 * * *", BERLIN, "2026-03-28T00:00", ["28T02:30+01:00", "29T03:00+02:00", "30T02:30+02:00"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T00:00", ["07T02:30-05:00", "08T03:00-04:00", "09T02:30-04:00"]),
        # It goes back from 3:00 (2:00) to 2:00 (1:00): what stands in that hour runs the first time alone.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["25T02:30+02:00", "26T02:30+01:00"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00", ["01T01:30-04:00", "02T01:30-05:00"]),
        # With * in the hour or the minute it follows the clock: both, or neither.
        ("30 * * * *", BERLIN, "2026-10-25T00:00", ["25T02:30+02:00", "25T02:30+01:00", "25T03:30+01:00"]),
        ("30 * * * *", NEW_YORK, "2026-03-08T06:00", ["08T01:30-05:00", "08T03:30-04:00"]),
        ("*/30 2 * * *", BERLIN, "2026-03-28T12:00", ["30T02:00+02:00", "30T02:30+02:00"]),
        # Two times within the hour that is left out become one.
        ("15,45 2 * * *", BERLIN, "2026-03-28T12:00", ["29T03:00+02:00", "30T02:15+02:00"]),
    ],
)
def test_changes_of_the_clock(line: str, zone: str, after: str, expected: list[str]) -> None:
    assert [time[8:] for time in local(CronTiming(line, zone), after, len(expected))] == expected


def test_a_look_from_within_the_doubled_hour_repeats_nothing() -> None:
    timing = CronTiming("30 2 * * *", BERLIN)
    assert local(timing, "2026-10-25T02:10+01:00", 1) == ["2026-10-26T02:30+01:00"]
    assert local(timing, "2026-10-25T02:30+02:00", 1) == ["2026-10-26T02:30+01:00"]


def debian_cron(line: str, zone: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """Walk through all minutes, as Debian's cron does; yield those in which it would run the line."""
    tz, fields = ZoneInfo(zone), line.split()
    is_fixed = not fields[0].startswith("*") and not fields[1].startswith("*")

    def fits(wall: datetime) -> bool:
        before = wall.replace(tzinfo=None) - timedelta(seconds=1)
        return next(CronSim(line, before)) == wall.replace(tzinfo=None, fold=0)

    time = start
    while time <= end:
        wall, previous = time.astimezone(tz), (time - MINUTE).astimezone(tz)
        gap = wall.replace(tzinfo=None) - previous.replace(tzinfo=None) - MINUTE
        skipped = [wall.replace(tzinfo=None) - MINUTE * n for n in range(1, 1 + gap // MINUTE)]
        is_second = wall.fold == 1
        if (fits(wall) and not (is_fixed and is_second)) or (is_fixed and any(map(fits, skipped))):
            yield time
        time += MINUTE


FIELDS = (
    st.sampled_from(["0", "30", "*/20", "15,45", "*", "59"]),
    st.sampled_from(["*", "2", "1-3", "*/2", "0", "1,2"]),
    st.sampled_from(["*", "29", "1,8,25"]),
    st.sampled_from(["*", "3", "10-11"]),
    st.sampled_from(["*", "0", "1-5"]),
)
CHANGES = [
    (BERLIN, "2026-03-28T22:00", 8),
    (BERLIN, "2026-10-24T22:00", 8),
    (NEW_YORK, "2026-03-08T04:00", 6),
    (NEW_YORK, "2026-11-01T03:00", 6),
]


@settings(max_examples=25)
@given(st.tuples(*FIELDS).map(" ".join), st.sampled_from(CHANGES))
@example("30 2 * * *", CHANGES[0])
@example("0,30 1-3 * * *", CHANGES[1])
def test_cron_lines_run_as_debians_cron_runs_them(line: str, change: tuple[str, str, int]) -> None:
    zone, begin, hours = change
    start = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    end = start + timedelta(hours=hours)
    expected = [round(1000 * time.timestamp()) for time in debian_cron(line, zone, start, end)]
    after = round(1000 * start.timestamp()) - 1
    times = takewhile(lambda time: time <= 1000 * end.timestamp(), CronTiming(line, zone).after(after))
    assert list(times) == expected


@given(
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 1-3 * * *", "0 0 1 * *"]),
    st.sampled_from(sorted([BERLIN, NEW_YORK, "UTC", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"])),
    st.integers(ms("2000-01-01"), ms("2036-01-01")),
)
def test_times_ascend_and_do_not_depend_on_where_a_look_begins(line: str, zone: str, after: int) -> None:
    timing = CronTiming(line, zone)
    times = list(islice(timing.after(after), 5))
    assert times == sorted(set(times)) and times[0] > after
    assert [next(timing.after(time)) for time in times[:-1]] == times[1:]


@given(
    st.one_of(
        st.integers(1, 100_000).map(IntervalTiming),
        st.just(CronTiming("*/5 * * * *", "UTC")),
        st.lists(st.integers(0, 10**7), max_size=5).map(
            lambda seconds: FixedTiming(sorted({1000 * each for each in seconds}))
        ),
    ),
    st.integers(0, 10**10),
    st.integers(0, 10**8),
)
def test_a_leap_counts_what_a_walk_would_visit(timing: Timing, after: int, span: int) -> None:
    if isinstance(timing, IntervalTiming):
        span = min(span, 1000 * timing.seconds * 50)
    times = list(takewhile(lambda time: time <= after + span, timing.after(after)))
    expected = TimeRange(times[0], times[-1], len(times)) if times else None
    assert leap(timing, after, after + span, 10**6) == expected


def test_a_leap_over_years_of_seconds_takes_no_time() -> None:
    year = 365 * 86_400_000
    assert leap(IntervalTiming(1), 0, 10 * year, 5) == TimeRange(1000, 10 * year, year // 100)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 25 * * *", "hour"),
        ("60 0 * * *", "minute"),
        ("0 0 30 2 *", "day of month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * 9", "day of week"),
        ("0 0 * *", "five fields"),
        ("0 0 * * * *", "five fields"),
        ("@reboot", "five fields"),
        ("0 0 * * MON#6", "day of week"),
        ("0 0 * * " + "1," * 200 + "1", "five fields"),
    ],
)
def test_a_bad_line_says_which_field(line: str, words: str) -> None:
    with pytest.raises(BadTiming, match=words):
        check_cron(line)


@given(st.text("0123456789*/,-#LW @MON\u00b2\u0130", max_size=30))
def test_no_text_breaks_the_check_of_lines(line: str) -> None:
    try:
        next(CronTiming(check_cron(line), "UTC").after(0))
    except BadTiming as error:
        assert str(error)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("", "a name such as"),
        ("../../etc/passwd", "a name such as"),
        ("localtime", "a name such as|did you mean (?!localtime)"),
        ("a\0b", "a name such as"),
    ],
)
def test_an_unknown_zone_names_the_nearest(name: str, words: str) -> None:
    with pytest.raises(BadTiming, match=words):
        load_zone(name)


def test_zones_come_from_the_package_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    path = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    load_zone.cache_clear()
    try:
        assert datetime(2026, 7, 1, tzinfo=load_zone(BERLIN)).utcoffset() == timedelta(hours=2)
    finally:
        zoneinfo.reset_tzpath(path)
        zoneinfo.ZoneInfo.clear_cache()
        load_zone.cache_clear()
