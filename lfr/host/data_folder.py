"""A folder that `lfr up` keeps its data in: whose it is, and where the server of it listens."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lfr.errors import CannotWrite, Conflict
from lfr.host.valkey import Address, answers

_RECORD = "lfr-up.json"
_LOCK = "lfr-up.lock"


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Hold a folder for this process. Raises Conflict if another has it, CannotWrite if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / _LOCK).open("a+")
    except OSError as error:
        raise CannotWrite(f"cannot keep data in {folder}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise Conflict(f"{folder} is in use by process {lock.read().strip() or '?'}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                (folder / _RECORD).unlink()


def write_address(folder: Path, address: Address) -> None:
    """Leave word of where the server listens, for other commands with the same folder."""
    unfinished = folder / f"{_RECORD}.new"
    unfinished.write_text(json.dumps({"host": address.host, "port": address.port}))
    unfinished.replace(folder / _RECORD)


def read_address(folder: Path) -> str | None:
    """The URL of the server that runs on this folder, or None if none does."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((folder / _RECORD).read_text())
        address = Address(str(told["host"]), int(told["port"]))
        return address.url if answers(address) else None
    return None
