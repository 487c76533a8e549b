"""A worker that does nothing: it completes every task at once with its input."""

from __future__ import annotations

from collections.abc import Sequence

from lfr import events
from lfr.config.load import load_settings
from lfr.host.systemd import ServiceManager
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import Completion, complete_tasks, parse_tasks
from lfr.store.redis.connection import Connection, open_store
from lfr.store.stream.entries import Entry

CLAIMS = ("task", "a")
"""The tasks of all benchmarks."""


class NoOp(Consumer):
    """Completes the tasks of a batch in one transaction."""

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Complete the tasks of a batch."""
        tasks, _ = parse_tasks(batch)
        ends = [Completion(id, events.end_task_values(task, output=task.input)) for id, task in tasks]
        complete_tasks(connection, self.id, ends, has_receipts=self.has_receipts)


if __name__ == "__main__":
    context = RoleContext("no-op", ServiceManager(), lambda: None)
    store = open_store(load_settings({}))
    raise SystemExit(run_consumers(context, [NoOp(store, "no-op", claims=CLAIMS)]))
