"""A task worker that does nothing: answers every task at once with its input."""

from __future__ import annotations

from collections.abc import Sequence

from lfr import events
from lfr.cli.load_settings import load_settings
from lfr.roles.process import run_listeners
from lfr.store.connection import Link, connect
from lfr.store.stream import Entry
from lfr.worker.answer import Answer, answer, read_task
from lfr.worker.listener import BatchListener


class NoOp(BatchListener):
    """Answers a whole batch in one transaction."""

    def process_batch(self, link: Link, batch: Sequence[Entry]) -> None:
        """Answer the tasks of a pass."""
        tasks = [(entry, read_task(entry)) for entry in batch]
        self.acknowledge_later([entry.id for entry, task in tasks if task is None])
        done = [
            Answer(entry.id, events.end_task(task, output=task.input))
            for entry, task in tasks
            if task is not None
        ]
        answer(link, self.reader, done)


if __name__ == "__main__":
    raise SystemExit(run_listeners([NoOp(connect(load_settings({})), "no-op")]))
