"""The lifecycle role: reads the results of steps, and starts the steps that follow.

The results of lfr's own workers come over `workflows:ends`, those of foreign workers over the bus.

The way of a batch: `classify_batch` sorts its events; `load` watches and loads the workflows that they
concern; `advance_workflows` asks the engine what each result changes; one transaction writes all changes
together with the receipts and the acknowledgement of the events. If the transaction is refused, because
another client has changed one of the workflows, the batch is processed again workflow by workflow. Events of
iterated steps have a transaction of their own for each workflow, see `lfr.lifecycle.items`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from lfr.errors import Refused, TooLarge, Unreachable
from lfr.lifecycle.batch_events import BatchEvents, classify_batch
from lfr.lifecycle.change_counts import WorkflowChanges, count_task_ends
from lfr.lifecycle.due_schedules import decide_due_schedules
from lfr.lifecycle.foreign_tasks import ForeignTasks
from lfr.lifecycle.history_trimmer import HistoryTrimmer
from lfr.lifecycle.housekeeper import Housekeeper
from lfr.lifecycle.items import ItemsProcessor
from lfr.lifecycle.large_outputs import LargeOutputs
from lfr.lifecycle.latch_order import LatchOrder, in_order, uses_latches
from lfr.lifecycle.read_ahead import ReadAhead
from lfr.lifecycle.step_results import ResolvedResults, resolve_results
from lfr.lifecycle.task_logs import TaskLogWriter
from lfr.lifecycle.transition_log import log_transitions
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store import keys
from lfr.store.queues.move import route_strays
from lfr.store.queues.routes import RouteCache, Routes
from lfr.store.queues.settle import processed_commands
from lfr.store.redis.connection import Command, Connection, Reply, Store
from lfr.store.stream.cleanup import queue_command
from lfr.store.stream.dead_letters import dead_letter_command
from lfr.store.stream.entries import Entry
from lfr.store.stream.groups import PendingReads
from lfr.store.workflows.attempt_timers import fire_due_timers
from lfr.store.workflows.commit import (
    delete_out_of_band_commands,
    event_commands,
    large_value_commands,
    state_commands,
    transition_commands,
)
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.load import (
    WorkflowReads,
    advance_workflows,
    load,
    load_out_of_band_outputs,
)
from lfr.values.times import format_timestamp
from lfr.values.work import MAX_LOOKS, LookBudget, TooMuchWork

LOGGER = logging.getLogger(__name__)

_MAX_TRANSACTION_BYTES: Final = 64 * 2**20
"""How many bytes the results of a transaction and the inputs in it may have, unless there is only one result.
Redis closes a connection that has sent more than 1 GiB of one transaction."""

_SOON_SECONDS: Final = 0.02
"""How soon to look again for results that another lifecycle is about to finish."""

_TIMER_CHECK_SECONDS: Final = 0.1
"""How late a timer may fire in a busy role."""

_MAX_LOOKS: Final = 2 * MAX_LOOKS
"""How many looks the guards and merges of a pass may take, seconds of work: more than those of one event. A
pass that takes half a minute would look like one that hangs."""


class Lifecycle(Consumer):
    """Advances workflows. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "lifecycle", streams=(keys.ENDS, store.stream))
        self._flows = FlowCache()
        self._route_cache = RouteCache(store)
        self._history_trimmer = HistoryTrimmer(store.settings.history_most)
        self._items = ItemsProcessor(store, self.ids, self._flows, self._route_cache, self._history_trimmer)
        self._housekeeper = Housekeeper(store, self.id.name, self._route_cache)
        self._latch_order = LatchOrder(self.ids)
        self._read_ahead = ReadAhead(self._flows, self._route_cache)
        self._workflow_changes = WorkflowChanges(self.totals, self._flows)
        self._foreign_tasks = ForeignTasks(store.stream)
        self._check_timers_at = 0.0
        self._looks = LookBudget(_MAX_LOOKS)
        self._task_logs = TaskLogWriter(store.settings, self.ids, self._route_cache)

    def on_pass(self, connection: Connection) -> float:
        """Keep house, and shorten a history that is too long; fire due deadlines and delayed starts, and
        decide due schedules, at most every 0.1 s; return seconds until the next try."""
        self._housekeeper.run(connection)
        self._history_trimmer.run(connection)
        if self._latch_order.held_count:
            self._process_held(connection)
        now = time.monotonic()
        seconds = self._check_timers_at - now
        if seconds <= 0:
            self._check_timers_at = now + _TIMER_CHECK_SECONDS
            seconds = fire_due_timers(
                connection,
                self._route_cache,
                self._flows,
                partial(decide_due_schedules, self.store),
                count=self.store.settings.batch,
            )
        seconds = min(seconds, self._housekeeper.due_seconds)
        return min(seconds, _SOON_SECONDS) if self._latch_order.held_count else seconds

    def capacity(self) -> int:
        """Return how many events a pass may read: fewer while many are held back, but at least one, so that
        what a dead lifecycle has read is reclaimed."""
        return max(1, super().capacity() - self._latch_order.held_count)

    def _process_held(self, connection: Connection) -> None:
        self._batch = self._latch_order.release(connection)  # a defect that one of them meets stops no other
        if not self._batch:
            return
        self._looks = LookBudget(_MAX_LOOKS)
        try:
            self._process(connection, classify_batch(self._batch))
        except (Unreachable, Refused):
            self._latch_order.hold(self._batch)
            raise
        self._batch = []

    def leave(self, connection: Connection) -> None:
        """Leave the housekeeping, and what is held back, to another lifecycle, then leave the group."""
        self._housekeeper.release(connection)
        self._latch_order.leave(connection)
        super().leave(connection)

    def execute_read(self, connection: Connection, commands: Sequence[Command]) -> list[Reply]:
        """Send the commands that read a batch, and in the same write those that read the workflows which it
        is likely to concern."""
        return self._read_ahead.execute(connection, commands)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Process a batch: results, notices and malformed events in one transaction, or in several if that is
        refused or too large; events of items by workflow. Acknowledge events for other groups later. Events
        of which the guards and merges would keep this pass too long have a pass of their own each."""
        self._looks = LookBudget(_MAX_LOOKS)
        batch_events = classify_batch(batch)
        reads = self._read_ahead.take(connection, batch_events, len(batch))
        route_strays(connection, self._route_cache, batch_events.strays)
        if batch_events.receipts:
            self.send_later([queue_command(batch_events.receipts)])
        self.settle_later(batch_events.foreign)
        self._task_logs.process(connection, batch_events.logs)  # before the ends of these tasks
        if batch_events.results or batch_events.notices or batch_events.malformed:
            self._process(connection, batch_events, reads)
        for id, item_events in batch_events.items.items():
            if self._looks.is_used_up:
                self.process_singly(item_events.entries)
                continue
            try:
                self._items.process(connection, id, item_events, self._looks)
            except TooLarge as error:
                connection.unwatch()
                self._items.fail(connection, id, item_events, f"its items cannot be stored: {error}")
        self._workflow_changes.note(batch)

    def complete_totals(self, connection: Connection) -> None:
        """Count the workflows that have changed their state. (HGET)"""
        self._workflow_changes.count(connection)

    def _process(
        self, connection: Connection, batch_events: BatchEvents, reads: WorkflowReads | None = None
    ) -> None:
        """Process a batch in one transaction; if that is refused, workflow by workflow; if it is too large,
        result by result, or if its order counts; if it is too much work, result by result in later passes.
        `reads` are replies to reads of its workflows, which are watched already."""
        parts = deque([batch_events])
        while parts:
            part, part_reads, reads = parts.popleft(), reads, None
            try:
                parts.extendleft(reversed(self._commit(connection, part, part_reads)))
            except TooMuchWork:
                connection.unwatch()
                self.process_singly(part.entries())
            except TooLarge as error:
                connection.unwatch()
                parts.extendleft(reversed(part.smaller(error)))

    def _commit(
        self, connection: Connection, batch_events: BatchEvents, reads: WorkflowReads | None
    ) -> list[BatchEvents]:
        """Load, advance and write the workflows of a batch; return what remains to be done, in parts: nothing
        if the transaction was accepted."""
        outputs = load_out_of_band_outputs(connection, batch_events.steps_without_output())
        pointers = batch_events.pointers()
        large_outputs = LargeOutputs(connection, pointers)
        pending = PendingReads(self.ids, batch_events.results_without_attempt())
        indices = batch_events.indices()
        routes, loaded = load(
            connection, self._flows, self._route_cache, indices, pending.add_to, pointers.keys(), reads
        )
        if lost := pending.lost_entries():  # another lifecycle has them: here they could end a later attempt
            batch_events = batch_events.without(lost)
        resolved = resolve_results(batch_events, loaded, outputs, large_outputs)
        transitions = advance_workflows(connection, loaded, resolved.results, self._looks)
        if batch_events.count_results() > 1:
            size = batch_events.count_bytes() + sum(map(len, outputs.values()))
            size += large_outputs.count_bytes()
            size += sum(change.input_bytes for changes in transitions.values() for change in changes)
            if size > _MAX_TRANSACTION_BYTES:
                connection.unwatch()
                return batch_events.by_event()
        is_ordered = uses_latches(loaded, transitions)
        if is_ordered and (early := self._latch_order.find_early(connection, transitions)):
            connection.unwatch()
            entries = [entry for id in early for entry, _ in batch_events.results[id]]
            self._latch_order.hold(entries)
            return batch_events.without(entries).by_workflow()
        # A foreign group sees the end of a task before what follows from it.
        commands = routes.copy_commands(large_outputs.add_to(batch_events.result_entries()))
        commands += large_outputs.cleanup_commands(loaded, transitions)
        if is_ordered:
            for id, changes in transitions.items():
                commands += state_commands(routes, loaded[id], changes)
            for id, change in in_order(transitions):
                commands += event_commands(routes, loaded[id], [change])
            for id in transitions:
                commands += large_value_commands(loaded[id])
        else:
            for id, changes in transitions.items():
                commands += transition_commands(routes, loaded[id], changes)
        commands += self._event_commands(routes, batch_events, resolved)
        foreign = self._foreign_tasks.find(batch_events, loaded, transitions)
        commands += self._foreign_tasks.commands(routes, foreign)

        def note(replies: list[Reply]) -> None:
            self._history_trimmer.note(commands, replies)
            self._foreign_tasks.note(routes, foreign)
            log_transitions(loaded, transitions)
            count_task_ends(self.totals, loaded, transitions)

        if reads is not None and not is_ordered:
            # What follows is likely to be this short again: the next read goes without the wait for EXEC.
            settle = partial(self._settle, connection, batch_events, commands, note)
            connection.transact_early(commands, settle)
            self._read_ahead.note(loaded, was_ahead=True)
            return []
        replies = connection.transact(commands)
        if replies is None:  # another client has changed one of the workflows
            if reads is not None:
                self._read_ahead.note_refusal()
            return batch_events.by_event() if is_ordered else batch_events.by_workflow()
        self._read_ahead.note(loaded, was_ahead=reads is not None)
        note(replies)
        return []

    def _settle(
        self,
        connection: Connection,
        batch_events: BatchEvents,
        commands: Sequence[Command],
        note: Callable[[list[Reply]], None],
        replies: list[Reply],
    ) -> None:
        """Do what follows from the replies to the transaction of a batch, which was sent early. If it was
        refused, process the batch again, over another connection: this one may be blocked in a read. A defect
        that it meets is met again in a pass of its own."""
        try:
            command_replies = connection.check_transaction(replies, commands)
            if command_replies is not None:
                note(command_replies)
                return
            self._read_ahead.note_refusal()
            with self.store.connect() as other:
                self._process(other, batch_events)
        except (Unreachable, Refused):
            raise
        except Exception:
            self.process_singly(batch_events.entries())

    def _event_commands(
        self, routes: Routes, batch_events: BatchEvents, resolved: ResolvedResults
    ) -> list[Command]:
        """Return the commands that store dead letters, and settle all events."""
        at = format_timestamp(routes.now_ms / 1000)
        dead = [*batch_events.malformed, *resolved.orphans]
        dead_ids = {(entry.stream, entry.id) for entry, _ in dead}
        ends = batch_events.result_entries()
        processed = [entry for entry in ends if (entry.stream, entry.id) not in dead_ids] if dead else ends
        commands: list[Command] = [dead_letter_command(entry, reason, at) for entry, reason in dead]
        commands += delete_out_of_band_commands(resolved.used_outputs)
        commands += processed_commands(routes, self.ids, [*processed, *batch_events.notices])
        return commands + processed_commands(routes, self.ids, [entry for entry, _ in dead], "buried")


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped; return the process's exit code."""
    return run_consumers(context, [Lifecycle(store)])
