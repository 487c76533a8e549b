"""The steps of an installation: what is written, removed, run. Each can be told instead of done."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from lfr.errors import CannotWrite, Conflict


@dataclass(frozen=True, slots=True)
class Write:
    """A file with this content. `is_kept`: one that is there already stays as it is."""

    target: Path
    content: bytes = field(repr=False)
    mode: int = 0o644
    is_kept: bool = False

    def __str__(self) -> str:
        return f"write {self.target}" + (" if it is not there" if self.is_kept else "")

    def do(self) -> None:
        """Write it whole or not at all: what runs from the old file goes on with that. Raises CannotWrite."""
        if self.is_kept and self.target.exists():
            return
        beside = self.target.with_name(f".{self.target.name}.new")
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            beside.write_bytes(self.content)
            beside.chmod(self.mode)
            beside.replace(self.target)
        except OSError as error:
            raise CannotWrite(f"cannot write {self.target}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Remove:
    """A file or folder that is to go, with all that is in it."""

    target: Path

    def __str__(self) -> str:
        return f"remove {self.target}"

    def do(self) -> None:
        """Remove it, if it is there. Raises CannotWrite."""
        try:
            if self.target.is_dir() and not self.target.is_symlink():
                shutil.rmtree(self.target)
            else:
                self.target.unlink(missing_ok=True)
        except OSError as error:
            raise CannotWrite(f"cannot remove {self.target}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Run:
    """A command. `may_fail`: it is no matter if it does."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    may_fail: bool = False

    def __str__(self) -> str:
        return " ".join([*(f"{name}={value}" for name, value in self.environment.items()), *self.command])

    def do(self) -> None:
        """Run it to its end. Raises Conflict with what it has said."""
        try:
            done = subprocess.run(
                self.command,
                env={**os.environ, **self.environment},
                umask=0o022,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise Conflict(f"{self.command[0]} cannot be run: {error.strerror}") from None
        if done.returncode and not self.may_fail:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise Conflict(f"{self} has failed: {said[-1] if said else f'exit code {done.returncode}'}")


Action: TypeAlias = Write | Remove | Run
