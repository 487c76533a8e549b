"""Does tasks in threads: takes as many as there is room for, keeps their claims, answers each as it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, TypeAlias

from lfr import events
from lfr.host.journal import log_fields
from lfr.runtime.complete import Completion, complete_tasks, parse_tasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.retry import retry_on_disconnect
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import Entry, release_claims
from lfr.values.json import InvalidJson, Json, encode_json

LOGGER = logging.getLogger(__name__)

_NOT_THE_TASKS: Final = ("lfr", "asyncio")

Work: TypeAlias = Callable[[events.StartTask], Json]
"""What does a task: returns its output; raises TaskFailed, AnsweredElsewhere or NotWanted."""


class TaskFailed(Exception):
    """The task has failed; the text is the reason that the workflow is told."""


class CompletedElsewhere(Exception):
    """The task has been handed on: somebody else will say that it has ended."""


class AttemptOver(Exception):
    """Nobody waits for the end of the task any more."""


class TaskExecutor(Consumer):
    """A consumer of start-task events that does those which are its own, each in a thread.

    work           does one task; called in many threads at once
    is_ours        whether a task is ours, by its `base`
    concurrency    how many tasks run at once; no more are taken off the stream
    grace_seconds  how long a stop waits for what runs; the rest is given back, for another to take
    """

    def __init__(
        self,
        store: Store,
        group: str,
        work: Work,
        *,
        is_ours: Callable[[str], bool],
        concurrency: int,
        grace_seconds: float = 10.0,
    ) -> None:
        super().__init__(store, group, lease_seconds=store.settings.tasks_lease_seconds)
        self._work = work
        self._is_ours = is_ours
        self._concurrency = concurrency
        self._grace_seconds = grace_seconds
        self._running_tasks: dict[str, events.StartTask] = {}
        self._changed = threading.Condition()

    def capacity(self) -> int:
        """As many events as tasks may begin: who has nothing to do finds the others on the stream."""
        with self._changed:
            return self._concurrency - len(self._running_tasks)

    def wait_for_capacity(self, seconds: float) -> None:
        """Wait until a task ends."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._running_tasks) < self._concurrency, seconds)

    def claimed_ids(self) -> Sequence[str]:
        """The events of the tasks that run."""
        with self._changed:
            return list(self._running_tasks)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Begin the tasks of a pass that are ours."""
        tasks, foreign = parse_tasks(batch)
        self.acknowledge_later(foreign)
        ours = [(id, task) for id, task in tasks if self._is_ours(task.base)]
        self.acknowledge_later([id for id, task in tasks if not self._is_ours(task.base)])
        if not self.listening:  # told to stop while it was waiting for these
            release_claims(connection, self.id, [id for id, _ in ours])
            return
        for id, task in ours:
            self._begin(id, task)

    def _begin(self, id: str, task: events.StartTask) -> None:
        with self._changed:
            if id in self._running_tasks:  # its claim was not kept in time, and nobody else took it
                return
            self._running_tasks[id] = task
        # A daemon: a task that outlives the grace must not keep the process.
        thread = threading.Thread(target=self._run, args=(id, task), name=f"task {id}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many: for who has it next
            with self._changed:
                del self._running_tasks[id]
            raise

    def _run(self, id: str, task: events.StartTask) -> None:
        try:
            self._tell(Completion(id, self._do(task)))
        finally:
            with self._changed:
                del self._running_tasks[id]
                self._changed.notify_all()

    def _do(self, task: events.StartTask) -> dict[str, Json] | None:
        """Do a task: the values of its end-task event, or None if that is not ours to append."""
        try:
            output = self._work(task)
            encode_json(output)
        except (CompletedElsewhere, AttemptOver):
            return None
        except TaskFailed as error:
            return events.end_task_values(task, failure=str(error) or "it gave no reason")
        except InvalidJson as error:
            return events.end_task_values(task, failure=f"the output of {task.base} is not JSON: {error}")
        except BaseException as error:  # whatever a task raises, SystemExit too, is its failure, not ours
            what = (task.base, task.workflow, task.index)
            shown = (type(error), error, _of_the_task(error.__traceback__))
            LOGGER.error(
                "%s of %s, step %d, has failed",
                *what,
                exc_info=shown,
                extra=log_fields(task.workflow, task.index),
            )
            return events.end_task_values(task, failure=f"{type(error).__name__}: {error}")
        return events.end_task_values(task, output=output)

    def _tell(self, told: Completion) -> None:
        """Send an answer, as often as it takes: Redis may be away for a while."""
        retry_on_disconnect(
            self.store,
            lambda connection: complete_tasks(connection, self.id, [told]),
            f"the answer to {told.id}",
        )

    def _leave(self, connection: Connection) -> None:
        """Wait for what runs, keeping its claims, before the group is left."""
        deadline = time.monotonic() + self._grace_seconds
        while self.claimed_ids() and (left := deadline - time.monotonic()) > 0:
            self._keep_claims(connection)
            with self._changed:
                self._changed.wait_for(lambda: not self._running_tasks, min(left, self.lease_seconds / 4))
        if unfinished := self.claimed_ids():
            LOGGER.warning("%d tasks are left to others after %g s", len(unfinished), self._grace_seconds)
            release_claims(connection, self.id, unfinished)
        super()._leave(connection)


def _of_the_task(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from where it leaves lfr: what is above says nothing to who wrote the task."""
    own = trace
    while own is not None and own.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_TASKS:
        own = own.tb_next
    return own or trace
