"""Role processes of the same file, that start and stop together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lfr.host.child_process import deferred_signals, terminate_with_parent


def own_command() -> list[str]:
    """How to start lfr again as it was started: the one file, or the package of a checkout."""
    flags = ["-s"] * sys.flags.no_user_site + ["-E"] * sys.flags.ignore_environment
    program = Path(sys.argv[0])
    if program.is_file() and zipfile.is_zipfile(program):
        return [sys.executable, *flags, str(program.resolve())]
    return [sys.executable, *flags, "-m", "lfr"]


@dataclass(slots=True)
class RoleProcess:
    """One role process: how it was started, its process, where its output goes."""

    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log: Path | None

    @property
    def name(self) -> str:
        """The role."""
        return self.arguments[0]

    def log_tail(self, lines: int = 5) -> str:
        """The end of what it has written."""
        if self.log is None:
            return ""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class RoleProcesses:
    """Role processes. They die with the process that has started them; Ctrl-C does not reach them.

    Each writes to `ROLE.log` in `log_folder`, or to where this process writes if there is none.
    """

    def __init__(self, environment: Mapping[str, str], log_folder: Path | None = None) -> None:
        self._environment = {**os.environ, **environment}
        self._log_folder = log_folder
        self.running: list[RoleProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, arguments: Sequence[str]) -> RoleProcess:
        """Start `lfr ARGUMENTS...`."""
        with deferred_signals(), ExitStack() as stack:
            log = None if self._log_folder is None else self._log_folder / f"{arguments[0]}.log"
            output = None if log is None else stack.enter_context(log.open("ab"))
            process = subprocess.Popen(
                [*own_command(), *arguments],
                env=self._environment,
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
        """The children that have ended since the last call; they count no longer."""
        dead = [child for child in self.running if child.process.poll() is not None]
        self.running = [child for child in self.running if child not in dead]
        return dead

    def tell(self, number: int) -> None:
        """Send a signal to all that run."""
        for child in self.running:
            with suppress(ProcessLookupError):
                child.process.send_signal(number)

    def stop(self, grace_seconds: float = 15.0) -> None:
        """Ask all to stop, at once; wait; kill what is left."""
        self.tell(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        for child in self.running:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self.running = []
