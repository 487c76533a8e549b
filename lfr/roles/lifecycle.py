"""The lifecycle role: reads the results of steps, and starts the steps that follow.

The way of a batch: `classify_batch` sorts its events; `load` watches and loads the workflows that they
concern; `advance_workflows` asks the engine what each result changes; one transaction writes all changes
together with the receipts and the acknowledgement of the events. If the transaction is refused, because
another client has changed one of the workflows, the batch is processed again workflow by workflow. Events of
iterated steps have a transaction of their own for each workflow, see `lfr.lifecycle.items`.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lfr import events
from lfr.engine.transition import FactKind, StepResult, Transition
from lfr.host.journal import log_fields
from lfr.item_ids import is_item, parse_item_id
from lfr.lifecycle.items import ItemEvents, ItemsProcessor
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.step_options import EACH
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.stream.entries import Entry, dead_letter_command, receipt_commands
from lfr.store.workflows.attempt_timers import fire_due_timers
from lfr.store.workflows.commit import delete_out_of_band_commands, transition_commands
from lfr.store.workflows.load import (
    FlowCache,
    LoadedWorkflow,
    advance_workflows,
    load,
    load_out_of_band_outputs,
)
from lfr.tasks.catalogue import REQUEST_PREFIX
from lfr.values.json import InvalidJson, decode_json

LOGGER = logging.getLogger(__name__)

_MAX_TRANSACTION_BYTES: Final = 64 * 2**20
"""How many bytes the results of a transaction and the inputs in it may have, unless there is only one result.
Redis closes a connection that has sent more than 1 GiB of one transaction."""

_TIMER_CHECK_SECONDS: Final = 0.1
"""How late a timer may fire in a busy role."""


class _TooLarge(Exception):
    """The results of a batch are too large for one transaction."""


class Lifecycle(Consumer):
    """Advances workflows. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "lifecycle")
        self._flows = FlowCache()
        self._items = ItemsProcessor(store, self.id, self._flows)
        self._check_timers_at = 0.0

    def on_pass(self, connection: Connection) -> float:
        """Fire due deadlines and delayed starts, at most every 0.1 s; return seconds until the next try."""
        now = time.monotonic()
        if now < self._check_timers_at:
            return self._check_timers_at - now
        self._check_timers_at = now + _TIMER_CHECK_SECONDS
        return fire_due_timers(connection, self.store.stream, count=self.store.settings.batch)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Process a batch: results, notices and malformed events in one transaction, or in several if that is
        refused or too large; events of items by workflow. Acknowledge events for other groups later."""
        batch_events = classify_batch(batch)
        self.acknowledge_later(batch_events.foreign)
        if batch_events.results or batch_events.notices or batch_events.malformed:
            self._process(connection, batch_events)
        for id, item_events in batch_events.items.items():
            self._items.process(connection, id, item_events)

    def _process(self, connection: Connection, batch_events: BatchEvents) -> None:
        """Process a batch in one transaction; if that is refused, workflow by workflow; if it is too large,
        result by result."""
        while True:
            try:
                if self._commit(connection, batch_events):
                    return
                parts = batch_events.by_workflow()
            except _TooLarge:
                connection.unwatch()
                parts = batch_events.by_event()
            if len(parts) > 1:
                for part in parts:
                    self._process(connection, part)
                return
            # Another client has changed this one workflow again: load it anew.

    def _commit(self, connection: Connection, batch_events: BatchEvents) -> bool:
        """Load, advance and write the workflows of a batch; return whether the transaction was accepted.
        Raises _TooLarge for several results that are too large for one transaction."""
        outputs = load_out_of_band_outputs(connection, batch_events.steps_without_output())
        now_ms, loaded = load(connection, self._flows, batch_events.indices())
        resolved = resolve_results(batch_events, loaded, outputs)
        transitions = advance_workflows(connection, loaded, resolved.results)
        if batch_events.count_results() > 1:
            size = batch_events.count_bytes() + sum(map(len, outputs.values()))
            size += sum(change.input_bytes for changes in transitions.values() for change in changes)
            if size > _MAX_TRANSACTION_BYTES:
                raise _TooLarge
        commands: list[Command] = []
        for id, changes in transitions.items():
            commands += transition_commands(self.store.stream, loaded[id], changes, now_ms)
        commands += self._event_commands(batch_events, resolved, now_ms)
        is_committed = connection.transact(commands) is not None
        if is_committed:
            log_transitions(loaded, transitions)
        return is_committed

    def _event_commands(
        self, batch_events: BatchEvents, resolved: ResolvedResults, now_ms: int
    ) -> list[Command]:
        """Return the commands that store dead letters, and acknowledge all events with receipts."""
        at = events.timestamp(now_ms / 1000)
        dead = [*batch_events.malformed, *resolved.orphans]
        actions = {entry.id: "processed" for results in batch_events.results.values() for entry, _ in results}
        actions |= {entry.id: "processed" for entry in batch_events.notices}
        actions |= {entry.id: "buried" for entry, _ in dead}
        commands: list[Command] = [dead_letter_command(entry, reason, at) for entry, reason in dead]
        commands += delete_out_of_band_commands(resolved.used_outputs)
        return commands + receipt_commands(self.id, actions, at)


@dataclass(slots=True)
class BatchEvents:
    """The events of a batch, classified.

    results    end-task events by workflow, in the order of the stream
    items      events of iterated steps, by workflow
    notices    events that need nothing but a receipt
    malformed  events that cannot be understood, with the reason
    foreign    ids of the events for other groups
    """

    results: dict[str, list[tuple[Entry, events.EndTask]]] = field(default_factory=dict)
    items: dict[str, ItemEvents] = field(default_factory=dict)
    notices: list[Entry] = field(default_factory=list)
    malformed: list[tuple[Entry, str]] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def by_workflow(self) -> list[BatchEvents]:
        """Split it: a batch for the results of each workflow, and one for all notices and malformed events.
        Leaves out `items` and `foreign`."""
        return [BatchEvents({id: results}) for id, results in self.results.items()] + self._without_results()

    def by_event(self) -> list[BatchEvents]:
        """Split it: a batch for each result, and one for all notices and malformed events."""
        singles = [BatchEvents({id: [result]}) for id, results in self.results.items() for result in results]
        return singles + self._without_results()

    def _without_results(self) -> list[BatchEvents]:
        if not self.notices and not self.malformed:
            return []
        return [BatchEvents(notices=self.notices, malformed=self.malformed)]

    def count_results(self) -> int:
        """Return how many results there are."""
        return sum(map(len, self.results.values()))

    def count_bytes(self) -> int:
        """Return how many bytes the field values in the events of the results have."""
        entries = (entry for results in self.results.values() for entry, _ in results)
        return sum(sum(map(len, entry.fields.values())) for entry in entries)

    def indices(self) -> dict[str, list[int]]:
        """Return the steps to which the results belong, by workflow."""
        return {id: [task.index for _, task in results] for id, results in self.results.items()}

    def steps_without_output(self) -> list[tuple[str, int]]:
        """Return workflow and index of the successful steps that may have an out-of-band output."""
        return [
            (id, task.index)
            for id, results in self.results.items()
            for _, task in results
            if not task.has_output and task.status is events.Status.SUCCESS
        ]


def classify_batch(entries: Sequence[Entry]) -> BatchEvents:
    """Classify the events of a batch. An end-task of which only the output is malformed becomes a failure of
    its step; start-tasks but those of iterated steps, receipts and users' events are foreign."""
    batch_events = BatchEvents()
    decoded = events.decode_all([entry.fields for entry in entries])
    for entry, values in zip(entries, decoded, strict=True):
        try:
            _classify(batch_events, entry, values)
        except events.Malformed as error:
            batch_events.malformed.append((entry, str(error)))
    return batch_events


def _classify(batch_events: BatchEvents, entry: Entry, values: events.Values | events.Malformed) -> None:
    """Add an event to `batch_events`. Raises Malformed."""
    if isinstance(values, events.Malformed):
        task = _parse_without_output(entry, values)
        batch_events.results.setdefault(task.workflow, []).append((entry, task))
        return
    kind = events.parse_kind(values)
    if kind == events.END_TASK:
        task = events.parse_end_task(values)
        batch_events.results.setdefault(task.workflow, []).append((entry, task))
    elif kind in events.WORKFLOW_EVENTS:
        _classify_workflow_event(batch_events, entry, kind, str(values.get(b"workflow")))
    elif kind == events.CANCEL_TASK:
        events.parse_cancel_task(values)
        batch_events.notices.append(entry)
    elif kind == events.START_TASK and values.get(b"base") == EACH:
        start = events.parse_start_task(values)
        batch_events.items.setdefault(start.workflow, ItemEvents()).add_start(entry, start)
    else:
        events.check_event(kind, values)
        batch_events.foreign.append(entry.id)


def _classify_workflow_event(batch_events: BatchEvents, entry: Entry, kind: str, id: str) -> None:
    """Add an event of a workflow: the end of an item concerns its parent, a termination the items."""
    item = parse_item_id(id)
    if kind == events.TERMINATED_WORKFLOW:
        batch_events.items.setdefault(id, ItemEvents()).add_termination(entry)
    elif item is not None and kind != events.START_WORKFLOW:
        batch_events.items.setdefault(item.parent, ItemEvents()).add_end(entry, item)
    else:
        batch_events.notices.append(entry)


def _parse_without_output(entry: Entry, error: events.Malformed) -> events.EndTask:
    """Return a failure for an end-task event of which only the output is malformed, so that no step waits
    for ever. Raises `error` for any other event."""
    fields = {name: value for name, value in entry.fields.items() if name != b"output"}
    if events.peek_kind(entry.fields) != events.END_TASK or len(fields) == len(entry.fields):
        raise error
    task = events.parse_end_task(events.decode(fields))
    return replace(task, status=events.Status.FAILURE, reason=f"its worker's answer is unusable: {error}")


@dataclass(slots=True)
class ResolvedResults:
    """The results of a batch, after a check against the workflows that were loaded.

    results       the results for the engine, by workflow
    orphans       events whose workflow or step does not exist, with the reason
    used_outputs  workflow and index of the out-of-band outputs that are to be deleted
    """

    results: dict[str, list[StepResult]] = field(default_factory=lambda: defaultdict(list))
    orphans: list[tuple[Entry, str]] = field(default_factory=list)
    used_outputs: set[tuple[str, int]] = field(default_factory=set)


def resolve_results(
    batch_events: BatchEvents,
    loaded: Mapping[str, LoadedWorkflow],
    outputs: Mapping[tuple[str, int], bytes],
) -> ResolvedResults:
    """Return the results for the engine, and the events that concern no existing step. `outputs` are the
    out-of-band outputs, as JSON."""
    resolved = ResolvedResults()
    for id, results in batch_events.results.items():
        workflow = loaded.get(id)
        for entry, task in results:
            step = (id, task.index)
            if workflow is None:
                if step in outputs:
                    resolved.used_outputs.add(step)
                if not is_item(id):  # an item that is done has been deleted: the event is a duplicate
                    resolved.orphans.append((entry, f"there is no workflow {id}"))
            elif task.index >= len(workflow.flow.steps):
                resolved.orphans.append((entry, f"{id} has no step {task.index}"))
            else:
                resolved.results[id].append(_step_result(task, outputs.get(step)))
                if _uses_output(workflow, task, step in outputs):
                    resolved.used_outputs.add(step)
    return resolved


def _uses_output(workflow: LoadedWorkflow, task: events.EndTask, has_output: bool) -> bool:
    """Return whether to delete the out-of-band output of a step: this result uses it, or the remote end of a
    request sends the output itself. The output of a later attempt stays."""
    progress = workflow.progress.step(task.index)
    if progress is not None and task.attempt not in (None, progress.attempt):
        return False
    step = workflow.flow.steps[task.index]
    return has_output or (step.base or step.name).startswith(REQUEST_PREFIX)


def _step_result(task: events.EndTask, out_of_band: bytes | None) -> StepResult:
    if task.status is events.Status.FAILURE:
        reason = task.reason or "the worker gave no reason"
        chance = random.random()
        return StepResult(task.index, None, reason, task.attempt, chance, is_final=task.is_final)
    output = task.output if task.has_output else {}
    if not task.has_output and out_of_band is not None:
        try:
            output = decode_json(out_of_band)
        except InvalidJson:
            return StepResult(task.index, failure="the output that its worker wrote is not JSON")
    return StepResult(task.index, output, attempt=task.attempt)


def log_transitions(
    loaded: Mapping[str, LoadedWorkflow], transitions: Mapping[str, Sequence[Transition]]
) -> None:
    """Log failures and retries with their reason, as warnings; with LOG_LEVEL=DEBUG all facts."""
    logs_all = LOGGER.isEnabledFor(logging.DEBUG)
    for id, changes in transitions.items():
        for transition in changes:
            if transition.reason or logs_all:
                _log(id, loaded[id], transition)


def _log(id: str, workflow: LoadedWorkflow, transition: Transition) -> None:
    for fact in transition.facts:
        is_failure = fact.kind in (FactKind.FAILED, FactKind.RETRIED)
        level = logging.WARNING if is_failure else logging.DEBUG
        reason = f": {transition.reason}" if is_failure else ""
        subject = id
        if fact.index is not None:
            step = workflow.flow.steps[fact.index]
            subject = f"{id}: step {fact.index}, {step.name or step.kind.value},"
        LOGGER.log(level, "%s %s%s", subject, fact.kind, reason, extra=log_fields(id, fact.index))


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped; return the process's exit code."""
    return run_consumers(context, [Lifecycle(store)])
