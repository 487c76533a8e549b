"""Decides which events complete which event waits. Pure: the store loads what it needs and writes the result.

A wait and an event match if the event has the kind and the fields that the wait asks for. Entry ids say which
of the two is earlier, in whatever order they are processed:

- An event completes every earlier wait that matches it.
- If it completes none when it arrives, it completes the oldest later wait whose workflow started before it.
- It is then buffered. A wait that starts takes the oldest unused event before it, if its workflow started
  before that event. Otherwise it takes the oldest buffered event after it, if there is one: the wait was
  processed late. An event is used once it has completed a wait, so it completes one later wait at most.

Whether a workflow started before an event may not have been loaded: then the answer is `StartsRequest`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lfr import events
from lfr.item_ids import root_workflow
from lfr.tasks.wait_spec import EventPattern, Wait
from lfr.values.json import Json
from lfr.values.stream_id import StreamId


@dataclass(frozen=True, slots=True)
class UserEvent:
    """An event that waits may ask for, as it arrives or as it is buffered.

    id            its entry id
    is_used       it has completed a wait, or arrived too old: it completes only waits that started before it
    is_receipted  its receipt has been appended: it gets no second one
    """

    id: str
    kind: str
    fields: Mapping[str, Json]
    is_used: bool = False
    is_receipted: bool = False


@dataclass(slots=True)
class WorkflowStarts:
    """When workflows started, as far as it has been loaded.

    started_ms      by workflow, in milliseconds since the epoch; None: there is no such workflow
    is_start_first  by workflow and event id: whether the start stands before the event on the stream. Only
                    for those whose times do not tell: of the same millisecond, or the event's id is ahead of
                    the clock
    now_ms          the time of Redis, in milliseconds since the epoch
    """

    started_ms: dict[str, int | None] = field(default_factory=dict)
    is_start_first: dict[tuple[str, str], bool] = field(default_factory=dict)
    now_ms: float = math.inf


@dataclass(frozen=True, slots=True)
class StartsRequest:
    """No decision yet: load the members of `started_ms` for these workflows, and the members of
    `is_start_first` for these `orders` (workflow and event id), then decide again. See WorkflowStarts."""

    workflows: frozenset[str]
    orders: frozenset[tuple[str, str]]


class Match(NamedTuple):
    """A wait and the event that completes it."""

    wait: Wait
    event: UserEvent

    def end_task_values(self) -> dict[str, Json]:
        """Return the values of the end-task event for the step that waited."""
        task = self.wait.task
        output = pattern_of(self.wait).output(self.event.fields, task.input)
        output_from = None if "output" in self.event.fields else task.input_from
        return events.end_task_values(task, output=output, output_from=output_from)


@dataclass(slots=True)
class Matches:
    """What a batch of events or of new waits changes.

    matches    the waits that end, each with its event
    receipts   the ids of the events that get a receipt now
    buffered   the events to write to the buffer, as they are afterwards, by id
    waiting    the new waits that no buffered event completes: they are to be stored
    delivered  the ids of the arrived events that are to be acknowledged: they complete no further wait now
    """

    matches: list[Match] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    buffered: dict[str, UserEvent] = field(default_factory=dict)
    waiting: list[Wait] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The waits that an event may complete.

    earlier      waits that started before the event
    later        waits that started after it, oldest first
    all_earlier  whether Redis holds no more earlier waits; `all_later`: likewise for later ones
    """

    earlier: Sequence[Wait]
    later: Sequence[Wait]
    all_earlier: bool = True
    all_later: bool = True


def sort_candidates(event_id: str, pages: Sequence[Sequence[Wait | None]], page_size: int) -> Candidates:
    """Sort the waits that match an event into earlier and later ones. Each page holds the first waits of one
    match key, oldest first, up to `page_size`; None stands for a wait that has ended."""
    arrival = StreamId.parse(event_id)
    earlier: list[Wait] = []
    later: list[Wait] = []
    all_earlier = all_later = True
    for page in pages:
        later_on_page = [wait for wait in page if wait and StreamId.parse(wait.entry_id) > arrival]
        later += later_on_page
        earlier += [wait for wait in page if wait and StreamId.parse(wait.entry_id) < arrival]
        all_earlier &= len(page) < page_size or bool(later_on_page)
        all_later &= len(page) < page_size
    return Candidates(earlier, sorted(later, key=start_order), all_earlier, all_later)


def deliver_events(
    arrivals: Sequence[tuple[UserEvent, Candidates]],
    buffered: Mapping[str, UserEvent],
    starts: WorkflowStarts,
    *,
    fresh_after_ms: int,
) -> Matches | StartsRequest:
    """Decide which waits these events complete, and which events to buffer.

    `buffered` holds those of them that are buffered already. An event that is not newer than `fresh_after_ms`
    completes earlier waits only.

    An event is missing in `delivered` if its pages are too small: it has more earlier waits than they hold,
    or no later wait on them may take it. Pass it again, alone and with larger pages.
    """
    draft = _Draft(buffered, starts)
    for event, candidates in arrivals:
        if candidates.all_earlier or len(arrivals) == 1:
            draft.deliver(event, candidates, is_fresh=StreamId.parse(event.id).ms > fresh_after_ms)
    return draft.decision()


def start_waits(
    waits: Sequence[Wait], events_by_key: Mapping[str, Sequence[UserEvent]], starts: WorkflowStarts
) -> Matches | StartsRequest:
    """Decide which of these new event waits a buffered event completes. `events_by_key` holds, for the match
    key of each wait, the buffered events in any order."""
    draft = _Draft({event.id: event for page in events_by_key.values() for event in page}, starts)
    ids_by_key = {
        key: sorted({event.id for event in page}, key=StreamId.parse) for key, page in events_by_key.items()
    }
    for wait in sorted(waits, key=start_order):
        draft.start(wait, ids_by_key[pattern_of(wait).match_key])
    return draft.decision()


def start_order(wait: Wait) -> tuple[int, int]:
    """Return the sort key by which waits are in the order of their start-tasks on the stream."""
    return StreamId.parse(wait.entry_id)


def pattern_of(wait: Wait) -> EventPattern:
    """Return the pattern of an event wait."""
    assert wait.pattern is not None
    return wait.pattern


class _Draft:
    """A decision in the making; `_events` holds each event as it leaves it."""

    def __init__(self, buffered: Mapping[str, UserEvent], starts: WorkflowStarts) -> None:
        self.result = Matches()
        self._events = dict(buffered)
        self._starts = starts
        self._completed: set[events.AttemptId] = set()
        self._requested_workflows: set[str] = set()
        self._requested_orders: set[tuple[str, str]] = set()

    def decision(self) -> Matches | StartsRequest:
        """Return the result, or what must be loaded first."""
        if self._requested_workflows or self._requested_orders:
            return StartsRequest(frozenset(self._requested_workflows), frozenset(self._requested_orders))
        return self.result

    def deliver(self, event: UserEvent, candidates: Candidates, *, is_fresh: bool) -> None:
        """Let an event complete its waits; buffer it."""
        is_new = event.id not in self._events
        waits = [wait for wait in candidates.earlier if wait.task.attempt_id not in self._completed]
        if not waits and is_new and is_fresh:
            later = (wait for wait in candidates.later if wait.task.attempt_id not in self._completed)
            waits = [wait for wait in later if self._started_before(wait, event.id)][:1]
            if not waits and not candidates.all_later:
                return
        if is_new:
            self._events[event.id] = replace(event, is_used=not is_fresh)
        for wait in waits:
            self._complete(wait, event.id)
        if is_new and not waits:
            self.result.buffered[event.id] = self._events[event.id]
        if candidates.all_earlier:
            self.result.delivered.append(event.id)

    def start(self, wait: Wait, event_ids: Sequence[str]) -> None:
        """Complete a new wait by one of these buffered events, oldest first; or let it wait."""
        earlier = [id for id in event_ids if StreamId.parse(id) < start_order(wait)]
        late = event_ids[len(earlier) : len(earlier) + 1]
        unused = (id for id in earlier if not self._events[id].is_used)
        event_id = next((id for id in unused if self._started_before(wait, id)), *late or (None,))
        if event_id is None:
            self.result.waiting.append(wait)
        else:
            self._complete(wait, event_id)

    def _complete(self, wait: Wait, event_id: str) -> None:
        event = self._events[event_id]
        self._completed.add(wait.task.attempt_id)
        self.result.matches.append(Match(wait, event))
        is_receipted = event.is_receipted
        if pattern_of(wait).is_receipted and not is_receipted:
            self.result.receipts.append(event_id)
            is_receipted = True
        self._events[event_id] = replace(event, is_used=True, is_receipted=is_receipted)
        self.result.buffered[event_id] = self._events[event_id]

    def _started_before(self, wait: Wait, event_id: str) -> bool:
        """Return whether the workflow of a wait started before an event. If that has not been loaded, note it
        and assume it: the draft is not used."""
        workflow = root_workflow(wait.task.workflow)
        event_ms = StreamId.parse(event_id).ms
        if workflow not in self._starts.started_ms:
            self._requested_workflows.add(workflow)
            return True
        started_ms = self._starts.started_ms[workflow]
        if started_ms is None or started_ms > event_ms:
            return False
        if started_ms < event_ms <= self._starts.now_ms:
            return True
        if (workflow, event_id) not in self._starts.is_start_first:
            self._requested_orders.add((workflow, event_id))
            return True
        return self._starts.is_start_first[workflow, event_id]
