"""Latches count each request once and countdowns complete at zero, in whatever order that is processed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfr import events
from lfr.engine.latches import (
    Latch,
    LatchChanges,
    OpenLatch,
    SetCount,
    StartCountdown,
    apply_requests,
    is_settled,
)
from lfr.events import StartTask
from lfr.tasks.catalogue import ACQUIRE, COUNTDOWN, RELEASE
from lfr.tasks.wait_spec import LatchRequest
from lfr.values.json import Json
from lfr.values.stream_id import StreamId

KEY = "workflow:latch:x"


def request(number: int, base: str, latch: str = "x") -> LatchRequest:
    """Return the request at the entry id `NUMBER-0`; its workflow has the same number."""
    task = StartTask(f"workflow:{number}", base, base, 1, {"n": number}, None, 1)
    return LatchRequest(task, f"{number}-0", latch)


def applied(
    *requests: LatchRequest, count: int | None = 0, has_waiters: bool = False, is_certain: bool = True
) -> LatchChanges:
    return apply_requests(requests, {"x": Latch("x", KEY, count, has_waiters)}, is_certain=is_certain)


@dataclass
class Installation:
    """One latch as Redis would hold it, in memory.

    waiting    the countdowns that wait
    at_zero    the entry ids of those of them that started at a latch of zero, by workflow
    end_tasks  the values of the end-tasks, by workflow
    """

    count: int = 0
    waiting: set[str] = field(default_factory=set)
    at_zero: dict[str, str] = field(default_factory=dict)
    end_tasks: dict[str, dict[str, Json]] = field(default_factory=dict)

    def process(
        self, batch: Sequence[LatchRequest], others: Sequence[LatchRequest] = ()
    ) -> Sequence[LatchRequest]:
        """Process a batch while other requests are pending; return the deferred requests."""
        first, oldest = oldest_id(batch), oldest_id([*batch, *others])
        latches = {"x": Latch("x", KEY, self.count, bool(self.waiting))}
        is_certain = is_settled(str(first), oldest)
        result = apply_requests(batch, latches, is_certain=is_certain)
        for change in result.changes:
            match change:
                case SetCount(_, count, is_acquire, _):
                    assert count == self.count + (1 if is_acquire else -1) > 0
                    self.count = count
                case OpenLatch(latch, _):
                    assert self.count == 1
                    assert latch.has_waiters == bool(self.waiting)
                    self.count = 0
                    self._complete_waiting()
                case StartCountdown(latch, wait):
                    assert latch.is_zero == (self.count == 0)
                    self.waiting.add(wait.task.workflow)
                    if latch.is_zero:
                        self.at_zero[wait.task.workflow] = wait.entry_id
        for end_task in result.end_tasks:
            self._end(end_task)
            if end_task["name"] == COUNTDOWN or end_task["status"] == "FAILURE":  # both need a certain zero
                assert not others or first < oldest_id(others)
        return result.deferred

    def settle(self, pending: Sequence[LatchRequest]) -> None:
        """Complete the countdowns that started at zero, when no earlier request is pending."""
        for workflow, entry_id in list(self.at_zero.items()):
            if is_settled(entry_id, oldest_id(pending) if pending else None):
                del self.at_zero[workflow]
                if workflow in self.waiting and self.count == 0:
                    self.waiting.remove(workflow)
                    self._end({"workflow": workflow, "name": COUNTDOWN, "status": "SUCCESS"})

    def _complete_waiting(self) -> None:
        for workflow in self.waiting:
            self._end({"workflow": workflow, "name": COUNTDOWN, "status": "SUCCESS"})
        self.waiting = set()

    def _end(self, end_task: dict[str, Json]) -> None:
        assert end_task["workflow"] not in self.end_tasks
        self.end_tasks[end_task["workflow"]] = end_task

    def successes(self, base: str) -> int:
        return sum(
            (end_task["name"], end_task["status"]) == (base, "SUCCESS")
            for end_task in self.end_tasks.values()
        )


def oldest_id(requests: Sequence[LatchRequest]) -> StreamId:
    return min(StreamId.parse(each.entry_id) for each in requests)


BASES = st.lists(st.sampled_from([ACQUIRE, ACQUIRE, RELEASE, COUNTDOWN]), max_size=12)


@settings(max_examples=300)
@given(BASES, st.data())
def test_whatever_the_order_each_request_counts_once_and_no_countdown_waits_at_zero(
    bases: list[str], data: st.DataObject
) -> None:
    requests = [request(number, base) for number, base in enumerate(bases, start=1)]
    installation = Installation()
    pending = data.draw(st.just(requests) | st.permutations(requests))
    while pending:
        size = data.draw(st.integers(1, 6))
        batch, others = pending[:size], pending[size:]
        pending = [*others, *installation.process(batch, others)]
        installation.settle(pending)
    acquires, releases = installation.successes(ACQUIRE), installation.successes(RELEASE)
    assert acquires == bases.count(ACQUIRE)
    assert installation.count == acquires - releases >= 0
    ended_or_waiting = installation.end_tasks.keys() | installation.waiting
    assert ended_or_waiting == {each.task.workflow for each in requests}
    assert installation.count or not installation.waiting


@given(BASES, st.integers(0, 2))
def test_in_the_order_of_the_stream_a_batch_does_what_its_requests_do_one_by_one(
    bases: list[str], count: int
) -> None:
    requests = [request(number, base) for number, base in enumerate(bases, start=1)]
    together, singly = Installation(count), Installation(count)
    assert not requests or together.process(requests) == []
    for each in requests:
        assert singly.process([each]) == []
    assert together == singly


def test_requests_are_applied_in_the_order_of_the_stream() -> None:
    result = applied(request(10, RELEASE), request(9, ACQUIRE))
    assert [end_task["status"] for end_task in result.end_tasks] == ["SUCCESS"] * 2
    assert isinstance(result.changes[-1], OpenLatch)


def test_each_counted_attempt_is_marked_and_a_countdown_is_not() -> None:
    requests = [request(1, ACQUIRE), request(2, COUNTDOWN), request(3, RELEASE), request(4, RELEASE)]
    result = applied(*requests)
    assert result.counted == [requests[0], requests[2]]
    assert result.refused == [requests[3]]


@pytest.mark.parametrize("base", [ACQUIRE, RELEASE])
@pytest.mark.parametrize("count", [0, 3, None])
def test_a_step_that_an_earlier_attempt_has_counted_ends_and_changes_nothing(
    base: str, count: int | None
) -> None:
    again = request(1, base)
    latches = {"x": Latch("x", KEY, count, has_waiters=False)}
    result = apply_requests([again], latches, is_certain=False, counted_ids={again.entry_id})
    assert result.end_tasks == [events.end_task_values(again.task, output=again.task.input)]
    assert (result.changes, result.counted, result.deferred) == ([], [again], [])


def test_a_release_at_zero_fails_once_no_acquire_can_be_missing() -> None:
    release = request(3, RELEASE)
    assert applied(release, is_certain=False) == LatchChanges(deferred=[release])
    (end_task,) = applied(release).end_tasks
    assert end_task["reason"] == "wait:release: the latch x is at zero, so there is nothing to release"


def test_a_countdown_at_zero_waits_as_long_as_an_acquire_can_be_missing() -> None:
    countdown = request(3, COUNTDOWN)
    (change,) = applied(countdown, is_certain=False).changes
    assert isinstance(change, StartCountdown)
    assert change.latch.is_zero
    result = applied(countdown)
    assert (result.changes, len(result.end_tasks)) == ([], 1)


def test_the_countdowns_that_a_batch_starts_are_opened_by_its_release() -> None:
    requests = [request(1, ACQUIRE), request(2, COUNTDOWN), request(3, RELEASE), request(4, ACQUIRE)]
    opened = [change for change in applied(*requests).changes if isinstance(change, OpenLatch)]
    assert opened == [OpenLatch(Latch("x", KEY, 1, has_waiters=True), tag="3-0")]


@pytest.mark.parametrize("base", [ACQUIRE, RELEASE, COUNTDOWN])
def test_a_key_that_holds_no_integer_fails_the_step_and_nothing_is_written(base: str) -> None:
    result = applied(request(1, base), count=None)
    (end_task,) = result.end_tasks
    assert end_task["reason"] == f"{base}: {KEY} holds something that is no whole number"
    assert (result.changes, result.counted, result.deferred) == ([], [], [])


@pytest.mark.parametrize(
    ("oldest", "is_true"), [(None, True), ("9-0", False), ("10-0", True), ("10-1", True)]
)
def test_an_entry_is_settled_when_nothing_earlier_is_pending(oldest: str | None, is_true: bool) -> None:
    assert is_settled("10-0", None if oldest is None else StreamId.parse(oldest)) == is_true
