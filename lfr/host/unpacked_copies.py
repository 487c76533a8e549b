"""Finds the copies of lfr that it has unpacked itself into for one user and that nobody uses any more."""

from __future__ import annotations

import os
from pathlib import Path

import lfr
from lfr.host.zipapp_main import DAY_SECONDS, remove, unused_copies


def copies_folder() -> Path:
    """Return the folder into which the one file unpacks itself: SHIV_ROOT, or `~/.shiv`."""
    return Path(os.environ.get("SHIV_ROOT") or "~/.shiv").expanduser()


def find_unused_copies(folder: Path) -> list[Path]:
    """Return the unpacked copies in a folder from which no process runs, but for the one of this process, the
    newest other one, and those of the last day."""
    own = Path(lfr.__file__).parents[2].name
    try:
        copies: list[str] = unused_copies(  # type: ignore[no-untyped-call]
            str(folder), [own], least_age=DAY_SECONDS
        )
    except OSError:  # there is no such folder, or it is not readable
        return []
    return [Path(copy) for copy in sorted(copies)]


def remove_copies(copies: list[Path]) -> int:
    """Remove unpacked copies; return how many are gone."""
    for copy in copies:
        remove(str(copy))  # type: ignore[no-untyped-call]
    return sum(not copy.exists() for copy in copies)
