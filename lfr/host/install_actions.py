"""The actions of an installation: write a file, remove a file, run a command; as text, for a dry run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from lfr.errors import CannotWrite, Conflict
from lfr.host.files import make_folder, write_atomically


@dataclass(frozen=True, slots=True)
class Write:
    """Writes a file with this content. `is_kept`: an existing file stays as it is."""

    target: Path
    content: bytes = field(repr=False)
    mode: int = 0o644
    is_kept: bool = False

    def __str__(self) -> str:
        return f"write {self.target}" + (" unless it exists" if self.is_kept else "")

    def perform(self) -> None:
        """Write the file atomically: processes that run the old file keep it. Raises CannotWrite."""
        if self.is_kept and self.target.exists():
            return
        try:
            make_folder(self.target.parent, 0o755)
        except OSError as error:
            raise CannotWrite(f"cannot write {self.target}: {error.strerror}") from None
        write_atomically(self.target, self.content, self.mode)


@dataclass(frozen=True, slots=True)
class Remove:
    """Removes a file, or a folder with all that is in it."""

    target: Path

    def __str__(self) -> str:
        return f"remove {self.target}"

    def perform(self) -> None:
        """Remove the target, if it exists. Raises CannotWrite."""
        try:
            if self.target.is_dir() and not self.target.is_symlink():
                shutil.rmtree(self.target)
            else:
                self.target.unlink(missing_ok=True)
        except OSError as error:
            raise CannotWrite(f"cannot remove {self.target}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Run:
    """Runs a command, with `environment` added to that of lfr. `may_fail`: its exit code is ignored."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    may_fail: bool = False

    def __str__(self) -> str:
        return " ".join([*(f"{name}={value}" for name, value in self.environment.items()), *self.command])

    def perform(self) -> None:
        """Run the command to its end. Raises Conflict if it fails, with the last line of its output.

        Even a command that `may_fail` must exist.
        """
        env = {**os.environ, **self.environment}
        try:
            process = subprocess.run(
                self.command, env=env, umask=0o022, stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
        except OSError as error:
            raise Conflict(f"{self.command[0]} cannot be run: {error.strerror}") from None
        if process.returncode and not self.may_fail:
            lines = (process.stderr or process.stdout).strip().splitlines()
            reason = lines[-1] if lines else f"exit code {process.returncode}"
            raise Conflict(f"{self} has failed: {reason}")


Action: TypeAlias = Write | Remove | Run
