"""Notes the tasks that foreign workers end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lfr.engine.transition import Transition
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

    def find(
        self,
        batch_events: BatchEvents,
        loaded: Mapping[str, LoadedWorkflow],
        transitions: Mapping[str, Sequence[Transition]],
    ) -> list[str]:
        """Return the tasks that foreign workers have ended: those of end-tasks over the bus that have changed
        a workflow. A stale one, or one of an attempt that there is not, proves nothing."""
        bases: set[str] = set()
        for id, changes in transitions.items():
            entry_ids = {change.entry_id for change in changes}
            steps = loaded[id].flow.steps
            for entry, task in batch_events.results.get(id, ()):
                if entry.stream == self._bus and entry.id in entry_ids:
                    bases.add(steps[task.index].base or steps[task.index].name)
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
