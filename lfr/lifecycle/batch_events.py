"""The events of one pass of a lifecycle, sorted by what is to be done with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lfr import event_fields, events
from lfr.errors import TooLarge
from lfr.event_fields import Fields, Malformed, Values
from lfr.item_ids import parse_item_id
from lfr.lifecycle.item_events import ItemEvents
from lfr.step_options import is_for_lifecycles
from lfr.store import keys
from lfr.store.stream.cleanup import LoggedReceipt
from lfr.store.stream.entries import Entry, entry_bytes
from lfr.task_log import MAX_EVENT_BYTES, TaskLog, parse_task_log
from lfr.values.pointers import Pointer
from lfr.values.stream_id import StreamId

_ENTRY_ID: Final = re.compile(r"\d{1,20}-\d{1,20}")


@dataclass(slots=True)
class BatchEvents:
    """The events of a batch, classified.

    results    end-task events by workflow, in the order of the stream
    items      events of iterated steps and calls, by workflow
    notices    events that need nothing but a receipt
    malformed  events that cannot be understood, with the reason
    strays     start-tasks that no lifecycle has routed, and `wait:` tasks; they are among `foreign`, too
    receipts   receipts on the bus; they are among `foreign`, too
    foreign    events for other groups
    logs       what tasks have written
    """

    results: dict[str, list[tuple[Entry, events.EndTask]]] = field(default_factory=dict)
    items: dict[str, ItemEvents] = field(default_factory=dict)
    notices: list[Entry] = field(default_factory=list)
    malformed: list[tuple[Entry, str]] = field(default_factory=list)
    strays: list[Entry] = field(default_factory=list)
    receipts: list[LoggedReceipt] = field(default_factory=list)
    foreign: list[Entry] = field(default_factory=list)
    logs: list[tuple[Entry, TaskLog]] = field(default_factory=list)

    def by_workflow(self) -> list[BatchEvents]:
        """Split it: a batch for the results of each workflow, and one for all notices and malformed events.
        Leaves out `items`, `logs` and what is foreign."""
        return [BatchEvents({id: results}) for id, results in self.results.items()] + self._without_results()

    def by_event(self) -> list[BatchEvents]:
        """Split it: a batch for each result, in the order of their entry ids, and one for all notices and
        malformed events."""
        pairs = [(id, result) for id, results in self.results.items() for result in results]
        pairs.sort(key=lambda pair: StreamId.parse(pair[1][0].id))
        return [BatchEvents({id: [result]}) for id, result in pairs] + self._without_results()

    def smaller(self, error: TooLarge) -> list[BatchEvents]:
        """Return these events in smaller parts, because what follows from all of them cannot be written at
        once: each result by itself; of a single one, its failure. Raises the error for a failure."""
        parts = self.by_event()
        if len(parts) > 1:
            return parts
        tasks = [task for results in self.results.values() for _, task in results]
        if all(task.status is events.Status.FAILURE for task in tasks):
            raise error
        reason = f"what follows from it cannot be stored: {error}"
        return [
            BatchEvents(
                {
                    id: [(entry, _failure_of(task, reason)) for entry, task in results]
                    for id, results in self.results.items()
                }
            )
        ]

    def _without_results(self) -> list[BatchEvents]:
        if not self.notices and not self.malformed:
            return []
        return [BatchEvents(notices=self.notices, malformed=self.malformed)]

    def without(self, entries: Sequence[Entry]) -> BatchEvents:
        """Return it without the results in these entries."""
        ids = {(entry.stream, entry.id) for entry in entries}
        results = {
            id: remaining
            for id, pairs in self.results.items()
            if (remaining := [pair for pair in pairs if (pair[0].stream, pair[0].id) not in ids])
        }
        return replace(self, results=results)

    def results_without_attempt(self) -> list[Entry]:
        """Return the entries of the results that do not say which attempt they are of."""
        return [entry for results in self.results.values() for entry, task in results if task.attempt is None]

    def count_results(self) -> int:
        """Return how many results there are."""
        return sum(map(len, self.results.values()))

    def result_entries(self) -> list[Entry]:
        """Return the entries of the results, by workflow."""
        return [entry for results in self.results.values() for entry, _ in results]

    def entries(self) -> list[Entry]:
        """Return the entries of results, in their order, then those of notices and malformed events."""
        results = sorted(self.result_entries(), key=lambda entry: StreamId.parse(entry.id))
        return [*results, *self.notices, *(entry for entry, _ in self.malformed)]

    def count_bytes(self) -> int:
        """Return how many bytes the field values in the events of the results have."""
        return sum(map(entry_bytes, self.result_entries()))

    def indices(self) -> dict[str, list[int]]:
        """Return the steps to which the results belong, by workflow."""
        return {id: [task.index for _, task in results] for id, results in self.results.items()}

    def steps_without_output(self) -> list[tuple[str, int]]:
        """Return workflow and index of the successful steps that may have an out-of-band output."""
        return [
            (id, task.index)
            for id, results in self.results.items()
            for _, task in results
            if not task.has_output and task.output_from is None and task.status is events.Status.SUCCESS
        ]

    def pointers(self) -> dict[str, list[Pointer]]:
        """Return the pointers to outputs in the results, by workflow."""
        pointers: dict[str, list[Pointer]] = {}
        for id, results in self.results.items():
            for _, task in results:
                if task.output_from is not None:
                    pointers.setdefault(id, []).append(task.output_from)
        return pointers


def classify_batch(entries: Sequence[Entry]) -> BatchEvents:
    """Classify the events of a batch. An end-task of which only the output is malformed becomes a failure of
    its step; start-tasks but those of steps with children, receipts and users' events are foreign. Large
    values of foreign events are not decoded: that such a value is JSON is not checked."""
    batch_events = BatchEvents()
    decoded = event_fields.decode_all([_own_fields(entry.fields) for entry in entries])
    for entry, values in zip(entries, decoded, strict=True):
        try:
            _classify(batch_events, entry, values)
        except Malformed as error:
            batch_events.malformed.append((entry, str(error)))
    return batch_events


def _own_fields(fields: Fields) -> Fields:
    """Return the fields that a lifecycle reads."""
    is_result = event_fields.peek_kind(fields) == events.END_TASK and not events.is_copy(fields)
    if is_result or is_for_lifecycles(event_fields.peek_base(fields) or ""):
        return fields
    return event_fields.without_large_values(fields)


def _classify(batch_events: BatchEvents, entry: Entry, values: Values | Malformed) -> None:
    """Add an event to `batch_events`. Raises Malformed."""
    if isinstance(values, Malformed):
        task = _parse_without_output(entry, values)
        batch_events.results.setdefault(task.workflow, []).append((entry, task))
        return
    kind = events.parse_kind(values)
    if events.is_copy(entry.fields):
        batch_events.notices.append(entry)
    elif kind == events.END_TASK:
        task = events.parse_end_task(values)
        batch_events.results.setdefault(task.workflow, []).append((entry, task))
    elif kind == events.TASK_LOG:
        batch_events.logs.append((entry, _parse_task_log(entry, values)))
    elif kind in events.WORKFLOW_EVENTS:
        _classify_workflow_event(batch_events, entry, kind, str(values.get(b"workflow")))
    elif kind == events.OPERATOR_ACTION:
        batch_events.notices.append(entry)
    elif kind == events.CANCEL_TASK:
        cancel = events.parse_cancel_task(values)
        if entry.stream == keys.ENDS:  # of a call
            batch_events.items.setdefault(cancel.workflow, ItemEvents()).add_cancel(entry, cancel)
        else:
            batch_events.notices.append(entry)
    elif kind == events.START_TASK and is_for_lifecycles(str(values.get(b"base"))):
        start = events.parse_start_task(values)
        batch_events.items.setdefault(start.workflow, ItemEvents()).add_start(entry, start)
    else:
        _classify_foreign(batch_events, entry, kind, values)


def _classify_foreign(batch_events: BatchEvents, entry: Entry, kind: str, values: Values) -> None:
    """Add an event for other groups. Raises Malformed."""
    events.check_event(kind, values)
    batch_events.foreign.append(entry)
    if entry.stream == keys.ENDS:
        return
    if kind == events.START_TASK and b"claimed" not in entry.fields:
        batch_events.strays.append(entry)
    elif kind == events.RECEIPT:
        batch_events.receipts.append(_logged_receipt(entry, values))


def _logged_receipt(entry: Entry, values: Values) -> LoggedReceipt:
    """Return a receipt with its event; a receipt for an event that cannot be before it stands for itself."""
    target = values.get(b"for")
    is_id = isinstance(target, str) and _ENTRY_ID.fullmatch(target)
    if is_id and StreamId.parse(str(target)) < StreamId.parse(entry.id):
        return LoggedReceipt(entry.id, str(target))
    return LoggedReceipt(entry.id, entry.id)


def _classify_workflow_event(batch_events: BatchEvents, entry: Entry, kind: str, id: str) -> None:
    """Add an event of a workflow: the end of an item concerns its parent, a termination the items."""
    item = parse_item_id(id)
    if kind == events.TERMINATED_WORKFLOW:
        batch_events.items.setdefault(id, ItemEvents()).add_termination(entry)
    elif item is not None and kind != events.START_WORKFLOW:
        batch_events.items.setdefault(item.parent, ItemEvents()).add_end(entry, item)
    else:
        batch_events.notices.append(entry)


def _parse_task_log(entry: Entry, values: Values) -> TaskLog:
    """Parse a task-log event. In place of lines that are too large, and so not decoded, it says so. Raises
    Malformed."""
    at_ms = StreamId.parse(entry.id).ms
    size = len(entry.fields.get(b"lines", b""))
    if size <= MAX_EVENT_BYTES:
        return parse_task_log(values, at_ms)
    text = f"{size} bytes of lines are left out: one task-log event may have {MAX_EVENT_BYTES}"
    return parse_task_log({**values, b"lines": [[at_ms, "lfr", text]]}, at_ms)


def _failure_of(task: events.EndTask, reason: str) -> events.EndTask:
    return replace(
        task,
        status=events.Status.FAILURE,
        reason=reason,
        output=None,
        has_output=False,
        output_from=None,
        is_final=True,
    )


def _parse_without_output(entry: Entry, error: Malformed) -> events.EndTask:
    """Return a failure for an end-task event of which only the output is malformed, so that no step waits
    for ever. Raises `error` for any other event."""
    fields = {name: value for name, value in entry.fields.items() if name != b"output"}
    if event_fields.peek_kind(entry.fields) != events.END_TASK or len(fields) == len(entry.fields):
        raise error
    task = events.parse_end_task(event_fields.decode(fields))
    return replace(task, status=events.Status.FAILURE, reason=f"its worker's answer is unusable: {error}")
