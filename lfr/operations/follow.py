"""One workflow followed until it ends: each change, as it happens."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from lfr.drawing.labels import resource_title
from lfr.engine import FactKind
from lfr.errors import NotFound
from lfr.flow import Flow, StepKind
from lfr.operations.inspect.summary import describe_facts, summarize
from lfr.operations.inspect.workflow import load_attempt_progress, require_record
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import WorkflowState
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.history import HistoryEntry, read_history
from lfr.store.workflows.load import FlowCache, Record
from lfr.store.workflows.queries import load_flow

_PAGE: Final = 1000
"""How many moments are read, and told, at a time."""

_MOST_PROGRESS: Final = 100
"""Of how many running steps it is told how far they are."""


def follow_workflow(
    store: Store,
    id: str,
    *,
    after: str = "",
    timeout_seconds: float | None = None,
    tick_seconds: float | None = None,
) -> Iterator[dict[str, Any]]:
    """Tell of a workflow at once, and at each change until it has ended or the time is over.

    With `tick_seconds`, tell as often as that also if nothing has changed. Changes up to the moment
    `after`, an earlier news' `moment`, are not told.

    Each time: what `summary` tells; `changes` since the last, as `describe_facts` gives them, each with the
    `name` of its step; `moment`, behind which to go on; and `progress` by index, as `inspect_workflow` has
    it, of up to 100 steps that run. Waits on the workflow's history, so it sees every change and polls
    nothing. (XREAD BLOCK) Raises NotFound.
    """
    id = parse_workflow_id(id)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with store.connect() as connection:
        flow = load_flow(connection, FlowCache(), id)
        if flow is None:
            raise NotFound(f"there is no workflow {id}", hint="lfr list shows what there is")
        follower = _Follower(connection, id, flow, after)
        while True:
            is_whole = follower.read()
            record = require_record(connection, id)
            yield follower.news(record)
            if not is_whole or (record.state.has_ended and follower.wait(0)):
                continue
            if record.state.has_ended:
                return
            tick = math.inf if tick_seconds is None else time.monotonic() + tick_seconds
            while not follower.wait(min(_left(deadline), tick - time.monotonic(), 1.0)):
                if _left(deadline) <= 0:
                    return
                if time.monotonic() >= tick:
                    break


def _left(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline - time.monotonic()


class _Follower:
    """What has been told of a workflow, and what runs."""

    def __init__(self, connection: Connection, id: str, flow: Flow, after: str) -> None:
        self._link = connection
        self._id = id
        self._flow = flow
        self._after = _place(after)
        self._last = "0-0"
        self._read: list[HistoryEntry] = []
        self._running: dict[int, int] = {}
        self._changes: list[dict[str, Any]] = []

    def wait(self, seconds: float) -> bool:
        """Whether something happens within this time, or has happened already."""
        block_ms = max(0, int(seconds * 1000))
        self._read = read_history(self._link, self._id, after=self._last, block_ms=block_ms)
        return bool(self._read)

    def read(self) -> bool:
        """Take in what has happened; False if there is more."""
        moments = self._read or read_history(self._link, self._id, after=self._last, count=_PAGE)
        self._read = []
        for moment in moments:
            self._note(moment)
        new = [moment for moment in moments if _place(moment.id) > self._after]
        self._changes = [{**fact, "name": self._name(fact["index"])} for fact in describe_facts(new)]
        if moments:
            self._last = moments[-1].id
        return len(moments) < _PAGE

    def news(self, record: Record) -> dict[str, Any]:
        """What is to be told now."""
        running = {} if record.state is WorkflowState.TERMINATED else self._running
        newest = dict(islice(reversed(running.items()), _MOST_PROGRESS))
        told = summarize(record)
        told["counts"]["total"] = self._flow.size
        progress = {
            str(index): each for index, each in load_attempt_progress(self._link, self._id, newest).items()
        }
        return {**told, "changes": self._changes, "moment": self._last, "progress": progress}

    def _name(self, index: int | None) -> str:
        if index is None:
            return ""
        step = self._flow.steps[index]
        return resource_title(step.uri, is_sink=step.sink) if step.kind is StepKind.RESOURCE else step.name

    def _note(self, moment: HistoryEntry) -> None:
        for fact in moment.facts:
            if fact.index is None and fact.kind is FactKind.TERMINATED:
                self._running.clear()
            elif fact.index is not None and fact.item is None:
                self._running.pop(fact.index, None)
                if fact.kind in (FactKind.STARTED, FactKind.RETRIED):
                    self._running[fact.index] = fact.attempt


def _place(moment: str) -> tuple[int, int]:
    """The id of an entry of a stream as numbers, which can be compared; zeros for what is none."""
    ms, _, number = moment.partition("-")
    return (int(ms), int(number)) if ms.isdecimal() and number.isdecimal() else (0, 0)
