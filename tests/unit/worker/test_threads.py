"""The threads in which tasks run: how many there are, and that no task leaves a trace in the next one."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from queue import SimpleQueue

from lfr.worker.threads import EventLoopThread, ThreadPool
from tests.support.waiting import STALL_SECONDS, eventually

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="nothing")


def test_a_thread_is_started_only_if_none_is_idle() -> None:
    pool, threads = ThreadPool(3), SimpleQueue[threading.Thread]()
    names = set()
    for _ in range(20):
        pool.submit(lambda: threads.put(threading.current_thread()))
        names.add(threads.get(timeout=STALL_SECONDS).name)
        eventually(lambda: pool._idle_count == pool._thread_count)
    assert names == {"tasks-1"}
    pool.close()


def test_no_more_threads_than_the_limit() -> None:
    pool, go, done = ThreadPool(2), threading.Event(), SimpleQueue[threading.Thread]()

    def wait() -> None:
        assert go.wait(STALL_SECONDS)
        done.put(threading.current_thread())

    for _ in range(6):
        pool.submit(wait)
    go.set()
    threads = {done.get(timeout=STALL_SECONDS) for _ in range(6)}
    assert len(threads) <= 2 and all(thread.daemon for thread in threads)
    pool.close()
    for thread in threads:
        thread.join(STALL_SECONDS)
        assert not thread.is_alive()


def test_a_call_that_raises_ends_no_thread_and_context_variables_do_not_last() -> None:
    pool, values = ThreadPool(1), SimpleQueue[str]()

    def leave_traces() -> None:
        VARIABLE.set("of the first call")
        raise SystemExit

    pool.submit(leave_traces)
    pool.submit(lambda: values.put(VARIABLE.get()))
    assert values.get(timeout=STALL_SECONDS) == "nothing"
    pool.close()


def test_coroutines_share_one_loop_which_survives_a_stop() -> None:
    event_loop, loops = EventLoopThread(), SimpleQueue[asyncio.AbstractEventLoop]()

    async def stop_the_loop() -> None:
        loop = asyncio.get_running_loop()
        loop.stop()
        await asyncio.sleep(0)
        loops.put(loop)

    for _ in range(3):
        event_loop.start(stop_the_loop())
    first, *others = [loops.get(timeout=STALL_SECONDS) for _ in range(3)]
    assert others == [first, first]
