"""Executes tasks: takes as many as there is capacity for, renews their claims, completes each.

A thread of a pool reads tasks and checks that their attempts are current; other threads of the pool, or an
event loop, execute them. Those that were brief so far it executes itself, see `reader`. The thread of the
consumer watches it, and renews claims. See `completions` for how the ends of tasks are sent.

A task that its worker has died with may be the reason, see `suspects`. It fails once that has happened
`tasks.deliveries` times.

With a concurrency of 1, one thread reads a task, executes it, and sends its end with the next read: that is
one round trip a task, and no change of threads.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from typing import Final

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.runtime.consumer import Consumer
from lfr.runtime.speculation import Speculation
from lfr.runtime.tasks import (
    INPUT_IS_GONE,
    Completion,
    completion_commands,
    load_inputs,
    parse_tasks,
    retry_on_disconnect,
    successful_completion,
)
from lfr.store import keys
from lfr.store.queues.claims import covers
from lfr.store.queues.move import clear_stale_mark, put_back
from lfr.store.redis.connection import Command, Connection, Reply, Store
from lfr.store.stream.entries import Entry
from lfr.store.stream.groups import release_claims
from lfr.store.stream.read_size import read_entries
from lfr.store.workflows.attempt_status import are_current
from lfr.values.json import ABSENT, Json
from lfr.values.times import format_timestamp
from lfr.worker.brief_tasks import BriefTasks
from lfr.worker.completions import CompletionQueue, EncodedCompletion
from lfr.worker.durations import measured
from lfr.worker.failures import TaskFailed, failed_task_values
from lfr.worker.fair_share import FairShare
from lfr.worker.reader import Reader
from lfr.worker.suspects import Suspects, Work, refuse_deadly
from lfr.worker.threads import EventLoopThread, ThreadPool

LOGGER = logging.getLogger(__name__)

_STRANGER_SECONDS: Final = 1.0
"""How long a task that is for another process of the group stays with this one, before it is put back."""

_PUT_BACK_SECONDS: Final = 0.02

_SUPERVISE_SECONDS: Final = 0.25
"""How often the thread of the consumer renews claims if it is time to."""

_SHORT_SECONDS: Final = 0.001
"""Tasks that end within this time end before the next read, and their ends go with it."""

_FEW_TASKS: Final = 8
"""Of a batch with up to so many tasks, the thread that reads executes those that are brief."""

_LAST_READ_SECONDS: Final = 1.5
"""How long to wait at a stop for a thread that only reads: longer than a read blocks."""


class TaskExecutor(Consumer):
    """A consumer of start-task events that executes those it accepts, if their attempts are current.

    work           executes one task; called in many threads at once
    claims         the tasks that its group claims: names, or prefixes such as `request:*`
    is_async       whether `work` returns an awaitable at once: it is then called in the event loop
    end_commands   the commands that go in the transaction that completes a task
    concurrency    how many tasks run at once; no more are read from the stream
    share          how many of these one workflow may have; None: all
    grace_seconds  how long a stop waits for running tasks; the claims of the others are released
    """

    def __init__(
        self,
        store: Store,
        group: str,
        work: Work,
        *,
        claims: Sequence[str],
        is_async: Callable[[str], bool] = lambda base: False,
        end_commands: Callable[[events.StartTask], Sequence[Command]] = lambda task: (),
        concurrency: int,
        share: int | None = None,
        grace_seconds: float = 10.0,
    ) -> None:
        super().__init__(store, group, claims=claims, lease_seconds=store.settings.tasks_lease_seconds)
        self._work = measured(refuse_deadly(work, store.settings.tasks_deliveries), self.totals)
        self._is_async = is_async
        self._end_commands = end_commands
        self._concurrency = concurrency
        self._fair_share = None if share is None else FairShare(share)
        self._grace_seconds = grace_seconds
        self._large_bytes = store.settings.values_large
        self._unchecked: list[tuple[str, events.StartTask]] = []  # read, and to be checked before they begin
        self._suspects = Suspects(self.id, store.settings.tasks_deliveries)
        self._running_suspect = ""  # its entry id
        self._has_put_back = False
        self._has_read_all = False
        self._must_check = True  # whether tasks in the queue may be stale
        self._strangers: list[tuple[float, Entry]] = []  # to be put back; when each was read
        self._claims: set[str] = set()  # the entries that were read and whose completion is not confirmed
        self._short_tasks = Speculation()
        self._running_count = 0  # the tasks that were read and have not ended
        self._changed = threading.Condition()
        self._completions = CompletionQueue(self.id, self._forget)
        # Two threads more than tasks: one reads, and while that of an ended task sends, another may begin.
        self._pool = ThreadPool(concurrency + 2)
        self._brief_tasks = BriefTasks()
        self._reader = Reader(
            *(store, self._pool, self.run_pass, self._run_here, self._submit),
            may_read=lambda: self.listening,
            hands_over=concurrency > 1,
        )
        self._event_loop = EventLoopThread()

    def join(self, connection: Connection) -> None:
        """Claim the tasks and create the group. After an outage, drop the tasks that have left the queue."""
        self._reader.stop(self.store.settings.redis_timeout_seconds + _LAST_READ_SECONDS)
        super().join(connection)
        self._drop_lost(connection)

    def _drop_lost(self, connection: Connection) -> None:
        """Drop the tasks whose start-tasks are no longer in the queue: this Redis does not know that they
        have begun, because a failover or a crash has lost that, or others have them now. Their ends must not
        be taken for those of attempts that start anew. (XRANGE)"""
        ids = self.claimed_ids()
        present = {entry.id for entry in read_entries(connection, self.id.stream, ids)}
        if lost := set(ids) - present:
            LOGGER.warning("%d tasks have left the queue meanwhile: their ends are dropped", len(lost))
            self._completions.drop(lost)

    def run_turn(self, connection: Connection) -> None:
        """Let another thread run passes; watch it, and keep the claims."""
        self.keep_claims(connection)
        self._reader.supervise(_SUPERVISE_SECONDS)

    def capacity(self) -> int:
        """Return how many tasks may begin. Other workers find the other entries in the queue."""
        return 0 if self._has_put_back else self._concurrency - self._running_count

    def wait_for_capacity(self, seconds: float) -> None:
        """Wait until a task may start, at most this long. Return at once if one may now. After tasks were put
        back, leave them to another process for a moment."""
        if self._has_put_back:
            self._has_put_back = False
            self.sleep(min(seconds, _PUT_BACK_SECONDS))
            return
        if not self._reader.has_tasks:
            with self._changed:
                self._changed.wait_for(lambda: self._running_count < self._concurrency, seconds)

    def claimed_ids(self) -> Sequence[str]:
        """Return the entries of the tasks that run or whose completions are not confirmed."""
        with self._changed:
            return list(self._claims)

    def on_pass(self, connection: Connection) -> float:
        """Do what an earlier pass could not, and send the completions that cannot go with a read."""
        if self._fair_share:  # what a thread that could not start has left
            with self._changed:
                begun = self._fair_share.begin_any_held()
                self._running_count += len(begun)
            self._unchecked += begun
        self._begin_current(connection)
        self._begin_suspect(connection)
        self._hand_on_strangers(connection)
        if self._must_check and self._has_read_all:
            self._has_read_all = False
            clear_stale_mark(connection, self.id.group)
        if self._completions.has_failed or not self.capacity():
            self._completions.send(connection, has_receipts=self.has_receipts)
        return super().on_pass(connection)

    def execute_read(self, connection: Connection, commands: Sequence[Command]) -> list[Reply]:
        """Send the commands that read a batch, and all completions in the same write."""
        return self._completions.send_with_read(connection, commands, has_receipts=self.has_receipts)

    def has_written(self, connection: Connection) -> bool:
        """Return whether there is something that replicas are to confirm: completions go with the read."""
        return connection.has_written or not self._completions.is_empty

    def flag_keys(self) -> tuple[str, ...]:
        """Return the keys whose existence is read together with a batch."""
        return (*super().flag_keys(), keys.stale_mark(self.id.group))

    def process_flags(self, flags: Sequence[bool], batch: Sequence[Entry]) -> None:
        """Note whether a receipts role runs, and whether the tasks of this batch may be stale."""
        super().process_flags(flags, batch)
        self._must_check = flags[1]
        self._has_read_all = not batch

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Begin the tasks of a batch; hand on those that are not for this executor."""
        tasks, other_ids = parse_tasks(batch)
        if other_ids:  # no start-tasks: they have no business in the queue
            self.settle_later([entry for entry in batch if entry.id in set(other_ids)])
        strange_ids = {id for id, task in tasks if not self._accepts(task.base)}
        if strange_ids:
            self._strangers += [(time.monotonic(), entry) for entry in batch if entry.id in strange_ids]
        accepted = [(id, task) for id, task in tasks if id not in strange_ids]
        accepted = load_inputs(connection, accepted)
        if not self.listening:  # the stop came while it was reading these
            release_claims(connection, self.id, [id for id, _ in accepted])
            return
        if self.is_reclaimed:
            accepted, suspect_ids = self._suspects.set_aside(connection, accepted)
            with self._changed:
                self._claims.update(suspect_ids)
        with self._changed:
            self._claims.update(id for id, _ in accepted)
            if self._fair_share:
                accepted, excess = self._fair_share.admit(accepted, batch)
                self._claims.difference_update(entry.id for entry in excess)
                self._strangers += [(time.monotonic(), entry) for entry in excess]
                self._has_put_back |= bool(excess)  # go on, but slowly: all behind may be of one workflow
            others = self._running_count
            self._running_count += len(accepted)
        if self._must_check or self.is_reclaimed:
            self._unchecked += accepted
            self._begin_current(connection)
        else:
            are_few = len(accepted) <= _FEW_TASKS
            for id, task in accepted:
                self._begin(id, task, may_be_here=are_few and self._brief_tasks.is_brief(task.base))
            if accepted and not self._reader.has_tasks:
                self._await_short_tasks(others)

    def _await_short_tasks(self, others: int) -> None:
        """Wait a moment until no more tasks run than these, the `others`, if those that begin have ended at
        once lately: then their ends go with the next read, in place of a write of their own."""
        if not self._short_tasks.is_advised():
            return
        with self._changed:
            ended = self._changed.wait_for(lambda: self._running_count <= others, _SHORT_SECONDS)
        self._short_tasks.note(was_right=ended)

    def _begin_suspect(self, connection: Connection) -> None:
        """Begin the next suspect if there is capacity and none runs."""
        if self._suspects and self._running_suspect not in self._claims and self.capacity():
            suspect = self._suspects.begin(connection)
            self._running_suspect = suspect[0]
            self._unchecked.append(suspect)
            with self._changed:
                self._running_count += 1
            self._begin_current(connection)

    def _accepts(self, base: str) -> bool:
        return any(covers(claim, base) for claim in self.claims)

    def _hand_on_strangers(self, connection: Connection) -> None:
        """Put tasks that another process of the group does back into the queue, a second after they were
        read. If no process of the group does them any more, the claim is released, and they are moved."""
        due_at = time.monotonic() - _STRANGER_SECONDS
        due = [entry for read_at, entry in self._strangers if read_at <= due_at]
        if due:
            self._strangers = [each for each in self._strangers if each[0] > due_at]
            self.renew_group_claims(connection)
            put_back(connection, self.id, due)
            self._has_put_back = True

    def leave(self, connection: Connection) -> None:
        """Wait for running tasks and renew their claims meanwhile, then leave the group."""
        deadline = time.monotonic() + self._grace_seconds
        self._reader.stop(min(self._grace_seconds, _LAST_READ_SECONDS))
        strange_ids = [entry.id for _, entry in self._strangers]
        release_claims(connection, self.id, [*self._drop_unchecked(), *strange_ids])
        self._forget(self._suspects.release(connection))
        self._completions.send(connection, has_receipts=self.has_receipts)
        while self.claimed_ids() and (remaining := deadline - time.monotonic()) > 0:
            self.renew_claims(connection)
            if self.observer:  # or its group would seem to be dead, and others would do its tasks as well
                self.observer.pass_completed(self, connection)
            with self._changed:
                seconds = min(remaining, self.lease_seconds / 4, _SUPERVISE_SECONDS)
                self._changed.wait_for(lambda: not (self._claims and self._completions.is_empty), seconds)
            self._completions.send(connection, has_receipts=self.has_receipts)
        if unfinished := self.claimed_ids():
            LOGGER.warning("%d tasks are left to others after %g s", len(unfinished), self._grace_seconds)
            release_claims(connection, self.id, unfinished)
        super().leave(connection)

    def onStop(self) -> None:
        """End the threads that run no task."""
        self._pool.close()

    def _drop_unchecked(self) -> list[str]:
        """Forget the tasks that have not begun. Return their entries."""
        ids, self._unchecked = [id for id, _ in self._unchecked], []
        with self._changed:
            self._running_count -= len(ids)
            if self._fair_share:
                ids += self._fair_share.clear()
                for id in ids:
                    self._fair_share.free(id)
        self._forget(ids)
        return ids

    def _forget(self, ids: Sequence[str]) -> None:
        with self._changed:
            self._claims.difference_update(ids)
            self._changed.notify_all()

    def _begin_current(self, connection: Connection) -> None:
        """Begin the tasks that have been read and whose attempts are current, and acknowledge the others.

        They are begun in a later pass if Redis cannot be reached. Raises Unreachable and Refused.
        """
        if not self._unchecked:
            return
        try:
            ids = [id for id, _ in self._unchecked]
            current = are_current(connection, [task for _, task in self._unchecked], ids)
        except (Unreachable, Refused):
            raise
        except Exception:
            self._drop_unchecked()  # the consumer processes them again, one by one
            raise
        tasks, self._unchecked = self._unchecked, []
        for (id, task), is_current in zip(tasks, current, strict=True):
            if is_current:
                self._begin(id, task)
            else:
                self._end(id, ())

    def _begin(self, id: str, task: events.StartTask, *, may_be_here: bool = False) -> None:
        """Begin a task: in the thread that reads, after its pass, if it `may_be_here` or only one task runs
        at a time; else in another one."""
        if task.input is ABSENT:
            self._end(id, self._failed_completion(id, task, TaskFailed(INPUT_IS_GONE)))
        elif self._is_async(task.base):
            try:
                self._event_loop.start(self._run_async(id, task, partial(self._work, task)))
            except RuntimeError as error:
                self._leave_pending(id, error)
        elif (may_be_here or self._concurrency == 1) and self._reader.is_running:
            self._reader.add(id, task)
        elif self._concurrency == 1:  # who runs this pass is no reader that others watch
            self._run_here(id, task)
        else:
            self._submit(id, task)

    def _submit(self, id: str, task: events.StartTask) -> None:
        """Execute a task in a thread of the pool."""
        try:
            self._pool.submit(partial(self._run, id, task))
        except RuntimeError as error:  # too many threads: leave the entry to its next consumer
            self._leave_pending(id, error)

    def _run_here(self, id: str, task: events.StartTask) -> None:
        """Execute a task in this thread, as in a pool: without the context variables of other tasks, and a
        defect does not end the thread."""
        try:
            Context().run(self._run, id, task)
        except BaseException:
            LOGGER.exception("a defect in lfr; please report it")

    def _leave_pending(self, id: str, error: RuntimeError) -> None:
        LOGGER.error("task %s cannot begin, and stays pending: %s", id, error)
        with self._changed:
            self._running_count -= 1
            if self._fair_share:
                self._fair_share.free(id)
        self._forget([id])

    def _run(self, id: str, task: events.StartTask) -> None:
        """Execute a task in this thread; if it turns out to be async, in the event loop."""
        begun_at = time.monotonic()
        try:
            output = self._work(task)
            if inspect.isawaitable(output):
                self._event_loop.start(self._run_async(id, task, lambda: output))
                return
            commands = self._completion(id, task, output)
        except BaseException as error:
            commands = self._failed_completion(id, task, error)
        self._brief_tasks.note(task.base, time.monotonic() - begun_at)
        if self._end(id, commands, self._fail_with(id, task)):
            self._send_completions()

    async def _run_async(self, id: str, task: events.StartTask, work: Callable[[], Json]) -> None:
        """Execute an async task in the event loop."""
        try:
            output = work()
            commands = self._completion(id, task, await output if inspect.isawaitable(output) else output)
        except BaseException as error:
            commands = self._failed_completion(id, task, error)
        if self._end(id, commands, self._fail_with(id, task)):
            self._pool.submit(self._send_completions)

    def _fail_with(self, id: str, task: events.StartTask) -> Callable[[str], Sequence[Command]]:
        return lambda reason: self._failed_completion(id, task, TaskFailed(reason, is_final=True))

    def _end(
        self, id: str, commands: Sequence[Command], fail: Callable[[str], Sequence[Command]] | None = None
    ) -> bool:
        """Note that a task has ended; `fail` is that of EncodedCompletion. Return whether the caller has to
        call `_send_completions`."""
        must_send = self._completions.add(EncodedCompletion(id, commands, fail))
        with self._changed:
            self._running_count -= 1
            next_task = self._fair_share.end(id, begin_next=self.listening) if self._fair_share else None
            if next_task:
                self._running_count += 1
            self._changed.notify_all()
        if next_task:
            self._begin_held(*next_task)
        return must_send

    def _begin_held(self, id: str, task: events.StartTask) -> None:
        """Begin a task that was held back, if its attempt is current still."""

        def run() -> None:
            what = f"{task.base} of {task.workflow}"
            if retry_on_disconnect(self.store, lambda each: are_current(each, [task], [id])[0], what):
                self._run(id, task)
            elif self._end(id, ()):
                self._send_completions()

        try:
            self._pool.submit(run)
        except RuntimeError as error:
            self._leave_pending(id, error)

    def _send_completions(self) -> None:
        """Send completions while the reader is blocked. It sends those that cannot be sent now."""
        try:
            with self.store.connect() as connection:
                self._completions.send_while_blocked(connection, has_receipts=self.has_receipts)
                if wait := self._confirmations.commands():
                    [reply] = connection.execute_unchecked(wait)
                    self._confirmations.note(reply)
        except (Unreachable, Refused) as error:
            LOGGER.error("%s; the ends of tasks wait", error)
            with self._changed:
                self._changed.notify_all()

    def _completion(self, id: str, task: events.StartTask, output: Json) -> list[Command]:
        """Return the commands that complete a task with its output. Raises InvalidJson."""
        return self._commands(task, successful_completion(id, task, output, self._large_bytes))

    def _failed_completion(self, id: str, task: events.StartTask, error: BaseException) -> list[Command]:
        """Return the commands that complete a task that has raised this."""
        return self._commands(task, Completion(id, failed_task_values(task, error)))

    def _commands(self, task: events.StartTask, completion: Completion) -> list[Command]:
        at = format_timestamp(time.time())
        return [*self._end_commands(task), *completion_commands(completion, at)]
