"""Where tasks run: a pool of threads for functions, and one thread with an event loop for coroutines.

All threads are daemon threads, which those of `concurrent.futures` are not: a task that hangs must not keep
the process alive.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

LOGGER = logging.getLogger(__name__)


class ThreadPool:
    """Runs calls in at most `limit` threads, which it starts when they are needed and then keeps."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread_count = 0
        self._idle_count = 0  # threads that wait for a call, without those that a waiting call is for

    def submit(self, call: Callable[[], None]) -> None:
        """Run a call in a thread. Raises RuntimeError if it needs another thread and the system has none."""
        with self._lock:
            if self._idle_count:
                self._idle_count -= 1
            elif self._thread_count < self._limit:
                name = f"tasks-{self._thread_count + 1}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
                self._thread_count += 1
        self._calls.put(call)

    def close(self) -> None:
        """End each thread after the calls that are waiting now. Submit no more calls."""
        for _ in range(self._thread_count):
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                Context().run(call)  # a task does not see the context variables of the one before it
            except BaseException:
                LOGGER.exception("a defect in lfr; please report it")
            del call  # what it holds must not live until the next call
            with self._lock:
                self._idle_count += 1


class EventLoopThread:
    """Runs coroutines on one event loop of asyncio, in a thread that starts with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds weak references only

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Begin a coroutine. Raises RuntimeError if the system has no thread for the loop."""
        with self._lock:
            if self._loop is None:
                self._loop = self._start_loop()
        self._loop.call_soon_threadsafe(self._create_task, self._loop, coroutine)

    def _start_loop(self) -> asyncio.AbstractEventLoop:
        import asyncio  # imported late: it takes a while, and few workers need it

        loop = asyncio.new_event_loop()
        try:
            threading.Thread(target=self._run, args=(loop,), name="event loop", daemon=True).start()
        except RuntimeError:
            loop.close()
            raise
        return loop

    def _create_task(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        while not loop.is_closed():
            try:
                loop.run_forever()  # returns if a task stops the loop
            except BaseException:  # SystemExit of a task that a coroutine has created passes through the loop
                LOGGER.exception("an exception has interrupted the event loop; it goes on")
