"""What tests share: waiting ends by progress, not by the clock; reports can be sent as UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.conftest import encodable
from tests.support import waiting
from tests.support.waiting import STALL_SECONDS, eventually, eventually_equal


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock on which each look takes a second, and the lengths of the sleeps."""
    sleeps: list[float] = []
    clock = count()
    monkeypatch.setattr(waiting.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(waiting.time, "sleep", sleeps.append)
    yield sleeps


def test_the_result_is_returned_as_soon_as_it_is_true(seconds: list[float]) -> None:
    results = iter([0, [], "yes"])
    assert eventually(lambda: next(results)) == "yes"
    assert len(seconds) == 2


def test_what_does_not_change_fails(seconds: list[float]) -> None:
    with pytest.raises(AssertionError, match="still False"):
        eventually(lambda: False)
    assert STALL_SECONDS - 2 < len(seconds) < STALL_SECONDS + 2


@pytest.mark.usefixtures("seconds")
def test_progress_gives_more_time() -> None:
    numbers = count()
    eventually_equal(lambda: next(numbers) // 60, 5)
    steps = count()
    rounds = count()
    eventually(lambda: next(rounds) == 3 * STALL_SECONDS, progress=lambda: next(steps))


def test_progress_without_an_end_fails(seconds: list[float]) -> None:
    numbers = count()
    with pytest.raises(AssertionError, match="progress"):
        eventually_equal(lambda: next(numbers), -1)
    assert len(seconds) < waiting.LONGEST_SECONDS + 2


def test_lone_surrogates_in_reports_are_escaped() -> None:
    report = {"sections": [("log", "a\ud800")], "duration": 0.5, "passed": True, "wasxfail": None}
    assert encodable(report) == {**report, "sections": [["log", "a\\ud800"]]}
