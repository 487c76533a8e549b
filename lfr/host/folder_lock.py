"""Who works in a folder: a lock file, held for as long as a process lives, and handed on to a child."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lfr.errors import Conflict


@contextmanager
def hold_lock(path: Path, *, patience_seconds: float = 0.0) -> Iterator[TextIO]:
    """Hold the lock file at `path`, which is made if need be; wait for it for so long.

    A child process that is handed the open file holds it too, until it ends, even if this process has been
    killed before (flock(2)). Raises Conflict with the id of the process that has the lock, and OSError if
    the file cannot be made.
    """
    with path.open("a+") as lock:
        deadline = time.monotonic() + patience_seconds
        while not _taken(lock):
            if time.monotonic() >= deadline:
                lock.seek(0)
                raise Conflict(f"{path.parent} is in use by process {lock.read().strip() or '?'}")
            time.sleep(0.05)
        write_lock_holder(lock, os.getpid())
        yield lock


def write_lock_holder(lock: TextIO, pid: int) -> None:
    """Write down who holds the lock from now on."""
    lock.truncate(0)
    lock.write(str(pid))
    lock.flush()


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
