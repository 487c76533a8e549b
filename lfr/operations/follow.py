"""Follows one workflow until it ends and yields each of its changes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from lfr.drawing.labels import resource_title
from lfr.engine.transition import FactKind
from lfr.flow import Flow, StepKind
from lfr.operations.inspect.step_waits import describe_waits
from lfr.operations.inspect.summary import describe_facts, summarize
from lfr.operations.inspect.workflow import load_attempt_progress, require_flow, require_record
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import WorkflowState
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.history import HistoryEntry, read_history
from lfr.store.workflows.load import Record
from lfr.tasks.catalogue import WAIT_PREFIX

_PAGE: Final = 1000
"""How many entries of the history are read for one update."""

_MAX_PROGRESS: Final = 100
"""For how many running steps an update has the progress."""

_MAX_BLOCK_SECONDS: Final = 1.0


def follow_workflow(
    store: Store,
    id: str,
    *,
    after: str = "",
    timeout_seconds: float | None = None,
    interval_seconds: float | None = None,
    waits: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield an update on a workflow at once, and after changes until the workflow ends or the time is over.

    after             the `moment` of an earlier update: changes up to it are left out; empty: none are
    timeout_seconds   then return without an error; None: no limit
    interval_seconds  yield an update at least this often, even without a change; None: only after changes

    waits             add waits_for: what each of these running steps waits for, as `inspect_workflow`
    describes
                      it, by index (as text). A wait begins without a change: use `interval_seconds`, too

    The keys of an update: those of `summarize`; changes, the facts since the last update, oldest first, as
    `describe_facts` describes them, each with the name of its step; moment, to continue from; progress by
    index (as text), as `inspect_workflow` describes it, of the 100 running steps that started last. Blocks on
    the workflow's history, so it misses no change. (XREAD BLOCK)

    Raises NotFound at the first update, and later if the workflow is deleted.
    """
    id = parse_workflow_id(id)
    deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
    with store.connect() as connection:
        require_record(connection, id)
        follower = _Follower(connection, id, require_flow(connection, id), after)
        while True:
            is_complete = follower.read()
            record = require_record(connection, id)
            yield follower.update(record, with_waits=waits)
            if not is_complete or (record.state.has_ended and follower.wait(0)):
                continue
            if record.state.has_ended:
                return
            next_update = math.inf if interval_seconds is None else time.monotonic() + interval_seconds
            while not follower.wait(min(deadline, next_update) - time.monotonic()):
                now = time.monotonic()
                if now >= deadline:
                    return
                if now >= next_update:
                    break


class _Follower:
    """How far the history of a workflow has been read, and which steps are running at that point."""

    def __init__(self, connection: Connection, id: str, flow: Flow, after: str) -> None:
        self._connection = connection
        self._id = id
        self._flow = flow
        self._after = _parse_entry_id(after)
        self._last_id = "0-0"
        self._unprocessed: list[HistoryEntry] = []
        self._running: dict[int, int] = {}
        self._changes: list[dict[str, Any]] = []

    def wait(self, seconds: float) -> bool:
        """Wait for new entries, for a second at most; return whether there are any. `read` processes them."""
        block_ms = max(0, int(min(seconds, _MAX_BLOCK_SECONDS) * 1000))
        self._unprocessed = read_history(self._connection, self._id, after=self._last_id, block_ms=block_ms)
        return bool(self._unprocessed)

    def read(self) -> bool:
        """Process the new entries, up to a page; return False if there may be more."""
        entries = self._unprocessed or read_history(
            self._connection, self._id, after=self._last_id, count=_PAGE
        )
        self._unprocessed = []
        for entry in entries:
            self._update_running(entry)
        new = [entry for entry in entries if _parse_entry_id(entry.id) > self._after]
        self._changes = [{**fact, "name": self._step_name(fact["index"])} for fact in describe_facts(new)]
        if entries:
            self._last_id = entries[-1].id
        return len(entries) < _PAGE

    def update(self, record: Record, *, with_waits: bool) -> dict[str, Any]:
        """Return the update for the entries of the latest `read`."""
        running = {} if record.state is WorkflowState.TERMINATED else self._running
        latest = dict(islice(reversed(running.items()), _MAX_PROGRESS))
        progress = load_attempt_progress(self._connection, self._id, latest)
        update = summarize(record)
        update["counts"]["total"] = self._flow.size
        if with_waits:
            waiting = {
                index: attempt
                for index, attempt in latest.items()
                if self._flow.steps[index].task.startswith(WAIT_PREFIX)
            }
            waits = describe_waits(self._connection, self._id, waiting, latest)
            update["waits_for"] = {str(index): wait for index, wait in waits.items()}
        return {
            **update,
            "changes": self._changes,
            "moment": self._last_id,
            "progress": {str(index): report for index, report in progress.items()},
        }

    def _step_name(self, index: int | None) -> str:
        if index is None:
            return ""
        step = self._flow.steps[index]
        return resource_title(step.uri, is_sink=step.sink) if step.kind is StepKind.RESOURCE else step.name

    def _update_running(self, entry: HistoryEntry) -> None:
        for fact in entry.facts:
            if fact.index is None and fact.kind is FactKind.TERMINATED:
                self._running.clear()
            elif fact.index is not None and fact.item is None:
                self._running.pop(fact.index, None)
                if fact.kind in (FactKind.STARTED, FactKind.RETRIED):
                    self._running[fact.index] = fact.attempt


def _parse_entry_id(text: str) -> tuple[int, int]:
    """Parse the id of a stream entry into numbers that can be compared; zeros for any other text."""
    ms, _, number = text.partition("-")
    return (int(ms), int(number)) if ms.isdecimal() and number.isdecimal() else (0, 0)
