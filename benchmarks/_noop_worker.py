"""A task worker that does nothing: answers every task at once with its input."""

from __future__ import annotations

from collections.abc import Sequence

from lfr import events
from lfr.config.load import load_settings
from lfr.host.notify import ServiceManager
from lfr.runtime.complete import Answer, answer, read_tasks
from lfr.runtime.consumer import BatchListener
from lfr.runtime.process import Life, run_listeners
from lfr.store.redis.connection import Link, connect
from lfr.store.stream.entries import Entry
from lfr.tasks.catalogue import is_reserved


class NoOp(BatchListener):
    """Answers a whole batch in one transaction."""

    def process_batch(self, link: Link, batch: Sequence[Entry]) -> None:
        """Answer the tasks of a pass."""
        tasks, foreign = read_tasks(batch)
        self.acknowledge_later([*foreign, *(id for id, task in tasks if is_reserved(task.base))])
        answer(
            link,
            self.reader,
            [
                Answer(id, events.end_task_values(task, output=task.input))
                for id, task in tasks
                if not is_reserved(task.base)
            ],
        )


if __name__ == "__main__":
    life = Life("no-op", ServiceManager(), lambda: None)
    raise SystemExit(run_listeners(life, [NoOp(connect(load_settings({})), "no-op")]))
