"""Events complete event waits as documented, in whatever order and in whatever batches they are processed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfr.engine.waits import (
    Matches,
    StartsRequest,
    UserEvent,
    WorkflowStarts,
    deliver_events,
    pattern_of,
    sort_candidates,
    start_waits,
)
from lfr.events import AttemptId, StartTask
from lfr.tasks.wait_spec import EventPattern, Wait
from lfr.values.json import Json
from lfr.values.stream_id import StreamId

PAGE_SIZES = (2, 3)
"""How many waits of a match key are read for each of many events, and for one event."""


def event_wait(
    entry_id: str, match: dict[str, Json] | None = None, workflow: str = "workflow:w", *, receipt: bool = True
) -> Wait:
    task = StartTask(workflow, "wait:event", "wait:event", 1, {"n": 1}, None, 1)
    return Wait(task, entry_id, pattern=EventPattern("ok", match or {}, receipt))


def matches(wait: Wait, event: UserEvent) -> bool:
    """Return whether an event has what a wait asks for, by the definition."""
    pattern = pattern_of(wait)
    return pattern.kind == event.kind and all(
        name in event.fields and event.fields[name] == value for name, value in pattern.match.items()
    )


@dataclass
class Installation:
    """What Redis would hold, in memory.

    start_ids   the entry id of each workflow's start-workflow event
    waits       the waits that wait; `buffer`: the buffered events by id
    completed   the events by which waits were completed; `receipts`: the ids in receipts
    """

    start_ids: dict[str, StreamId]
    fresh_after_ms: int = -1
    waits: dict[AttemptId, Wait] = field(default_factory=dict)
    buffer: dict[str, UserEvent] = field(default_factory=dict)
    completed: list[tuple[Wait, UserEvent]] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)

    def process(self, waits: Sequence[Wait], events: Sequence[UserEvent]) -> None:
        """Process one batch as the wait role does."""
        self._start(waits)
        delivered = set(self._deliver(events, PAGE_SIZES[0]).delivered)
        for event in events:
            page_size = PAGE_SIZES[1]
            while event.id not in delivered:
                result = self._deliver([event], page_size)
                delivered.update(result.delivered)
                page_size *= 1 if result.matches else 2

    def _start(self, waits: Sequence[Wait]) -> None:
        events_by_key = {
            pattern_of(wait).match_key: [event for event in self.buffer.values() if matches(wait, event)]
            for wait in waits
        }
        starts = WorkflowStarts()
        while isinstance(decision := start_waits(waits, events_by_key, starts), StartsRequest):
            self._load(decision, starts)
        self._commit(decision)

    def _deliver(self, events: Sequence[UserEvent], page_size: int) -> Matches:
        candidates = [sort_candidates(event.id, self._pages(event, page_size), page_size) for event in events]
        arrivals = list(zip(events, candidates, strict=True))
        buffered = {event.id: self.buffer[event.id] for event in events if event.id in self.buffer}
        starts = WorkflowStarts()
        while isinstance(
            decision := deliver_events(arrivals, buffered, starts, fresh_after_ms=self.fresh_after_ms),
            StartsRequest,
        ):
            self._load(decision, starts)
        self._commit(decision)
        return decision

    def _pages(self, event: UserEvent, page_size: int) -> list[list[Wait]]:
        pages: dict[str, list[Wait]] = {}
        for wait in sorted(self.waits.values(), key=lambda wait: StreamId.parse(wait.entry_id)):
            if matches(wait, event):
                pages.setdefault(pattern_of(wait).match_key, []).append(wait)
        return [page[:page_size] for page in pages.values()]

    def _load(self, request: StartsRequest, starts: WorkflowStarts) -> None:
        assert not request.workflows & starts.started_ms.keys()
        assert not request.orders & starts.is_start_first.keys()
        for workflow in request.workflows:
            starts.started_ms[workflow] = self.start_ids[workflow].ms
        for workflow, event_id in request.orders:
            assert StreamId.parse(event_id).ms == self.start_ids[workflow].ms
            starts.is_start_first[workflow, event_id] = self.start_ids[workflow] < StreamId.parse(event_id)

    def _commit(self, decision: Matches) -> None:
        for wait, event in decision.matches:
            self.completed.append((wait, event))
            self.waits.pop(wait.task.attempt_id, None)
        self.waits |= {wait.task.attempt_id: wait for wait in decision.waiting}
        self.buffer |= decision.buffered
        self.receipts += decision.receipts


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, StreamId], list[Wait], list[UserEvent]]:
    """Workflows with the ids of their starts, waits of theirs, events; some within the same millisecond."""
    starts: dict[str, StreamId] = {}
    waits: list[Wait] = []
    events: list[UserEvent] = []
    ms, sequence = 1, -1
    steps = st.tuples(st.sampled_from("swwwee"), st.booleans(), st.integers(0, 5), st.booleans())
    for kind, is_new_ms, number, is_receipted in draw(st.lists(steps, max_size=20)):
        ms, sequence = (ms + 1, 0) if is_new_ms else (ms, sequence + 1)
        if kind == "s":
            starts[f"workflow:{len(starts)}"] = StreamId(ms, sequence)
        elif kind == "e":
            events.append(UserEvent(f"{ms}-{sequence}", "ok", {"id": number % 2}))
        elif starts:
            workflow = f"workflow:{number % len(starts)}"
            match: dict[str, Json] = {} if number == 5 else {"id": number % 2}
            task = StartTask(workflow, "w", "wait:event", len(waits), {}, None, 1)
            waits.append(Wait(task, f"{ms}-{sequence}", pattern=EventPattern("ok", match, is_receipted)))
    return starts, waits, events


@settings(max_examples=300)
@given(histories(), st.data())
def test_whatever_the_order_each_wait_is_completed_once_by_an_event_that_is_for_it(
    history: tuple[dict[str, StreamId], list[Wait], list[UserEvent]], data: st.DataObject
) -> None:
    start_ids, waits, events = history
    installation = Installation(start_ids, fresh_after_ms=data.draw(st.sampled_from([-1, 2])))
    redelivered_events = [event for event in events if data.draw(st.booleans())]
    entries = data.draw(st.permutations([*waits, *events, *redelivered_events]))
    while entries:
        size = data.draw(st.integers(1, 5))
        batch, entries = entries[:size], entries[size:]
        installation.process(
            [entry for entry in batch if isinstance(entry, Wait)],
            [entry for entry in batch if isinstance(entry, UserEvent)],
        )
    check(installation, waits, events)


def check(installation: Installation, waits: Sequence[Wait], events: Sequence[UserEvent]) -> None:
    """Check what the documentation promises."""
    completions = Counter(wait.task.attempt_id for wait, _ in installation.completed)
    assert set(completions.values()) <= {1}
    assert installation.waits.keys() == {wait.task.attempt_id for wait in waits} - completions.keys()
    later_waits: Counter[str] = Counter()
    for wait, event in installation.completed:
        assert matches(wait, event)
        if StreamId.parse(wait.entry_id) > StreamId.parse(event.id):
            assert installation.start_ids[wait.task.workflow] < StreamId.parse(event.id)
            assert StreamId.parse(event.id).ms > installation.fresh_after_ms
            later_waits[event.id] += 1
    assert set(later_waits.values()) <= {1}
    assert installation.buffer.keys() == {event.id for event in events}
    for wait in installation.waits.values():
        for event in filter(lambda event: matches(wait, event), events):
            assert StreamId.parse(event.id) < StreamId.parse(wait.entry_id)
            is_for_wait = installation.start_ids[wait.task.workflow] < StreamId.parse(event.id)
            assert installation.buffer[event.id].is_used or not is_for_wait
    receipted = {event.id for wait, event in installation.completed if pattern_of(wait).is_receipted}
    assert sorted(installation.receipts) == sorted(receipted)
    for event in installation.buffer.values():
        assert event.is_receipted == (event.id in receipted)


def delivered(
    event: UserEvent,
    *waits: Wait,
    page_size: int = 9,
    started_ms: int | None = 1,
    fresh_after_ms: int = 0,
) -> Matches:
    """Return what an event does that finds these waits on one page."""
    candidates = sort_candidates(event.id, [waits], page_size)
    starts = WorkflowStarts({"workflow:w": started_ms})
    decision = deliver_events([(event, candidates)], {}, starts, fresh_after_ms=fresh_after_ms)
    assert isinstance(decision, Matches)
    return decision


def test_an_event_completes_all_earlier_waits_and_then_no_later_one() -> None:
    earlier = [event_wait("5-1"), event_wait("5-2", workflow="workflow:x")]
    later = event_wait("5-4", workflow="workflow:y")
    result = delivered(UserEvent("5-3", "ok", {}), *earlier, later)
    assert [match.wait for match in result.matches] == earlier
    assert result.receipts == result.delivered == ["5-3"]
    assert result.buffered["5-3"].is_used


@pytest.mark.parametrize(
    ("started_ms", "fresh_after_ms", "is_completed"),
    [(4, 0, True), (6, 0, False), (None, 0, False), (4, 5, False), (4, 4, True)],
)
def test_a_later_wait_takes_a_fresh_event_that_came_after_its_workflow_started(
    started_ms: int | None, fresh_after_ms: int, is_completed: bool
) -> None:
    event, wait = UserEvent("5-0", "ok", {}), event_wait("7-0")
    result = delivered(event, wait, started_ms=started_ms, fresh_after_ms=fresh_after_ms)
    assert len(result.matches) == is_completed
    assert result.buffered["5-0"].is_used == (is_completed or fresh_after_ms == 5)


@pytest.mark.parametrize("is_start_first", [False, True])
def test_of_an_event_whose_id_is_ahead_of_the_clock_the_order_on_the_stream_counts(
    is_start_first: bool,
) -> None:
    event, wait = UserEvent("50-1", "ok", {}), event_wait("50-3")
    starts = WorkflowStarts({"workflow:w": 7}, now_ms=9)
    arrivals = [(event, sort_candidates(event.id, [[wait]], 9))]
    request = deliver_events(arrivals, {}, starts, fresh_after_ms=0)
    assert request == StartsRequest(frozenset(), frozenset({("workflow:w", "50-1")}))
    starts.is_start_first["workflow:w", "50-1"] = is_start_first
    result = deliver_events(arrivals, {}, starts, fresh_after_ms=0)
    assert isinstance(result, Matches)
    assert len(result.matches) == is_start_first


def test_an_event_with_more_earlier_waits_than_a_page_holds_is_not_finished() -> None:
    waits = [event_wait(f"{number}-0", workflow=f"workflow:{number}") for number in range(1, 3)]
    result = delivered(UserEvent("5-0", "ok", {}), *waits, page_size=2)
    assert len(result.matches) == 2
    assert result.delivered == []
    assert delivered(UserEvent("5-0", "ok", {}), *waits, page_size=3).delivered == ["5-0"]


def test_of_many_events_those_with_more_waits_than_a_page_holds_are_left_for_later() -> None:
    many = (UserEvent("5-0", "ok", {}), sort_candidates("5-0", [[event_wait("1-0")]], 1))
    none = (UserEvent("6-0", "ok", {}), sort_candidates("6-0", [], 1))
    result = deliver_events([many, none], {}, WorkflowStarts(), fresh_after_ms=0)
    assert isinstance(result, Matches)
    assert (result.matches, result.delivered, list(result.buffered)) == ([], ["6-0"], ["6-0"])


def test_an_event_that_no_loaded_wait_takes_is_not_delivered_while_there_may_be_more() -> None:
    event, waits = UserEvent("5-0", "ok", {}), [event_wait("7-0"), event_wait("8-0", workflow="workflow:x")]
    starts = WorkflowStarts({"workflow:w": 6, "workflow:x": 4})
    candidates = [sort_candidates("5-0", [waits[:size]], size) for size in (1, 2)]
    assert deliver_events([(event, candidates[0])], {}, starts, fresh_after_ms=0) == Matches()
    result = deliver_events([(event, candidates[1])], {}, starts, fresh_after_ms=0)
    assert isinstance(result, Matches)
    assert ([match.wait for match in result.matches], result.delivered) == (waits[1:], ["5-0"])


def test_two_events_of_a_batch_complete_a_wait_once() -> None:
    wait = event_wait("1-0", receipt=False)
    arrivals = [
        (UserEvent(id, "ok", {"output": id}), sort_candidates(id, [[wait]], 9)) for id in ("2-0", "3-0")
    ]
    result = deliver_events(arrivals, {}, WorkflowStarts(), fresh_after_ms=0)
    assert isinstance(result, Matches)
    assert [match.end_task_values()["output"] for match in result.matches] == ["2-0"]
    assert [event.is_used for event in result.buffered.values()] == [True, False]
    assert result.receipts == []


def test_an_event_that_is_buffered_completes_earlier_waits_only() -> None:
    event = UserEvent("5-0", "ok", {}, is_receipted=True)
    candidates = sort_candidates("5-0", [[event_wait("7-0")]], 9)
    starts = WorkflowStarts({"workflow:w": 1})
    result = deliver_events([(event, candidates)], {"5-0": event}, starts, fresh_after_ms=0)
    assert result == Matches(delivered=["5-0"])


@pytest.mark.parametrize(("is_used", "id"), [(False, "4-0"), (True, "9-0")])
def test_a_wait_takes_an_unused_event_before_it_or_else_the_oldest_after_it_even_if_that_is_used(
    is_used: bool, id: str
) -> None:
    wait = event_wait("5-0")
    events = [
        UserEvent("4-0", "ok", {}, is_used=is_used),
        UserEvent("10-0", "ok", {}),
        UserEvent("9-0", "ok", {}, is_used=True),
    ]
    result = start_waits([wait], {pattern_of(wait).match_key: events}, WorkflowStarts({"workflow:w": 1}))
    assert isinstance(result, Matches)
    assert [match.event.id for match in result.matches] == [id]


def test_waits_of_a_batch_take_unused_events_in_the_order_of_the_stream() -> None:
    waits = [event_wait(f"{ms}-0", {}, f"workflow:{ms}") for ms in (10, 9, 8)]
    events = [UserEvent("5-0", "ok", {}), UserEvent("4-0", "ok", {})]
    starts = WorkflowStarts({wait.task.workflow: 1 for wait in waits})
    result = start_waits(waits, {pattern_of(waits[0]).match_key: events}, starts)
    assert isinstance(result, Matches)
    assert [(match.wait.entry_id, match.event.id) for match in result.matches] == [
        ("8-0", "4-0"),
        ("9-0", "5-0"),
    ]
    assert result.waiting == waits[:1]


def test_items_go_by_the_start_of_the_workflow_that_they_belong_to() -> None:
    wait = event_wait("7-0", {}, "workflow:w/1.5/2.0")
    request = start_waits(
        [wait], {pattern_of(wait).match_key: [UserEvent("5-0", "ok", {})]}, WorkflowStarts()
    )
    assert request == StartsRequest(frozenset({"workflow:w"}), frozenset())
