"""The role simulate: stands in for missing workers. Ends each task after a while, its input as its output.

It completes only tasks that nobody does at that time: no group of workers has claimed them, and no foreign
worker does them as far as that can be known, see `lfr.store.queues.served`. Its end-tasks say that they are
simulated.
"""

from __future__ import annotations

import heapq
import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Final

from lfr import events
from lfr.errors import BadInput, Refused, Unreachable
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import Completion, complete_tasks_commands, parse_tasks
from lfr.store.queues.routes import RouteCache
from lfr.store.queues.served import find_present, find_served
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.stream.entries import Entry, acknowledge_command, entry_bytes
from lfr.store.stream.groups import release_claims, role_of_group
from lfr.store.stream.read_size import MAX_READ_BYTES
from lfr.store.workflows.attempt_status import are_current
from lfr.tasks.catalogue import is_reserved
from lfr.values.json import Json

LOGGER = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS: Final = 1.0
"""How soon to look again whether somebody does a task."""


_MAX_HELD_BYTES: Final = 4 * MAX_READ_BYTES
"""How many bytes the start-tasks have together that are in work."""


class Simulate(Consumer):
    """Takes every task but the built-in ones, and ends it after a random part of `wait_seconds`.

    `failures` is the chance that a task fails, in percent.
    """

    def __init__(self, store: Store, wait_seconds: float, failures: float) -> None:
        super().__init__(store, "starting", lease_seconds=store.settings.tasks_lease_seconds)
        self._wait_seconds = wait_seconds
        self._failures = failures
        self._route_cache = RouteCache(store)
        self._served: dict[str, str] = {}  # the tasks that groups do, as the log has them
        self._running_tasks: list[tuple[float, str, events.StartTask]] = []  # a heap by due time
        self._sizes: dict[str, int] = {}  # of the entries of these tasks, in bytes

    def on_pass(self, connection: Connection) -> float:
        """Complete the tasks that are due and that nobody does. Return the seconds until the next is due."""
        now = time.monotonic()
        due: list[tuple[float, str, events.StartTask]] = []
        due_bytes = 0
        while self._running_tasks and self._running_tasks[0][0] <= now and due_bytes < MAX_READ_BYTES:
            due.append(heapq.heappop(self._running_tasks))
            due_bytes += self._sizes.get(due[-1][1], 0)
        try:
            served = self._complete(connection, {id: task for _, id, task in due})
        except (Unreachable, Refused):
            for item in due:  # they are completed in a later pass
                heapq.heappush(self._running_tasks, item)
            raise
        for _, id, task in due:
            if id not in served:
                self._sizes.pop(id, None)
            else:
                heapq.heappush(self._running_tasks, (now + _LOOK_AGAIN_SECONDS, id, task))
        return self._running_tasks[0][0] - now if self._running_tasks else super().on_pass(connection)

    def _complete(self, connection: Connection, tasks: Mapping[str, events.StartTask]) -> set[str]:
        """Complete those of these tasks that nobody does; those that are moved or over it forgets. Return the
        entry ids of the others: somebody does them now. (WATCH; MULTI/EXEC)"""
        if not tasks:
            return set()

        def attempt() -> tuple[list[Command] | None, set[str]]:
            routes = self._route_cache.watch(connection)
            current = dict(
                zip(tasks, are_current(connection, list(tasks.values()), list(tasks)), strict=True)
            )
            running = {id: task for id, task in tasks.items() if current[id]}
            served = find_served(connection, routes, running, self._route_cache.forget_ms)
            present = find_present(connection, self.id.stream, list(served))
            over = [Completion(id, None) for id in tasks if not current[id]]
            simulated = [
                Completion(id, self._end_task_values(task))
                for id, task in running.items()
                if id not in served
            ]
            commands: list[Command] = []
            for completions, action in ((over, "processed"), (simulated, "simulated")):
                commands += complete_tasks_commands(
                    self.id, completions, has_receipts=self.has_receipts, action=action
                )
            if moved := served.keys() - present:
                commands.append(acknowledge_command(self.id, sorted(moved)))
            self._log_served({tasks[id].base: group for id, group in served.items()})
            return commands or None, present

        return retry_until_committed(connection, attempt)

    def _log_served(self, groups: Mapping[str, str]) -> None:
        for base, group in groups.items():
            if self._served.get(base) != group:
                LOGGER.info("%s is not simulated: the group %s does it", base, role_of_group(group))
        self._served |= groups

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Take the tasks of a batch, for `on_pass` to complete; acknowledge built-in tasks and the rest."""
        tasks, other_ids = parse_tasks(batch, lambda base: not is_reserved(base))
        self.acknowledge_later(other_ids)
        now = time.monotonic()
        own_ids = {id for id, _ in tasks}
        self._sizes |= {entry.id: entry_bytes(entry) for entry in batch if entry.id in own_ids}
        for id, task in tasks:
            due = now + random.uniform(0, self._wait_seconds)
            heapq.heappush(self._running_tasks, (due, id, task))

    def capacity(self) -> int:
        """Return how many events a pass may read: none while the tasks in work are very large together."""
        return super().capacity() if sum(self._sizes.values()) < _MAX_HELD_BYTES else 0

    def claimed_ids(self) -> Sequence[str]:
        """Return the entry ids of the tasks that have been taken and not completed."""
        return [id for _, id, _ in self._running_tasks]

    def leave(self, connection: Connection) -> None:
        """Release the taken tasks, so that another worker takes them at once; leave the group."""
        release_claims(connection, self.id, self.claimed_ids())
        super().leave(connection)

    def _end_task_values(self, task: events.StartTask) -> dict[str, Json]:
        if random.uniform(0, 100) < self._failures:
            return events.end_task_values(task, failure="simulated failure") | {events.SIMULATED: True}
        values = events.end_task_values(task, output=task.input, output_from=task.input_from)
        return values | {events.SIMULATED: True}


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
