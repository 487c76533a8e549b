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
from lfr.tasks.catalogue import is_reserved


class NoOp(Consumer):
    """Completes the tasks of a batch in one transaction."""

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Complete the tasks of a batch."""
        tasks, foreign = parse_tasks(batch)
        self.acknowledge_later([*foreign, *(id for id, task in tasks if is_reserved(task.base))])
        complete_tasks(
            connection,
            self.id,
            [
                Completion(id, events.end_task_values(task, output=task.input))
                for id, task in tasks
                if not is_reserved(task.base)
            ],
        )


if __name__ == "__main__":
    context = RoleContext("no-op", ServiceManager(), lambda: None)
    raise SystemExit(run_consumers(context, [NoOp(open_store(load_settings({})), "no-op")]))
