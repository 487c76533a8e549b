"""The lean worker of version 0.1.0, with the modules of its file: for `comparison --old`."""

from __future__ import annotations

from collections.abc import Sequence

from lfr.cli.load_settings import load_settings
from lfr.host.notify import Supervisor
from lfr.roles.process import Life, run_listeners
from lfr.store.connection import Link, connect
from lfr.worker.answer import Answer, answer, read_tasks
from lfr.worker.listener import BatchListener

from lfr import events
from lfr.store.stream import Entry
from lfr.tasks.catalogue import is_reserved


class NoOp(BatchListener):
    """Completes the tasks of a batch in one transaction."""

    def process_batch(self, link: Link, batch: Sequence[Entry]) -> None:
        """Complete the tasks of a batch."""
        tasks, foreign = read_tasks(batch)
        self.acknowledge_later([*foreign, *(id for id, task in tasks if is_reserved(task.base))])
        answer(
            link,
            self.reader,
            [
                Answer(id, events.end_task(task, output=task.input))
                for id, task in tasks
                if not is_reserved(task.base)
            ],
        )


if __name__ == "__main__":
    life = Life("no-op", Supervisor(), lambda: None)
    raise SystemExit(run_listeners(life, [NoOp(connect(load_settings({})), "no-op")]))
