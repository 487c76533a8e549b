"""A child process that does not outlive its parent, even if that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent dies."""


def die_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """What a child is to do between fork and exec, so that it gets this signal when its parent dies."""
    import ctypes  # in the parent: nothing is to be imported between fork and exec

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it has died in between
            os.kill(os.getpid(), number)

    return ask
