"""Stands in for task workers that are not there yet: answers every task after a while, with its input."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Sequence

from lfr import events
from lfr.errors import BadInput, Refused, Unreachable
from lfr.runtime.complete import Completion, complete_tasks, parse_tasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import Entry, release_claims
from lfr.store.workflows.attempt_status import are_current
from lfr.tasks.catalogue import is_reserved


class Simulate(Consumer):
    """Takes every task but the built-in ones, and ends it after a random part of `wait_seconds`."""

    def __init__(self, store: Store, wait_seconds: float, failures: float) -> None:
        super().__init__(store, "starting", lease_seconds=store.settings.tasks_lease_seconds)
        self._wait_seconds = wait_seconds
        self._failures = failures
        self._running_tasks: list[tuple[float, str, events.StartTask]] = []

    def on_pass(self, connection: Connection) -> float:
        """Answer the tasks whose time has come; in how many seconds the next one's comes."""
        now = time.monotonic()
        due: list[tuple[float, str, events.StartTask]] = []
        while self._running_tasks and self._running_tasks[0][0] <= now:
            due.append(heapq.heappop(self._running_tasks))
        try:
            wanted = are_current(connection, [task for _, _, task in due])
            told = [
                self._answer(id, task, is_wanted)
                for (_, id, task), is_wanted in zip(due, wanted, strict=True)
            ]
            complete_tasks(connection, self.id, told)
        except (Unreachable, Refused):
            for each in due:  # nobody has heard the answers
                heapq.heappush(self._running_tasks, each)
            raise
        return self._running_tasks[0][0] - now if self._running_tasks else super().on_pass(connection)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Take the tasks of a pass."""
        tasks, foreign = parse_tasks(batch)
        self.acknowledge_later(foreign)
        now = time.monotonic()
        for id, task in tasks:
            if is_reserved(task.base):
                self.acknowledge_later([id])
            else:
                due = now + random.uniform(0, self._wait_seconds)
                heapq.heappush(self._running_tasks, (due, id, task))

    def claimed_ids(self) -> Sequence[str]:
        """The tasks that have been taken and not answered."""
        return [id for _, id, _ in self._running_tasks]

    def _leave(self, connection: Connection) -> None:
        """What has been taken is for another, at once: nobody can tell how far it has come."""
        release_claims(connection, self.id, self.claimed_ids())
        super()._leave(connection)

    def _answer(self, id: str, task: events.StartTask, is_wanted: bool) -> Completion:
        if not is_wanted:
            return Completion(id, None)
        if random.uniform(0, 100) < self._failures:
            return Completion(id, events.end_task_values(task, failure="simulated failure"))
        return Completion(id, events.end_task_values(task, output=task.input))


def run(store: Store, context: RoleContext, wait_period: float = 3.0, failures: float = 0.0) -> int:
    """Run the role until it is stopped; the process's exit code.

    `wait_period`: seconds that a task takes at most; `failures`: how many fail, in percent. Raises
    BadInput for numbers that make no sense.
    """
    if wait_period < 0:
        raise BadInput(f"--wait-period is {wait_period}, but cannot be below 0")
    if not 0 <= failures <= 100:
        raise BadInput(f"--failures is {failures}, but must be a percentage, 0 to 100")
    return run_consumers(context, [Simulate(store, wait_period, failures)])
