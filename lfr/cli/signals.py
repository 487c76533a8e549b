"""Signals that end a command: their handlers raise, so that `finally` and `with` clean up.

CPython can lose such an exception: one that a destructor or a weakref callback raises is only printed
(importlib has such a callback, after each import). And it can turn it into another one: until 3.12, what
`__set_name__` raises becomes a RuntimeError (each field of a dataclass has that method). So a lost exception
is raised again a moment later, and `find_thrown` finds it behind the exception that it has become.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lfr.cli.exit_codes import ExitCode
from lfr.errors import LfrError

_LATER_SECONDS = 0.005
"""After what time a lost exception is raised again."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DEFAULT_HANDLERS = (signal.SIG_DFL, signal.default_int_handler)


class ThrownBySignal(BaseException):
    """What a signal handler raises. No `except Exception` catches it."""


class Interrupted(ThrownBySignal, KeyboardInterrupt):
    """Ctrl-C. Not KeyboardInterrupt itself: if that leaves code that `exec` runs, such as that of
    dataclasses, CPython kills the process at its exit, even if the exception is caught."""


class Stopped(ThrownBySignal, SystemExit):
    """SIGTERM or SIGHUP. Its class tells it from the `sys.exit` of a user's file."""


class ChildDied(ThrownBySignal):
    """A child process has died (SIGCHLD), without which the command cannot go on; `error` says which."""

    def __init__(self, error: LfrError) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def signals_that_unwind() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise in the main thread during the block.

    A signal that is ignored (nohup) stays ignored. Roles install handlers of their own in the block, which
    stay.
    """
    print_lost, timed = sys.unraisablehook, False

    def hook(lost: sys.UnraisableHookArgs) -> None:
        nonlocal timed
        if lost.exc_value is not None and (thrown := find_thrown(lost.exc_value)):
            timed = True
            _raise_later(thrown)
        else:
            print_lost(lost)

    handlers = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    sys.unraisablehook = hook
    for number, handler in handlers.items():
        if handler in _DEFAULT_HANDLERS:
            signal.signal(number, _unwind)
    try:
        yield
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            if signal.getsignal(number) is _unwind:
                signal.signal(number, handler)
        sys.unraisablehook = print_lost


def ignore_signals() -> None:
    """Let no signal raise any more, so that none interrupts a clean-up."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def raise_when_children_die(find_error: Callable[[], LfrError | None]) -> None:
    """Call a function whenever a child process has ended, and raise ChildDied with the error that it returns.
    (SIGCHLD)"""

    def check(*_: object) -> None:
        if error := find_error():
            raise ChildDied(error)

    signal.signal(signal.SIGCHLD, check)


def find_thrown(error: BaseException) -> ThrownBySignal | None:
    """Return what a signal handler has raised, if `error` is that, was made of it or was raised during its
    clean-up."""
    ids: set[int] = set()
    next: BaseException | None = error
    while next is not None and id(next) not in ids:
        if isinstance(next, ThrownBySignal):
            return next
        ids.add(id(next))
        next = next.__cause__ or next.__context__
    return None


def _unwind(number: int, _: object) -> None:
    if number == signal.SIGINT:
        raise Interrupted
    raise Stopped(int(ExitCode.HUNG_UP if number == signal.SIGHUP else ExitCode.STOPPED))


def _raise_later(thrown: ThrownBySignal) -> None:
    """Raise in a moment. (What a hook itself raises is lost, too.)"""

    def throw(*_: object) -> None:
        raise thrown

    signal.signal(signal.SIGALRM, throw)
    signal.setitimer(signal.ITIMER_REAL, _LATER_SECONDS)
