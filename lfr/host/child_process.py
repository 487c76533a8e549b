"""Child processes that do not outlive their parent: not if it is killed, nor if it is interrupted."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent dies."""


def terminate_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """What a child is to do between fork and exec, so that it gets this signal when its parent dies.

    Its parent is the thread that starts it, not the process. Linux alone knows of that: elsewhere a child
    outlives a parent that is killed.
    """
    if sys.platform != "linux":
        return lambda: None
    import ctypes  # in the parent: nothing is to be imported between fork and exec

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it has died in between
            os.kill(os.getpid(), number)

    return ask


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Put off what SIGINT, SIGTERM and SIGHUP do to this process until the block is done.

    Around the start of a child: an exception between its fork and the moment when it is known would
    leave a process that nobody stops. Only the main thread is interrupted, so elsewhere this does nothing.
    """
    came: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for caught, frame in came[:1]:
        handlers[signal.Signals(caught)](caught, frame)
