"""Tasks that were taken over from workers that died, and that may be what has killed them.

The third time that a task is handed out it becomes a suspect. A process runs one suspect at a time, and those
that wait for their turn do not count as delivered. So a task that fails because its worker died with it too
often fails for its own sake, and not for that of its neighbours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from lfr import events
from lfr.runtime.tasks import FIRST_SUSPECT_DELIVERY, deadly_reason
from lfr.store.redis.connection import Connection
from lfr.store.stream.entries import ConsumerId
from lfr.store.stream.groups import read_deliveries, release_claims, write_deliveries
from lfr.values.json import Json
from lfr.worker.failures import TaskFailed

IdentifiedTask: TypeAlias = tuple[str, events.StartTask]
"""A start-task with its entry id."""

Work: TypeAlias = Callable[[events.StartTask], Json | Awaitable[Json]]
"""Executes a task: returns its output, or an awaitable of it; raises TaskFailed or CompletedElsewhere."""


def refuse_deadly(work: Work, most: int) -> Work:
    """Return `work` for tasks that were delivered up to `most` times; all others it fails."""

    def guarded(task: events.StartTask) -> Json | Awaitable[Json]:
        if task.delivery > most:
            raise TaskFailed(deadly_reason(most), is_final=True)
        return work(task)

    return guarded


class Suspects:
    """The suspects of one consumer that have not begun. Only the thread that reads uses it.

    most  after so many deliveries a task fails, and is no suspect any more
    """

    def __init__(self, consumer: ConsumerId, most: int) -> None:
        self._consumer = consumer
        self._most = most
        self._waiting: deque[IdentifiedTask] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def set_aside(
        self, connection: Connection, tasks: Sequence[IdentifiedTask]
    ) -> tuple[list[IdentifiedTask], list[str]]:
        """Return tasks that were taken over, with the numbers of their deliveries, without the suspects,
        which wait; and the entry ids of these. (XPENDING, XCLAIM)"""
        deliveries = read_deliveries(connection, self._consumer, [id for id, _ in tasks])
        counted = [(id, replace(task, delivery=deliveries.get(id, 1))) for id, task in tasks]
        first = min(FIRST_SUSPECT_DELIVERY, self._most)
        suspects = [each for each in counted if first <= each[1].delivery <= self._most]
        ids = [id for id, _ in suspects]
        write_deliveries(connection, self._consumer, {id: task.delivery - 1 for id, task in suspects})
        self._waiting += suspects
        return [each for each in counted if each not in suspects], ids

    def begin(self, connection: Connection) -> IdentifiedTask:
        """Return the suspect whose turn it is. From now on its delivery counts. (XCLAIM)"""
        id, task = self._waiting[0]
        write_deliveries(connection, self._consumer, {id: task.delivery})
        return self._waiting.popleft()

    def release(self, connection: Connection) -> list[str]:
        """Let other consumers have all that wait. Return their entry ids. (XPENDING, XCLAIM)"""
        ids = [id for id, _ in self._waiting]
        release_claims(connection, self._consumer, ids, counts=True)  # the delivery is not counted yet
        self._waiting.clear()
        return ids
