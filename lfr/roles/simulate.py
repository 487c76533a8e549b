"""The role simulate: stands in for missing workers. Ends each task after a while, its input as its output.

It takes only tasks that no group of workers has claimed."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Sequence

from lfr import events
from lfr.errors import BadInput, Refused, Unreachable
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import Completion, complete_tasks, parse_tasks
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import Entry
from lfr.store.stream.groups import release_claims
from lfr.store.workflows.attempt_status import are_current
from lfr.tasks.catalogue import is_reserved
from lfr.values.json import Json


class Simulate(Consumer):
    """Takes every task but the built-in ones, and ends it after a random part of `wait_seconds`.

    `failures` is the chance that a task fails, in percent.
    """

    def __init__(self, store: Store, wait_seconds: float, failures: float) -> None:
        super().__init__(store, "starting", lease_seconds=store.settings.tasks_lease_seconds)
        self._wait_seconds = wait_seconds
        self._failures = failures
        self._running_tasks: list[tuple[float, str, events.StartTask]] = []  # a heap by due time

    def on_pass(self, connection: Connection) -> float:
        """Complete the tasks that are due. Return the seconds until the next is due."""
        now = time.monotonic()
        due: list[tuple[float, str, events.StartTask]] = []
        while self._running_tasks and self._running_tasks[0][0] <= now:
            due.append(heapq.heappop(self._running_tasks))
        try:
            current = are_current(connection, [task for _, _, task in due], [id for _, id, _ in due])
            completions = [
                Completion(id, self._end_task_values(task) if is_current else None)
                for (_, id, task), is_current in zip(due, current, strict=True)
            ]
            complete_tasks(connection, self.id, completions, has_receipts=self.has_receipts)
        except (Unreachable, Refused):
            for item in due:  # they are completed in a later pass
                heapq.heappush(self._running_tasks, item)
            raise
        return self._running_tasks[0][0] - now if self._running_tasks else super().on_pass(connection)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Take the tasks of a batch, for `on_pass` to complete; acknowledge built-in tasks and the rest."""
        tasks, other_ids = parse_tasks(batch)
        self.acknowledge_later(other_ids)
        now = time.monotonic()
        for id, task in tasks:
            if is_reserved(task.base):
                self.acknowledge_later([id])
            else:
                due = now + random.uniform(0, self._wait_seconds)
                heapq.heappush(self._running_tasks, (due, id, task))

    def claimed_ids(self) -> Sequence[str]:
        """Return the entry ids of the tasks that have been taken and not completed."""
        return [id for _, id, _ in self._running_tasks]

    def leave(self, connection: Connection) -> None:
        """Release the taken tasks, so that another worker takes them at once; leave the group."""
        release_claims(connection, self.id, self.claimed_ids())
        super().leave(connection)

    def _end_task_values(self, task: events.StartTask) -> dict[str, Json]:
        if random.uniform(0, 100) < self._failures:
            return events.end_task_values(task, failure="simulated failure")
        return events.end_task_values(task, output=task.input)


def run(store: Store, context: RoleContext, wait_period: float = 3.0, failures: float = 0.0) -> int:
    """Run the role until it is stopped. Return the exit code.

    `wait_period`: the longest duration of a task in seconds; `failures`: its chance to fail, in percent.
    Raises BadInput for numbers out of range.
    """
    if wait_period < 0:
        raise BadInput(f"--wait-period is {wait_period}, but cannot be below 0")
    if not 0 <= failures <= 100:
        raise BadInput(f"--failures is {failures}, but must be a percentage, 0 to 100")
    return run_consumers(context, [Simulate(store, wait_period, failures)])
