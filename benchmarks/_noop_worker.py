"""A worker that does nothing: it completes every task at once with its input."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lfr import events
from lfr.config.load import load_settings
from lfr.host.systemd import ServiceManager
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import Completion, completion_commands, parse_tasks
from lfr.store.redis.connection import Command, Connection, Reply, open_store
from lfr.store.stream.entries import Entry, check_reply, settle_commands
from lfr.values.times import format_timestamp

CLAIMS = ("task", "a")
"""The tasks of all benchmarks."""


class NoOp(Consumer):
    """Completes the tasks of a batch in one transaction with the next read, as `Consumer` sends it."""

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Complete the tasks of a batch."""
        at = format_timestamp(time.time())
        tasks, _ = parse_tasks(batch)
        commands: list[Command] = []
        for id, task in tasks:
            end = Completion(id, events.end_task_values(task, output=task.input))
            commands += completion_commands(end, at)
        ids = [id for id, _ in tasks]
        commands += settle_commands(self.id, ids, at, has_receipts=self.has_receipts)
        self.send_later(commands)

    def execute_read(self, connection: Connection, commands: Sequence[Command]) -> list[Reply]:
        """Read a batch. Raises the error if a command before the read was refused."""
        replies = super().execute_read(connection, commands)
        for reply in replies[:-2]:
            check_reply(reply)
        return replies


if __name__ == "__main__":
    context = RoleContext("no-op", ServiceManager(), lambda: None)
    store = open_store(load_settings({}))
    raise SystemExit(run_consumers(context, [NoOp(store, "no-op", claims=CLAIMS)]))
