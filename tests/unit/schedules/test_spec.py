"""What a schedule may say, and the words for what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.language import FlowError, compile_flow
from lfr.schedules.occurrences import CronTiming, FixedTiming, IntervalTiming
from lfr.schedules.spec import BadSchedule, Overlap, declared_schedule, describe_timing, parse_schedule
from lfr.values.json import ABSENT


def test_all_that_it_may_say() -> None:
    schedule = parse_schedule(
        {
            "cron": " 0 3 * *  1-5",
            "timezone": "Europe/Berlin",
            "overlap": "queue",
            "catch_up": "6h",
            "jitter": "5m",
            "pause_after": 3,
            "input": None,
        }
    )
    assert schedule.timing == CronTiming("0 3 * * 1-5", "Europe/Berlin")
    assert (schedule.overlap, schedule.catch_up_ms, schedule.jitter_ms) == ("queue", 21_600_000, 300_000)
    assert (schedule.pause_after, schedule.input) == (3, None)
    plain = parse_schedule({"every": 90})
    assert plain.timing == IntervalTiming(90) and plain.overlap is Overlap.SKIP and plain.input is ABSENT
    assert parse_schedule({"cron": "@Daily"}).timing == CronTiming("0 0 * * *", "UTC")


def test_times_are_in_the_zone_that_they_or_the_schedule_name() -> None:
    times = ["2026-07-01T08:00", "2026-07-01T08:00+01:00", "2026-07-01T08:00Z", "2026-07-01T08:00"]
    timing = parse_schedule({"at": times, "timezone": "Europe/Berlin"}).timing
    assert timing == FixedTiming((1782885600000, 1782889200000, 1782892800000))
    assert parse_schedule({"at": "2026-07-01"}).timing == FixedTiming((1782864000000,))


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ([], (), "schedule is [], but must be an object"),
        ({}, (), "schedule takes one of cron, every, at"),
        ({"cron": "0 0 * * *", "every": 5}, ("every",), "schedule takes one of cron, every, at"),
        ({"crno": "0 0 * * *"}, ("crno",), "schedule does not know crno: did you mean cron?"),
        ({"cron": 5}, ("cron",), "schedule.cron is 5, but must be a cron line"),
        ({"cron": "0 25 * * *"}, ("cron",), "schedule.cron cannot be used: the hour is from 0 to 23"),
        (
            {"cron": "@daily", "timezone": "Berlin"},
            ("timezone",),
            "did you mean Europe/Berlin?",
        ),
        ({"every": "1m", "timezone": "UTC"}, ("timezone",), "timezone goes with cron and at"),
        ({"every": "1.5s"}, ("every",), "schedule.every must be whole seconds"),
        ({"every": 0}, ("every",), "at least 1s"),
        ({"every": 5, "overlap": "wait"}, ("overlap",), "one of skip, allow, queue, terminate"),
        ({"every": 5, "catch_up": "1s"}, ("catch_up",), "at least 10s"),
        ({"every": 5, "jitter": "2d"}, ("jitter",), "from 0s to 1d"),
        ({"every": 5, "pause_after": 0}, ("pause_after",), "a whole number from 1"),
        ({"at": []}, ("at",), "1 to 1000 times"),
        ({"at": ["today"]}, ("at",), 'a time of schedule.at is "today"'),
        ({"at": ["2026-01-01T00:00:00.5"]}, ("at",), "whole seconds"),
        ({"at": 7}, ("at",), "a time of schedule.at is 7"),
    ],
)
def test_each_fault_has_its_path_and_its_words(value: Any, path: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadSchedule) as error:
        parse_schedule(value)
    assert words in str(error.value) and error.value.path == path


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["cron", "every", "at", "timezone", "overlap", "catch_up", "jitter", "pause_after", "input", "x"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(["@daily", "5m", "UTC", "skip"])))
def test_no_value_breaks_it(value: dict[str, Any]) -> None:
    try:
        next(parse_schedule(value).timing.after(0), None)
    except BadSchedule as error:
        assert str(error)


def faults(text: str) -> list[tuple[int, str]]:
    with pytest.raises(FlowError) as error:
        compile_flow(text)
    return [(fault.line, fault.message) for fault in error.value.errors]


def test_the_compiler_names_the_line_of_a_fault() -> None:
    head = "@flow f (-\n  inputs: {n: {type: integer}}\n  schedule:\n    "
    assert faults(f"{head}cron: 0 0 * * *\n    timzone: UTC\n-)\nA") == [
        (5, "schedule does not know timzone: did you mean timezone?")
    ]
    ((line, message),) = faults(f"{head}every: 5m\n    input: {{n: many}}\n-)\nA")
    assert (line, message) == (5, 'schedule: input.n is "many", but must be a whole number')
    ((_, message),) = faults("@flow f (- {inputs: {n: {required: true}}, schedule: {every: 5}} -)\nA")
    assert message == "schedule: input.n is missing: any value"
    ((_, message),) = faults(f"@flow {'f' * 151} (- schedule: {{every: 5m}} -)\nA")
    assert "cannot be the name of a schedule" in message


def test_a_flow_that_an_earlier_version_has_compiled_has_no_schedule() -> None:
    assert declared_schedule({"schedule": "at night"}) is None
    assert declared_schedule({"schedule": {"every": 5}}) == {"every": 5}
    assert declared_schedule(None) is declared_schedule({}) is None


def test_times_in_words() -> None:
    assert describe_timing({"cron": "@daily"}) == "@daily"
    assert describe_timing({"every": "5m"}) == "every 5m"
    assert describe_timing({"at": "2026-01-01"}) == "once"
    assert describe_timing({"at": ["2026-01-01", "2027-01-01"]}) == "at 2 times"


def test_a_schedule_has_a_bounded_size() -> None:
    with pytest.raises(BadSchedule, match="longer than 100,000 bytes"):
        parse_schedule({"every": 5, "input": "x" * 100_000})
    with pytest.raises(BadSchedule, match="1 to 1000 times"):
        parse_schedule({"at": ["2026-01-01"] * 1001})
