"""Durations and timestamps as users write them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.cli.ui.format_values import format_date_time
from lfr.values.json import Json
from lfr.values.times import format_duration, format_span, iso_time, parse_duration, parse_timestamp


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1d 2h", 93600),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1s250ms", 1.25),
        ("", None),
        ("m", None),
        ("30m1h", None),
        ("-1s", None),
        (-1, None),
        (True, None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        ("1e3s", None),
        (4e-05, 4e-05),
        ("4e-05", 4e-05),
        ("1E3", 1000),
        ("1.5e+2", 150),
        ("0.0", 0),
        ("-0.0", 0),
        ("-1", None),
        ("1e", None),
        ("1e99", None),
        ("1e9999", None),
        ("200000d", None),
        ("٣s", None),
        ("9" * 500 + "s", None),
        (10**400, None),  # which no float holds
        ("9" * 90, None),
        (float("nan"), None),
        (float("inf"), None),
        (-(10**400), None),
    ],
)
def test_durations(value: Json, seconds: float | None) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.001, "1ms"),
        (90, "1m30s"),
        (3600, "1h"),
        (100 * 366 * 86400, "36600d"),
        (1.25, "1s250ms"),
    ],
)
def test_durations_are_formatted(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**12))
def test_a_formatted_duration_is_parsed_again(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T18:00:00", datetime(2026, 1, 31, 18, tzinfo=UTC)),
        ("2026-01-31T18:00:00.25Z", datetime(2026, 1, 31, 18, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-31T18:00+02:00", datetime(2026, 1, 31, 16, tzinfo=UTC)),
        (" 2026-01-31 ", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_timestamps(text: str, expected: datetime) -> None:
    assert parse_timestamp(text) == expected.timestamp() * 1000


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59+14:00"])
def test_the_first_and_the_last_time_can_be_shown(text: str) -> None:
    ms = parse_timestamp(text)
    assert ms is not None
    assert iso_time(ms) is not None
    for zone in ("UTC", "Etc/GMT-14", "Etc/GMT+12"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            assert format_date_time(iso_time(ms))
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "18:00", "2026-02-30", 2026, None, True, ["2026-01-31"]),
        *("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.9999Z", "0001-01-01T00:00:00+00:01"),
    ],
)
def test_invalid_timestamps(text: Json) -> None:
    assert parse_timestamp(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "119 min"), (7200, "2 h"), (3 * 86400, "3 d")],
)
def test_a_span_is_rough(seconds: float, text: str) -> None:
    assert format_span(seconds) == text
