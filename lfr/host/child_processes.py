"""Starts role processes, as children that end with their parent, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

from lfr.config.settings import secret_variables_of_others

_PR_SET_PDEATHSIG = 1
"""prctl(2): sets the signal that this process gets when its parent dies."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def terminate_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """Return a `preexec_fn` with which the child gets this signal when its parent dies.

    The parent is the thread that starts the child, not its process. Only Linux can do this: elsewhere a child
    survives a parent that is killed.
    """
    if sys.platform != "linux":
        return lambda: None
    import ctypes  # in the parent: the child must not import between fork and exec

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before
            signal.signal(number, signal.SIG_DFL)  # the parent may have deferred its handler
            os.kill(os.getpid(), number)

    return set_death_signal


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer the handlers of SIGINT, SIGTERM and SIGHUP to the end of the block, in the main thread.

    An exception of a handler between the fork and the assignment of a new process would leave a child that
    nobody stops. Only the handler of the first signal runs then, and none if the block raises.
    """
    pending: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is not threading.main_thread():  # no other thread runs handlers
        yield
        return
    handlers = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, lambda number, frame: pending.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for caught, frame in pending[:1]:
        handlers[signal.Signals(caught)](caught, frame)


def own_command() -> list[str]:
    """Return the command that starts lfr as it was started: the one file, or the package of a checkout."""
    flags = ["-s"] * sys.flags.no_user_site + ["-E"] * sys.flags.ignore_environment
    program = Path(sys.argv[0])
    if program.is_file() and zipfile.is_zipfile(program):
        return [sys.executable, *flags, str(program.resolve())]
    return [sys.executable, *flags, "-m", "lfr"]


def wait_or_kill(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """Wait until a process has ended; kill it if it still runs after `grace_seconds`."""
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(slots=True)
class RoleProcess:
    """A role process: its arguments, the process, the file that its output goes to."""

    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log: Path | None

    @property
    def name(self) -> str:
        """Return the role."""
        return self.arguments[0]

    def log_tail(self) -> str:
        """Return the last five lines of its log; empty if it has none."""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:]) if self.log else ""
        return ""


class RoleProcesses:
    """Role processes that end with the process that started them; Ctrl-C does not reach them. Of the secrets
    in the environment each gets those of its own role.

    Each writes to `ROLE.log` in `log_folder`; without one, to the output of this process.
    """

    def __init__(self, environment: Mapping[str, str], log_folder: Path | None = None) -> None:
        self._environment = {**os.environ, **environment}
        self._log_folder = log_folder
        self.running: list[RoleProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self, arguments: Sequence[str]) -> RoleProcess:
        """Start `lfr ARGUMENTS...`, of which the first is the role, and add it to `running`."""
        with deferred_signals(), ExitStack() as stack:
            log = None if self._log_folder is None else self._log_folder / f"{arguments[0]}.log"
            output = None if log is None else stack.enter_context(log.open("ab"))
            others = secret_variables_of_others(arguments[0])
            process = subprocess.Popen(
                [*own_command(), *arguments],
                env={name: value for name, value in self._environment.items() if name not in others},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=terminate_with_parent(),
            )
            child = RoleProcess(tuple(arguments), process, log)
            self.running.append(child)
        return child

    def pop_exited(self) -> list[RoleProcess]:
        """Return the processes that have ended since the last call, and forget them."""
        exited = [child for child in self.running if child.process.poll() is not None]
        self.running = [child for child in self.running if child not in exited]
        return exited

    def send_signal(self, number: int) -> None:
        """Send a signal to each running process."""
        for child in self.running:
            with suppress(ProcessLookupError):
                child.process.send_signal(number)

    def stop(self, grace_seconds: float = 15.0) -> None:
        """Send SIGTERM to all processes; kill those that still run after `grace_seconds`."""
        self.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        for child in self.running:
            wait_or_kill(child.process, max(0.0, deadline - time.monotonic()))
        self.running = []
