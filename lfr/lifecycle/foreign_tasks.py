"""Notes the tasks that foreign workers end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lfr import events
from lfr.lifecycle.batch_events import BatchEvents
from lfr.store import keys
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command
from lfr.store.workflows.load import LoadedWorkflow


class ForeignTasks:
    """The tasks that foreign workers have ended, as this lifecycle has noted them in FOREIGN_TASKS."""

    def __init__(self, bus: str) -> None:
        self._bus = bus
        self._minutes: dict[str, int] = {}  # when each was noted last, in minutes since the epoch

    def find(self, batch_events: BatchEvents, loaded: Mapping[str, LoadedWorkflow]) -> list[str]:
        """Return the tasks that foreign workers have ended: those whose end-task came over the bus."""
        bases = {
            _base_of(loaded[id], task)
            for id, results in batch_events.results.items()
            for entry, task in results
            if id in loaded and entry.stream == self._bus
        }
        return sorted(bases)

    def commands(self, routes: Routes, bases: Sequence[str]) -> list[Command]:
        """Return the commands that note that foreign workers have ended these tasks. If a group has claimed
        one of them, its queue may hold it still. (HSET, SET)"""
        minute = routes.now_ms // 60_000
        new = [base for base in bases if self._minutes.get(base) != minute]
        notes = [
            ("HSET", keys.FOREIGN_TASKS, base, minute * 60_000)
            for base in new
            if routes.claims.group_of(base) is None
        ]
        return [*routes.stale_commands(bases), *notes]

    def note(self, routes: Routes, bases: Sequence[str]) -> None:
        """Remember that the commands for these tasks were executed."""
        self._minutes |= dict.fromkeys(bases, routes.now_ms // 60_000)


def _base_of(workflow: LoadedWorkflow, task: events.EndTask) -> str:
    """Return the task behind the step that an end-task ends."""
    if task.index >= len(workflow.flow.steps):
        return task.name
    step = workflow.flow.steps[task.index]
    return step.base or step.name
