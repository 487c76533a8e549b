"""Interruptions while a child is being started."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from lfr.host.child_process import deferred_signals


def test_an_interruption_comes_when_the_block_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("to the end")
        done.append("not reached")
    assert done == ["to the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interruption_nothing_is_changed() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with deferred_signals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_in_another_thread_there_is_nothing_to_put_off() -> None:
    reached = threading.Event()

    def work() -> None:
        with deferred_signals():
            reached.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached.is_set()
