"""Executes tasks in threads: takes as many as there is capacity for, renews their claims, completes each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, TypeAlias

from lfr import events
from lfr.host.journal import log_fields
from lfr.runtime.consumer import Consumer
from lfr.runtime.tasks import Completion, complete_tasks, parse_tasks, retry_on_disconnect
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import Entry
from lfr.store.stream.groups import release_claims
from lfr.values.json import InvalidJson, Json, encode_json

LOGGER = logging.getLogger(__name__)

_OWN_PACKAGES: Final = ("lfr", "asyncio")
"""Packages whose frames the author of a task does not need in a traceback."""

Work: TypeAlias = Callable[[events.StartTask], Json]
"""Executes a task: returns its output; raises TaskFailed, CompletedElsewhere or AttemptOver."""


class TaskFailed(Exception):
    """The task has failed; the text is the reason."""


class CompletedElsewhere(Exception):
    """The task has been handed on: another process appends its end-task event."""


class AttemptOver(Exception):
    """The attempt is not current any more: nobody waits for its end."""


class TaskExecutor(Consumer):
    """A consumer of start-task events that executes those it accepts, each in a thread.

    work           executes one task; called in many threads at once
    accepts        whether this executor is for a task, by its `base`
    concurrency    how many tasks run at once; no more are read from the stream
    grace_seconds  how long a stop waits for running tasks; the claims of the others are released
    """

    def __init__(
        self,
        store: Store,
        group: str,
        work: Work,
        *,
        accepts: Callable[[str], bool],
        concurrency: int,
        grace_seconds: float = 10.0,
    ) -> None:
        super().__init__(store, group, lease_seconds=store.settings.tasks_lease_seconds)
        self._work = work
        self._accepts = accepts
        self._concurrency = concurrency
        self._grace_seconds = grace_seconds
        self._running_tasks: dict[str, events.StartTask] = {}
        self._changed = threading.Condition()

    def capacity(self) -> int:
        """Return how many tasks may begin. Other workers find the other entries on the stream."""
        with self._changed:
            return self._concurrency - len(self._running_tasks)

    def wait_for_capacity(self, seconds: float) -> None:
        """Wait until a task may start, at most this long. Return at once if one may now."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._running_tasks) < self._concurrency, seconds)

    def claimed_ids(self) -> Sequence[str]:
        """Return the entries of the running tasks."""
        with self._changed:
            return list(self._running_tasks)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Begin the accepted tasks of a batch."""
        tasks, other_ids = parse_tasks(batch)
        self.acknowledge_later(other_ids)
        self.acknowledge_later([id for id, task in tasks if not self._accepts(task.base)])
        accepted = [(id, task) for id, task in tasks if self._accepts(task.base)]
        if not self.listening:  # the stop came while it was reading these
            release_claims(connection, self.id, [id for id, _ in accepted])
            return
        for id, task in accepted:
            self._begin(id, task)

    def leave(self, connection: Connection) -> None:
        """Wait for running tasks and renew their claims meanwhile, then leave the group."""
        deadline = time.monotonic() + self._grace_seconds
        while self.claimed_ids() and (remaining := deadline - time.monotonic()) > 0:
            self.renew_claims(connection)
            with self._changed:
                seconds = min(remaining, self.lease_seconds / 4)
                self._changed.wait_for(lambda: not self._running_tasks, seconds)
        if unfinished := self.claimed_ids():
            LOGGER.warning("%d tasks are left to others after %g s", len(unfinished), self._grace_seconds)
            release_claims(connection, self.id, unfinished)
        super().leave(connection)

    def _begin(self, id: str, task: events.StartTask) -> None:
        with self._changed:
            if id in self._running_tasks:  # its lease ended, and this executor reclaimed it itself
                return
            self._running_tasks[id] = task
        # A daemon thread: a task that outlives the grace must not keep the process alive.
        thread = threading.Thread(target=self._run, args=(id, task), name=f"task {id}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # too many threads: leave the entry to its next consumer
            with self._changed:
                del self._running_tasks[id]
            raise

    def _run(self, id: str, task: events.StartTask) -> None:
        try:
            completion = Completion(id, self._execute(task))
            retry_on_disconnect(
                self.store,
                lambda connection: complete_tasks(connection, self.id, [completion]),
                f"the answer to {id}",
            )
        finally:
            with self._changed:
                del self._running_tasks[id]
                self._changed.notify_all()

    def _execute(self, task: events.StartTask) -> dict[str, Json] | None:
        """Execute a task. Return the values of its end-task event, or None if this executor appends none."""
        try:
            output = self._work(task)
            encode_json(output)
        except (CompletedElsewhere, AttemptOver):
            return None
        except TaskFailed as error:
            return events.end_task_values(task, failure=str(error) or "it gave no reason")
        except InvalidJson as error:
            return events.end_task_values(task, failure=f"the output of {task.base} is not JSON: {error}")
        except BaseException as error:  # whatever a task raises, SystemExit too, is a failure of the task
            LOGGER.error(
                "%s of %s, step %d, has failed",
                *(task.base, task.workflow, task.index),
                exc_info=(type(error), error, _without_own_frames(error.__traceback__)),
                extra=log_fields(task.workflow, task.index),
            )
            return events.end_task_values(task, failure=f"{type(error).__name__}: {error}")
        return events.end_task_values(task, output=output)


def _without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the task's first frame on: the frames of lfr tell its author nothing."""
    own = traceback
    while own is not None and own.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _OWN_PACKAGES:
        own = own.tb_next
    return own or traceback
