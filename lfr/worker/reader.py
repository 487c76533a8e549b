"""Lets one thread of a pool read tasks, and run brief ones itself; another one reads on when it is held up.

To hand a task to another thread, and to learn of its end, takes longer than a brief task. So the thread that
reads runs it. A task that was brief so far may take long this time: then, after some milliseconds, it is the
turn of another thread, and the first one goes back to the pool when its task has ended.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from lfr import events
from lfr.store.redis.connection import Connection, Store
from lfr.worker.threads import ThreadPool

LOGGER = logging.getLogger(__name__)

IdentifiedTask: TypeAlias = tuple[str, events.StartTask]
"""A start-task with its entry id."""

_WATCH_SECONDS: Final = 0.005
"""A task holds up the thread that reads for at most twice this time."""

_WATCHES: Final = 40
"""For so many times this long a thread is watched after it has begun a task."""


@dataclass(slots=True)
class _Turn:
    """A thread that reads, from its first pass to its last.

    is_reading       whether it runs a pass
    is_running_task  whether it runs a task
    begun_count      how many tasks it has begun
    """

    is_reading: bool = False
    is_running_task: bool = False
    begun_count: int = 0


class Reader:
    """Passes, run by one thread at a time, and the tasks that a pass adds for the same thread.

    run_pass     reads tasks, and calls `add` for those that the same thread is to run
    run, submit  run a task: in the thread that calls it, in a thread of the pool; they raise nothing
    may_read     whether to begin another pass
    hands_over   whether another thread reads on when a task holds up the one that reads
    """

    def __init__(
        self,
        store: Store,
        pool: ThreadPool,
        run_pass: Callable[[Connection], None],
        run: Callable[[str, events.StartTask], None],
        submit: Callable[[str, events.StartTask], None],
        *,
        may_read: Callable[[], bool],
        hands_over: bool,
    ) -> None:
        self._store = store
        self._pool = pool
        self._run_pass = run_pass
        self._run_task = run
        self._submit_task = submit
        self._may_read = may_read
        self._hands_over = hands_over
        self._changed = threading.Condition()  # its lock may be taken twice
        self._turn: _Turn | None = None  # whose turn it is now
        self._tasks: deque[IdentifiedTask] = deque()  # what it is to run
        self._failure: BaseException | None = None  # what has ended the turn before
        self._wake = threading.Event()  # ends the wait of `supervise`
        self._rests = False  # whether that waits until a task begins
        self._watch_count = 0  # how often it is still to look soon

    @property
    def is_running(self) -> bool:
        """Whether a thread reads, or runs what it has read."""
        return self._turn is not None

    @property
    def has_tasks(self) -> bool:
        """Whether the thread that reads is to run tasks after its pass."""
        return bool(self._tasks)

    def add(self, id: str, task: events.StartTask) -> None:
        """Let the thread that reads run this task after its pass. For `run_pass`."""
        self._tasks.append((id, task))

    def supervise(self, seconds: float) -> None:
        """Let a thread read if none does, and watch it for at most this long. Raises what has ended one;
        RuntimeError if the system has no thread. For one thread."""
        self._raise_failure()
        turn = self._turn or self._begin_turn()
        begun_count = turn.begun_count
        self._rests = self._hands_over and not self._watch_count
        if self._rests and turn.is_running_task:  # which may have begun before it could see that
            self._rests = False
        is_near = self._hands_over and not self._rests
        self._wake.wait(min(seconds, _WATCH_SECONDS) if is_near else seconds)
        self._rests = False
        self._wake.clear()
        if turn.begun_count != begun_count:
            self._watch_count = _WATCHES
        elif is_near:
            self._watch_count = max(0, self._watch_count - 1)
            self._hand_over(turn, begun_count)
        self._raise_failure()

    def stop(self, seconds: float) -> None:
        """Let no thread begin another pass. Wait at most this long for the end of the present one, not for
        that of a task. What was read and has not begun is run by other threads."""
        with self._changed:
            turn, self._turn = self._turn, None
            self._changed.wait_for(lambda: turn is None or not turn.is_reading, seconds)
            tasks = self._take_tasks()
        for task in tasks:
            self._submit_task(*task)

    def _raise_failure(self) -> None:
        with self._changed:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _begin_turn(self) -> _Turn:
        with self._changed:
            turn = _Turn()
            self._pool.submit(partial(self._read, turn))
            self._turn = turn
        return turn

    def _hand_over(self, turn: _Turn, begun_count: int) -> None:
        """Let another thread read if the task that has begun last still runs, and others run what this thread
        was to run."""
        with self._changed:
            if self._turn is not turn or turn.begun_count != begun_count or not turn.is_running_task:
                return
            try:
                self._begin_turn()
            except RuntimeError as error:  # the task goes on to hold it up
                LOGGER.error("no other thread can read tasks: %s", error)
                return
            tasks = self._take_tasks()
        for task in tasks:
            self._submit_task(*task)

    def _take_tasks(self) -> list[IdentifiedTask]:
        tasks = list(self._tasks)
        self._tasks.clear()
        return tasks

    def _read(self, turn: _Turn) -> None:
        """Run passes, and what they add, until it is the turn of another thread."""
        failure: BaseException | None = None
        try:
            with self._store.connect() as connection:
                while self._begin_pass(turn):
                    self._run_pass(connection)
                    if self._tasks:
                        self._run_tasks(turn)
        except BaseException as error:
            failure = error
        with self._changed:
            turn.is_reading = False
            if self._turn is turn:
                self._turn, self._failure = None, failure
            elif failure is not None:
                LOGGER.info("a thread that was to read no more has ended: %s", failure)
            self._changed.notify_all()
        self._wake.set()

    def _begin_pass(self, turn: _Turn) -> bool:
        with self._changed:
            turn.is_reading = self._turn is turn and self._may_read()
            return turn.is_reading

    def _run_tasks(self, turn: _Turn) -> None:
        while task := self._next_task(turn):
            if self._rests:
                self._rests = False
                self._wake.set()
            self._run_task(*task)

    def _next_task(self, turn: _Turn) -> IdentifiedTask | None:
        """Return the next task for this thread; None if there is none, or it is not its turn any more."""
        with self._changed:
            turn.is_reading = False
            turn.is_running_task = self._turn is turn and bool(self._tasks)
            if turn.is_running_task:
                turn.begun_count += 1
                return self._tasks.popleft()
            self._changed.notify_all()
            return None
