"""Reads the workflows that the next batch is likely to concern, in the write that reads the batch.

In a chain, what a lifecycle reads next is mostly the end of the step that it has just started. So the write
that waits for the next batch first watches the workflows of the last commits, and behind the batch it reads
them. If the batch is for these workflows, it can be committed at once: a whole round trip is saved, for each
step of a chain. The guarantee is that of `load`: EXEC is refused if anything has changed since the WATCH.

If the batch is for others, what was read is dropped, and the next reads do without it for a while. So under
load, where the next event may be of any workflow, it costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from lfr.lifecycle.batch_events import BatchEvents
from lfr.runtime.speculation import Speculation
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.pipeline import Pipeline
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.load import LoadedWorkflow, WorkflowReads, add_workflow_reads

_MAX_WORKFLOWS: Final = 4
"""How many workflows are read ahead."""

_MAX_ACTIVE: Final = 4
"""How many steps may run in a workflow that is read ahead: each of them may be the next to end."""


class _Expected(NamedTuple):
    """A workflow as it was committed: its running steps, and the steps that their results are likely to
    need."""

    running: Sequence[int]
    steps: Sequence[int]


class ReadAhead:
    """What one lifecycle expects to read next."""

    def __init__(self, flows: FlowCache, route_cache: RouteCache) -> None:
        self._flows = flows
        self._route_cache = route_cache
        self._expected: dict[str, _Expected] = {}  # by workflow, the latest last
        self._reads: WorkflowReads | None = None
        self._speculation = Speculation()

    def note(self, loaded: Mapping[str, LoadedWorkflow], *, was_ahead: bool) -> None:
        """Note the workflows that were committed, as they are now; `was_ahead`: as `take` has returned
        them."""
        if was_ahead:
            self._speculation.note(was_right=True)
        if len(loaded) > _MAX_WORKFLOWS:
            self._expected.clear()
            return
        for id, workflow in loaded.items():
            before = self._expected.pop(id, None)
            progress = workflow.progress
            if progress.state is not WorkflowState.RUNNING or progress.active > _MAX_ACTIVE:
                continue
            running = [index for index, step in progress.steps.items() if step.active]
            if before is not None:
                running += [index for index in before.running if index not in progress.steps]
            if running := running[:_MAX_ACTIVE]:
                self._expected[id] = _Expected(running, self._flows.likely_steps(workflow.flow, running))
        while len(self._expected) > _MAX_WORKFLOWS:
            del self._expected[next(iter(self._expected))]

    def execute(self, connection: Connection, commands: Sequence[Command]) -> list[Reply]:
        """Send the commands that read a batch, and return their replies; the last but one is the batch. Watch
        and read what is expected, too. (WATCH; TIME, MGET, XINFO, HMGET)"""
        self._reads = None
        ends_watch = commands[0][0] == "MULTI"
        if ends_watch or not self._expected or not self._speculation.is_advised():
            return connection.execute(commands, keep_errors=True)
        pipeline = Pipeline(connection)
        pipeline.add("WATCH", keys.CLAIMS_VERSION, *self._expected)
        handles = [pipeline.add(*command) for command in commands]
        steps = {id: expected.steps for id, expected in self._expected.items()}
        self._reads = add_workflow_reads(pipeline, self._route_cache, self._expected, steps)
        pipeline.send()
        replies = [handle.value_or_error for handle in handles]
        if not replies[-2]:  # no batch
            self._drop(connection)
            self._expected.clear()
        return replies

    def take(self, connection: Connection, batch_events: BatchEvents, size: int) -> WorkflowReads | None:
        """Return what was read behind this batch of so many entries, if it is all that the batch needs; its
        workflows are watched then. Else return None, and nothing is watched. (UNWATCH)"""
        reads = self._reads
        if reads is None:
            return None
        if not (batch_events.results or batch_events.notices or batch_events.malformed):
            self._drop(connection)  # nothing is committed; what is expected is still to come
            return None
        # Whatever else is in the batch may have transactions of its own, and these end the watch.
        others = len(batch_events.notices) + len(batch_events.malformed) + len(batch_events.foreign)
        if (
            batch_events.results.keys() <= reads.records.keys()
            and batch_events.count_results() + others == size
            and not batch_events.strays
            and not batch_events.results_without_attempt()
        ):
            self._reads = None
            return reads
        self._drop(connection)
        self._speculation.note(was_right=False)
        return None

    def note_refusal(self) -> None:
        """Note that what `take` has returned was out of date: another lifecycle has these workflows, too."""
        self._speculation.note(was_right=False)

    def _drop(self, connection: Connection) -> None:
        self._reads = None
        connection.unwatch()
