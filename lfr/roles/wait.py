"""Waits for workflows: delays. All of it stands in Redis, so a restart loses none."""

from __future__ import annotations

from collections.abc import Sequence

from lfr import events
from lfr.roles.process import Life, run_listeners
from lfr.store.connection import Command, Link, Store
from lfr.store.stream import Entry, acknowledge, append
from lfr.store.timers import fire_due, next_due, set_timer
from lfr.tasks.catalogue import DELAY
from lfr.tasks.delay import delay_seconds
from lfr.tasks.parameters import BadParameter
from lfr.worker.answer import read_tasks
from lfr.worker.listener import BatchListener


class Wait(BatchListener):
    """Keeps timers and fires them. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "wait")

    def on_pass(self, link: Link) -> float:
        """End the waits that are due; in how many seconds the next is."""
        while True:
            now_ms, due_ms = next_due(link)
            if due_ms is None:
                return super().on_pass(link)
            if due_ms > now_ms:
                return (due_ms - now_ms) / 1000
            fire_due(link, self.store.stream, now_ms, count=self.store.settings.batch)

    def process_batch(self, link: Link, batch: Sequence[Entry]) -> None:
        """Set a timer for each delay that starts, in one transaction with its acknowledgement."""
        tasks, foreign = read_tasks(batch)
        ours = [(id, task) for id, task in tasks if task.base == DELAY]
        self.acknowledge_later(foreign)
        self.acknowledge_later([id for id, task in tasks if task.base != DELAY])
        if ours:
            now_ms, _ = next_due(link)
            at = events.timestamp(now_ms / 1000)
            commands = [command for _, task in ours for command in self._begin(task, now_ms)]
            commands += [append(self.store.stream, events.RECEIPT, at, events.receipt(id)) for id, _ in ours]
            link.transact([*commands, acknowledge(self.reader, [id for id, _ in ours])])

    def _begin(self, task: events.StartTask, now_ms: int) -> list[Command]:
        try:
            return set_timer(task, now_ms + round(1000 * delay_seconds(task.parameters)))
        except BadParameter as error:
            at = events.timestamp(now_ms / 1000)
            failed = events.end_task(task, failure=str(error))
            return [append(self.store.stream, events.END_TASK, at, failed)]


def run(store: Store, life: Life) -> int:
    """Run the role until it is stopped; the process's exit code."""
    return run_listeners(life, [Wait(store)])
