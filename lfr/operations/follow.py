"""Follows one workflow until it ends and yields each of its changes."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from lfr.drawing.labels import resource_title
from lfr.engine.transition import FactKind
from lfr.errors import NotFound
from lfr.flow import Flow, Step, StepKind
from lfr.operations.inspect.history_state import HistoryState, describe_removed
from lfr.operations.inspect.step_waits import describe_waits
from lfr.operations.inspect.summary import describe_facts, summarize
from lfr.operations.inspect.workflow import load_attempt_progress, require_record
from lfr.operations.lost_workflows import missing_workflow
from lfr.operations.running_steps import RunningSteps
from lfr.operations.workers import MissingWorker, find_missing_workers, task_of
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import WorkflowState
from lfr.store.queues.pauses import read_pauses
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.flow_cache import SharedFlows
from lfr.store.workflows.history import (
    HistoryEntry,
    RawEntry,
    entry_order,
    parse_entry,
    read_record_and_history,
    read_removed_history,
    split_entry,
)
from lfr.store.workflows.queries import load_short_outputs, load_steps
from lfr.store.workflows.record import Record
from lfr.tasks.catalogue import WAIT_PREFIX

_PAGE: Final = 100
"""How many entries of the history are read at once."""

_ENOUGH_FACTS: Final = 500
"""An update has no further entry once it has so many facts: who follows a long history needs memory for one
update, however many steps a flow has."""

_MAX_PROGRESS: Final = 100
"""For how many running steps an update has the progress."""

_MAX_CHECKED: Final = 10_000
_MAX_MISSING: Final = 100
"""For how many running steps to look for the workers of their tasks; of how many such tasks an update says
that they have none."""

_MAX_OUTPUT: Final = 2000
"""The bytes of an output that an update has whole."""

_MIN_PAUSE_SECONDS: Final = 0.005
_MAX_PAUSE_SECONDS: Final = 0.25
_PAUSE_SHARE: Final = 0.1
"""The pause between two reads, as a share of the time since the first: the end of a short workflow is noticed
soon, and a long one is read four times a second."""

_CHECK_WORKERS_SECONDS: Final = 2.0
"""How often to look whether workers do the running tasks."""


def follow_workflow(
    store: Store,
    id: str,
    *,
    after: str = "",
    timeout_seconds: float | None = None,
    interval_seconds: float | None = None,
    waits: bool = False,
    workers: bool = False,
    outputs: bool = False,
    flows: SharedFlows | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield an update on a workflow at once, and after changes until the workflow ends or the time is over.

    after             the `moment` of an earlier update: changes up to it are left out; empty: none are
    timeout_seconds   then return without an error; None: no limit
    interval_seconds  yield an update at least this often, even without a change; None: only after changes
    waits             add waits_for: what each of these running steps waits for, as `inspect_workflow`
                      describes it, by index (as text). A wait begins without a change: use an interval, too
    workers           add missing_workers, by task, of the running steps whose task no live worker does:
                      message, hint, and index, that of one of these steps; of 100 tasks at most, among the
                      first 10,000 running steps; read every two seconds: use an interval, too
    outputs           add outputs, of the tasks that have ended with these changes, by index (as text): JSON
                      text; of a long one how many bytes it has
    flows             the flows of all who follow workflows in this process; None: nobody else does

    The keys of an update: those of `summarize`; changes, the facts since the last update, oldest first, as
    `describe_history` describes them, each with the name of its step; moment, to continue from; progress by
    index (as text), as `inspect_workflow` describes it, of 100 running steps, those that started last.
    Reads record and history together, again and again, so it misses no change. A long history becomes several
    updates. (MULTI/EXEC)

    Raises NotFound at the first update, and later if the workflow is deleted.
    """
    id = parse_workflow_id(id)
    began = next_update = time.monotonic()
    deadline = math.inf if timeout_seconds is None else began + timeout_seconds
    interval = math.inf if interval_seconds is None else interval_seconds
    with store.connect() as connection:
        first = require_record(connection, id)
        follower = _Follower(store, connection, first, flows or SharedFlows(), after)
        while True:
            record, is_complete = follower.read()
            has_ended = is_complete and record.state.has_ended
            now = time.monotonic()
            if follower.has_read or has_ended or now >= next_update:
                next_update = now + interval
                yield follower.update(record, with_waits=waits, with_workers=workers, with_outputs=outputs)
            if has_ended:
                return
            if is_complete:
                now = time.monotonic()
                if now >= deadline:
                    return
                pause = min(max(_MIN_PAUSE_SECONDS, _PAUSE_SHARE * (now - began)), _MAX_PAUSE_SECONDS)
                time.sleep(max(0.0, min(pause, deadline - now, next_update - now)))


class _Follower:
    """How far the history of a workflow has been read, and which steps are running at that point."""

    def __init__(
        self, store: Store, connection: Connection, record: Record, flows: SharedFlows, after: str
    ) -> None:
        self._bus = store.stream
        self._connection = connection
        self._id = record.id
        self._identity = record.started_ms, record.run  # a restored workflow has the start of the archived
        self._flows = flows
        self._reference = record.reference
        self._after = entry_order(after)
        self._unread: deque[tuple[RawEntry, str]] = deque()
        self._record = record
        self._is_last_page = False
        self._last_id = self._position = ""
        self._removed = (0, 0)
        self._running = RunningSteps()
        self._changes: list[dict[str, Any]] = []
        self._missing: dict[str, tuple[int, MissingWorker]] = {}
        self._check_workers_at = 0.0
        self.has_read = False
        """Whether the latest `read` has read an entry."""

    @property
    def _flow(self) -> Flow:
        """The flow, which one who follows for long does not keep: it may have a million steps."""
        flow = self._flows.fetch(self._connection, self._reference)
        if flow is None:
            raise missing_workflow(self._connection, self._id)
        return flow

    def read(self) -> tuple[Record, bool]:
        """Take the facts of some new entries; return the record, and whether there are no more entries.
        Raises NotFound if the workflow is deleted, even if another one has its id."""
        facts: list[dict[str, Any]] = []
        self.has_read = False
        while not facts:
            if not self._unread:
                facts = self._read_page()
            self.has_read |= bool(self._unread)
            while self._unread and len(facts) < _ENOUGH_FACTS:
                part, self._position = self._unread.popleft()
                entry = parse_entry(part)
                self._update_running(entry)
                if entry_order(entry.id) > self._after:
                    facts += describe_facts([entry])
            if self._is_last_page:
                break
        self._changes = [{**fact, "name": name} for fact, name in zip(facts, self._names(facts), strict=True)]
        return self._record, self._is_last_page and not self._unread

    def _read_page(self) -> list[dict[str, Any]]:
        """Read the record and a page of entries. Return a fact about entries that were removed, if there is
        one."""
        record, entries = read_record_and_history(
            self._connection, self._id, after=self._last_id, removed=self._removed, count=_PAGE
        )
        if record is None or (record.started_ms, record.run) != self._identity:
            raise NotFound(f"{self._id} has been deleted")
        facts = list(self._skip_removed(record))
        for entry in entries:
            *parts, last = split_entry(entry)
            self._unread += [*((part, self._last_id) for part in parts), (last, entry.id)]
            self._last_id = entry.id
        self._record, self._is_last_page = record, len(entries) < _PAGE
        return facts

    def _skip_removed(self, record: Record) -> Iterator[dict[str, Any]]:
        """If entries were removed that have not been read, go on behind them; yield a fact that says so."""
        first_remaining = (1, record.removed[0], 0)
        is_first = not self._last_id and record.removed[1] > 0
        self._removed = record.removed
        if not is_first and (not record.removed[0] or entry_order(self._last_id) >= first_remaining):
            return
        with self._flows.alone():  # it says something about each step, and many may read it at once
            removed = HistoryState.parse(read_removed_history(self._connection, self._id))
            self._running.clear()
            for index, attempt in removed.running_attempts().items():
                self._running.add(index, attempt)
            fact = describe_removed(removed)
            del removed
        if self._after < first_remaining:
            yield fact

    def update(
        self, record: Record, *, with_waits: bool, with_workers: bool, with_outputs: bool
    ) -> dict[str, Any]:
        """Return the update for the entries of the latest `read`."""
        running = RunningSteps() if record.state is WorkflowState.TERMINATED else self._running
        latest = self._latest_attempts(running)
        progress = load_attempt_progress(self._connection, self._id, record.run, latest)
        update = summarize(record, read_pauses(self._connection))
        update["counts"]["total"] = self._flow.step_count
        if with_waits:
            steps = self._flow.steps
            waiting = {
                index: attempt
                for index, attempt in latest.items()
                if steps[index].task.startswith(WAIT_PREFIX)
            }
            waits = describe_waits(self._connection, self._id, record.run, waiting, latest)
            update["waits_for"] = {str(index): wait for index, wait in waits.items()}
        if with_workers:
            update["missing_workers"] = self._find_missing_workers(running)
        if with_outputs:
            update["outputs"] = self._load_outputs()
        changes, self._changes = self._changes, []
        return {
            **update,
            "changes": changes,
            "moment": self._position,
            "progress": {str(index): report for index, report in progress.items()},
        }

    def _latest_attempts(self, running: RunningSteps) -> dict[int, int]:
        """Return the attempts of the running steps of which an update has the progress, by index."""
        latest = running.latest(_MAX_PROGRESS)
        if others := running.without_attempt(_MAX_PROGRESS - len(latest)):
            steps = load_steps(self._connection, self._record, others).steps
            latest |= {index: steps[index].attempt for index in others if index in steps}
        return latest

    def _load_outputs(self) -> dict[str, str | int]:
        """Return the outputs of the tasks that have ended with the changes of the latest `read`."""
        ended = {
            change["index"]
            for change in self._changes
            if change["event"] == FactKind.ENDED and change["index"] is not None and change["item"] is None
        }
        steps = self._flow.steps
        indices = sorted(index for index in ended if task_of(steps[index]))
        outputs = load_short_outputs(self._connection, self._id, indices, _MAX_OUTPUT) if indices else {}
        return {str(index): output for index, output in outputs.items()}

    def _find_missing_workers(self, running: RunningSteps) -> dict[str, dict[str, Any]]:
        """Describe the missing workers of the running steps, by task, as they were a moment ago."""
        now = time.monotonic()
        if now >= self._check_workers_at:
            self._check_workers_at = now + _CHECK_WORKERS_SECONDS
            steps = self._flow.steps
            checked = islice(running.indices(), _MAX_CHECKED)
            indices = {task: index for index in checked if (task := task_of(steps[index]))}
            missing = find_missing_workers(self._connection, self._bus, indices)
            first = islice(missing.items(), _MAX_MISSING)
            self._missing = {task: (indices[task], worker) for task, worker in first}
        return {
            task: {"message": worker.message, "hint": worker.hint, "index": index}
            for task, (index, worker) in self._missing.items()
            if index in running
        }

    def _names(self, facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield the name of the step of each fact; empty: it is of the workflow."""
        if facts:
            steps = self._flow.steps
            yield from ("" if fact["index"] is None else _name_of(steps[fact["index"]]) for fact in facts)

    def _update_running(self, entry: HistoryEntry) -> None:
        for fact in entry.facts:
            if fact.index is None and fact.kind in (FactKind.TERMINATED, FactKind.TIMED_OUT):
                self._running.clear()
            elif fact.index is not None and fact.item is None:
                if fact.kind in (FactKind.STARTED, FactKind.RETRIED):
                    self._running.add(fact.index, fact.attempt)
                else:
                    self._running.remove(fact.index)


def _name_of(step: Step) -> str:
    return resource_title(step.uri, is_sink=step.sink) if step.kind is StepKind.RESOURCE else step.name
