"""The role wait: runs the `wait:` tasks, which are delays, event waits and latches.

All waits are in Redis, so a restart loses none and a waiting step costs this process nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from lfr import event_fields, events
from lfr.engine.waits import UserEvent
from lfr.event_fields import Malformed
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import (
    FIRST_SUSPECT_DELIVERY,
    INPUT_IS_GONE,
    Completion,
    complete_tasks,
    deadly_reason,
    load_inputs,
    parse_tasks,
)
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import Entry
from lfr.store.stream.groups import read_deliveries, release_claims, write_deliveries
from lfr.store.waits.event_buffer import remove_unused_field_sets
from lfr.store.waits.latches import (
    complete_opened_countdowns,
    complete_settled_countdowns,
    process_requests,
)
from lfr.store.waits.listing import list_earlier_waits
from lfr.store.waits.match import deliver, start_event_waits
from lfr.store.waits.order import EventOrder, ReadyToProcess
from lfr.store.waits.start import cancel_waits, start_delays
from lfr.store.waits.timers import end_due_waits, read_due_work
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.tasks.parameters import BadParameter
from lfr.tasks.wait_spec import LatchRequest, Wait, parse_wait
from lfr.values.checks import is_unicode
from lfr.values.json import ABSENT

_SOON_SECONDS: Final = 0.02
"""How soon to look again for pending entries that another role is about to finish."""

_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.02
"""The pause after a batch in which nothing is for this role, for each of its events, and in all. So the role
answers at once when little is going on, and reads many events at once when most of many are for others."""

_TIDY_EVERY_SECONDS: Final = 10.0


class WaitTasks(Consumer):
    """Starts waits and ends them. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "wait")
        self._retain_ms = round(1000 * store.settings.events_retain_seconds)
        self._tidy_at = 0.0
        self._due_at = math.inf  # when the next timer is due
        self._list_from = 0  # the cursor of the search for waits of earlier versions
        self._order = EventOrder(self.id)
        self._begun: set[str] = set()  # entries with which this process has not died
        self._uncounted: set[str] = set()  # suspects whose present delivery does not count yet

    def on_pass(self, connection: Connection) -> float:
        """End some of the waits that end without an event, by the clock or by their latch; return the seconds
        until the next is due, 0 if there may be more now. Every ten seconds, drop unused field sets, and look
        for waits of earlier versions that no list has."""
        work = read_due_work(connection)
        if time.monotonic() >= self._tidy_at:
            remove_unused_field_sets(connection, work.now_ms)
            self._list_from = list_earlier_waits(connection, self._list_from)
            self._tidy_at = time.monotonic() + (0.0 if self._list_from else _TIDY_EVERY_SECONDS)
        if work.has_opened_countdowns:
            complete_opened_countdowns(connection, work.now_ms)
        if work.has_due_timers:
            count = self.store.settings.batch
            end_due_waits(connection, work.now_ms, count=count, has_pauses=work.has_pauses)
        if self._order.held_ids:
            self._process_ready(connection, self._order.release(connection))
        if work.has_opened_countdowns or work.has_due_timers:
            return 0.0  # there may be more
        due_in = math.inf if work.next_ms is None else (work.next_ms - work.now_ms) / 1000
        self._due_at = time.monotonic() + due_in
        seconds = min(super().on_pass(connection), due_in)
        if self._order.held_ids:
            seconds = min(seconds, _SOON_SECONDS)
        if work.has_countdowns:
            self.acknowledge_now(connection)  # latches wait until no earlier entry is pending
            complete_settled_countdowns(connection, self.id, work.now_ms)
            return min(seconds, _SOON_SECONDS)
        return seconds

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Process a batch, each list of WaitBatch in a transaction with its acknowledgement, or, if that is
        refused, one by one. Among waits and events, the stream's order decides what is earlier. Holds back
        those that come after an event of their kind that another role has read and not processed."""
        if self.is_reclaimed and not (batch := self._without_deadly(connection, batch)):
            return
        self._begun.update(entry.id for entry in batch)
        self._process(connection, batch)
        self._begun.difference_update(entry.id for entry in batch)

    def _process(self, connection: Connection, batch: Sequence[Entry]) -> None:
        waits = classify_batch(batch, partial(load_inputs, connection))
        if len(waits.foreign) == len(batch) < self.capacity():
            pause = min(_PAUSE_SECONDS * len(batch), _LONGEST_PAUSE_SECONDS)
            self.pause_once(max(0.0, min(pause, self._due_at - time.monotonic())))
        self.acknowledge_later(waits.foreign)
        complete_tasks(connection, self.id, waits.failures, has_receipts=self.has_receipts)
        start_delays(connection, self.id, waits.delays)
        if waits.latch_requests:
            self.acknowledge_now(connection)
        process_requests(connection, self.id, waits.latch_requests, first_id=batch[0].id)
        ready = self._order.release(connection, waits.event_waits, waits.user_events)
        start_event_waits(connection, self.id, ready.waits, retain_ms=self._retain_ms)
        cancel_waits(connection, self.id, waits.cancels)
        deliver(connection, self.id, ready.user_events, retain_ms=self._retain_ms)

    def _without_deadly(self, connection: Connection, batch: Sequence[Entry]) -> Sequence[Entry]:
        """Return what is to be processed now of a batch that was taken over. If a role may have died with one
        of its entries, each is processed in a pass of its own, and does not count as delivered before: so a
        task that was delivered more than `tasks.deliveries` times fails for its own sake. An outage in which
        this process had it is no death. (XPENDING, XCLAIM)"""
        most = self.store.settings.tasks_deliveries
        deliveries = read_deliveries(connection, self.id, [entry.id for entry in batch])
        for id in self._begun & deliveries.keys():
            deliveries[id] -= 1
        if len(batch) > 1:
            if max(deliveries.values(), default=0) < min(FIRST_SUSPECT_DELIVERY, most):
                return batch
            write_deliveries(connection, self.id, {id: count - 1 for id, count in deliveries.items()})
            self._uncounted |= deliveries.keys()
            self.process_singly(batch)
            return []
        [entry] = batch
        if entry.id in deliveries:
            deliveries[entry.id] += entry.id in self._uncounted
            write_deliveries(connection, self.id, deliveries)
        self._uncounted.discard(entry.id)
        if deliveries.get(entry.id, 0) <= most:
            return batch
        tasks, _ = parse_tasks(batch, lambda base: base.startswith(WAIT_PREFIX))
        failures = [
            Completion(id, events.end_task_values(task, failure=deadly_reason(most), is_final=True))
            for id, task in tasks
        ]
        complete_tasks(connection, self.id, failures, has_receipts=self.has_receipts)
        return [] if failures else batch

    def _process_ready(self, connection: Connection, ready: ReadyToProcess) -> None:
        start_event_waits(connection, self.id, ready.waits, retain_ms=self._retain_ms)
        deliver(connection, self.id, ready.user_events, retain_ms=self._retain_ms)

    def capacity(self) -> int:
        """Return how many events a pass may read: fewer while many are held back, but at least one, so that
        what a dead role has read is reclaimed."""
        return max(1, super().capacity() - len(self._order.held_ids))

    def claimed_ids(self) -> Sequence[str]:
        """Return the entry ids of the waits and events that are held back."""
        return self._order.held_ids

    def leave(self, connection: Connection) -> None:
        """Let other roles reclaim at once what is held back; leave the group."""
        release_claims(connection, self.id, self._order.held_ids)
        super().leave(connection)


@dataclass(slots=True)
class WaitBatch:
    """The events of one batch by what is to be done, each list in the order of the stream.

    delays          waits that only the clock ends; `event_waits`: those that an event, or the clock, ends
    latch_requests  steps that acquire, release or count down
    failures        completions of `wait:` tasks with wrong parameters
    cancels         attempts that were cancelled, each with the id of the event
    user_events     events that may complete waits
    foreign         the ids of all others
    """

    delays: list[Wait] = field(default_factory=list)
    event_waits: list[Wait] = field(default_factory=list)
    latch_requests: list[LatchRequest] = field(default_factory=list)
    failures: list[Completion] = field(default_factory=list)
    cancels: list[tuple[str, events.CancelTask]] = field(default_factory=list)
    user_events: list[UserEvent] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def add_task(self, entry_id: str, task: events.StartTask) -> None:
        """Add a `wait:` task; one with wrong parameters becomes a failure."""
        if task.input is ABSENT:
            values = events.end_task_values(task, failure=INPUT_IS_GONE)
            self.failures.append(Completion(entry_id, values))
            return
        try:
            wait = parse_wait(entry_id, task)
        except BadParameter as error:
            values = events.end_task_values(task, failure=str(error), is_final=True)
            self.failures.append(Completion(entry_id, values))
            return
        if isinstance(wait, LatchRequest):
            self.latch_requests.append(wait)
        elif wait.pattern is not None:
            self.event_waits.append(wait)
        else:
            self.delays.append(wait)

    def add_event(self, entry: Entry) -> None:
        """Add an event that is no valid start-task. A malformed one is foreign: the lifecycle reports it."""
        kind = event_fields.peek_kind(entry.fields)
        with suppress(Malformed):
            if kind == events.CANCEL_TASK:
                values = event_fields.decode(entry.fields)
                base = values.get(b"base")
                if not isinstance(base, str) or base.startswith(WAIT_PREFIX):
                    self.cancels.append((entry.id, events.parse_cancel_task(values)))
                    return
            elif kind is not None and kind not in events.OWN_KINDS and is_unicode(kind):
                self.user_events.append(UserEvent(entry.id, kind, event_fields.decode_event(entry.fields)))
                return
        self.foreign.append(entry.id)


def classify_batch(
    batch: Sequence[Entry],
    load: Callable[[list[tuple[str, events.StartTask]]], list[tuple[str, events.StartTask]]] = list,
) -> WaitBatch:
    """Sort the events of a batch. Tasks that are not `wait:` tasks are foreign, too, and not decoded.
    `load` loads the inputs to which tasks refer."""
    waits = WaitBatch()
    tasks, other_ids = parse_tasks(batch, lambda base: base.startswith(WAIT_PREFIX))
    for entry_id, task in load(tasks):
        waits.add_task(entry_id, task)
    entries = {entry.id: entry for entry in batch}
    for entry_id in other_ids:
        waits.add_event(entries[entry_id])
    return waits


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped; return the exit code of the process."""
    return run_consumers(context, [WaitTasks(store)])
