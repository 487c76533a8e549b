"""Shares the slots of an executor among workflows: one with many slow tasks leaves some to the others.

A task that has been read while its workflow has all the slots that it may have is held back here, and begins
when one of these slots is free. The queue behind it is read on, so that the tasks of others are found.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from lfr.events import StartTask
from lfr.item_ids import root_workflow
from lfr.store.stream.entries import Entry

_MAX_HELD: Final = 1000
"""How many tasks are held back at most."""

_MAX_HELD_BYTES: Final = 16 * 1024 * 1024
"""How many bytes the entries of these have at most."""


class FairShare:
    """Which tasks run, and which are held back. Not thread-safe.

    An item counts as its outermost parent. `share` is how many slots one workflow has at most.
    """

    def __init__(self, share: int) -> None:
        self._share = share
        self._running: dict[str, str] = {}  # entry id -> workflow
        self._counts: Counter[str] = Counter()  # workflow -> how many of its tasks run
        self._held: dict[str, deque[tuple[str, StartTask, int]]] = {}  # workflow -> entry id, task, bytes
        self._held_count = 0
        self._held_bytes = 0

    def admit(
        self, tasks: Sequence[tuple[str, StartTask]], batch: Sequence[Entry]
    ) -> tuple[list[tuple[str, StartTask]], list[Entry]]:
        """Give the tasks of a batch slots, and hold back those whose workflows have all that they may have.

        Return the tasks that have slots, and the entries of those that are too many to be held back.
        """
        begun: list[tuple[str, StartTask]] = []
        excess: list[Entry] = []
        entries: dict[str, Entry] = {}
        for id, task in tasks:
            if self._begin(id, task):
                begun.append((id, task))
                continue
            entries = entries or {entry.id: entry for entry in batch}
            if not self._hold(id, task, sum(map(len, entries[id].fields.values()))):
                excess.append(entries[id])
        return begun, excess

    def _begin(self, id: str, task: StartTask) -> bool:
        """Give a task a slot if its workflow may have one more. Return whether it has one."""
        workflow = root_workflow(task.workflow)
        if self._counts[workflow] >= self._share:
            return False
        self._running[id] = workflow
        self._counts[workflow] += 1
        return True

    def _hold(self, id: str, task: StartTask, size: int) -> bool:
        """Hold a task back, unless too many are held. Return whether it is held."""
        if self._held_count >= _MAX_HELD or self._held_bytes + size > _MAX_HELD_BYTES:
            return False
        self._held.setdefault(root_workflow(task.workflow), deque()).append((id, task, size))
        self._held_count += 1
        self._held_bytes += size
        return True

    def end(self, id: str, *, begin_next: bool) -> tuple[str, StartTask] | None:
        """Free the slot of a task. With `begin_next`, give it to the next one of its workflow that is held,
        and return that."""
        workflow = self.free(id)
        return self._begin_held(workflow) if workflow is not None and begin_next else None

    def free(self, id: str) -> str | None:
        """Free the slot of a task, if it has one. Return its workflow."""
        workflow = self._running.pop(id, None)
        if workflow is not None:
            self._counts[workflow] -= 1
            if not self._counts[workflow]:
                del self._counts[workflow]
        return workflow

    def begin_any_held(self) -> list[tuple[str, StartTask]]:
        """Give slots to all held tasks whose workflows have free ones. Return these tasks."""
        begun = []
        for workflow in list(self._held):
            while (task := self._begin_held(workflow)) is not None:
                begun.append(task)
        return begun

    def clear(self) -> list[str]:
        """Hold nothing back any more. Return the entry ids of what was held."""
        ids = [id for tasks in self._held.values() for id, _, _ in tasks]
        self._held.clear()
        self._held_count = self._held_bytes = 0
        return ids

    def _begin_held(self, workflow: str) -> tuple[str, StartTask] | None:
        tasks = self._held.get(workflow)
        if not tasks or not self._begin(*tasks[0][:2]):
            return None
        id, task, size = tasks.popleft()
        if not tasks:
            del self._held[workflow]
        self._held_count -= 1
        self._held_bytes -= size
        return id, task
