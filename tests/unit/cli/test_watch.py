"""The progress of a workflow during outages of Redis, as `lfr run --wait` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from lfr.cli import watch
from lfr.errors import NotFound, Unreachable
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from tests.support.screens import terminal, written
from tests.unit.cli.test_progress import change, update

STARTED = change(1, 1, "started", "A")
ENDED = change(2, 1, "ended", "A")
FINISHED = change(2, None, "finished")

NO_STORE = cast(Store, None)
"""The function that would use the store is replaced."""


def attempts(monkeypatch: pytest.MonkeyPatch, *scripts: list[Any]) -> list[float | None]:
    """Make each call of `follow_workflow` play a script of updates and errors; return its time-outs."""
    remaining = list(scripts)
    timeouts: list[float | None] = []

    def follow(_: Store, id: str, *, timeout_seconds: float | None, **_options: Any) -> Iterator[Any]:
        timeouts.append(timeout_seconds)
        for entry in remaining.pop(0):
            if isinstance(entry, Exception):
                raise entry
            yield entry

    monkeypatch.setattr("lfr.operations.follow.follow_workflow", follow)
    monkeypatch.setattr(watch.time, "sleep", lambda _: None)
    return timeouts


def test_after_an_outage_no_change_is_shown_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    outage = Unreachable("no Redis answers")
    attempts(
        monkeypatch,
        [update(STARTED), outage],
        [outage],
        [update(STARTED, ENDED), update(FINISHED, state="FINISHED")],
    )
    screen = terminal()
    assert watch.watch_progress(NO_STORE, "workflow:x", screen) == "FINISHED"
    lines = written(screen.err).splitlines()
    assert [line.partition("  ")[2] or line for line in lines] == [
        "1 A started",
        "lfr: no Redis answers; trying for a minute",
        "1 A ended after 1.0 s",
        "workflow:x finished",
    ]


def test_without_any_connection_it_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts(monkeypatch, [Unreachable("no Redis answers")])
    with pytest.raises(Unreachable):
        watch.watch_progress(NO_STORE, "workflow:x", terminal())


def test_it_gives_up_after_a_minute_without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    outage = Unreachable("no Redis answers")
    attempts(monkeypatch, [update(STARTED), outage], *[[outage]] * 5)
    clock = iter([0.0, 59.0, 60.0, 61.0])
    monkeypatch.setattr(watch.time, "monotonic", lambda: next(clock))
    with pytest.raises(Unreachable):
        watch.watch_progress(NO_STORE, "workflow:x", terminal())
    assert list(clock) == []


def test_a_deleted_workflow_is_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts(monkeypatch, [update(STARTED), Unreachable("no answer")], [NotFound("there is no workflow x")])
    with pytest.raises(NotFound):
        watch.watch_progress(NO_STORE, "workflow:x", terminal())


def test_an_outage_counts_towards_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts = attempts(monkeypatch, [update(STARTED), Unreachable("no answer")], [update(STARTED)])
    clock = iter([100.0, 100.0, 104.0, 104.0])
    monkeypatch.setattr(watch.time, "monotonic", lambda: next(clock))
    assert watch.watch_progress(NO_STORE, "workflow:x", terminal(), timeout_seconds=10) == "RUNNING"
    assert timeouts == [10.0, 6.0]


def test_every_end_has_an_exit_code() -> None:
    assert watch.EXIT_CODES_BY_STATE.keys() == {state for state in WorkflowState if state.has_ended}


def test_a_missing_worker_is_named_once_it_has_been_missing_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = {"a": {"message": "no live worker does a", "hint": "start one", "index": 1}}
    waiting = {**update(), "missing_workers": missing}
    clock = iter((0.0, 4.0, 6.0, 10.0, 12.0))
    attempts(
        monkeypatch,
        [waiting, waiting, update(), waiting, waiting, waiting, update(FINISHED, state="FINISHED")],
    )
    monkeypatch.setattr(watch.time, "monotonic", lambda: next(clock))
    screen = terminal()
    watch.watch_progress(NO_STORE, "workflow:x", screen)
    assert next(clock, None) is None
    lines = written(screen.err).splitlines()
    assert lines[0] == "lfr: no live worker does a (start one)" and len(lines) == 2
