"""A folder that `lfr up` keeps its data in: whose it is, and where the server of it listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lfr.errors import CannotWrite
from lfr.host.folder_lock import hold_lock
from lfr.host.valkey import Address, is_serving

_RECORD = "lfr-up.json"
_LOCK = "lfr-up.lock"


@contextmanager
def hold_data_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for this process. Raises Conflict if another has it, CannotWrite if it cannot be made."""
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(hold_lock(folder / _LOCK))
        except OSError as error:
            raise CannotWrite(f"cannot keep data in {folder}: {error.strerror}") from None
        stack.callback((folder / _RECORD).unlink, missing_ok=True)
        yield


def write_address(folder: Path, address: Address, pid: int | None) -> None:
    """Leave word, for other commands with the same folder, of where the server with this id listens."""
    unfinished = folder / f"{_RECORD}.new"
    unfinished.write_text(json.dumps({"host": address.host, "port": address.port, "pid": pid}))
    unfinished.replace(folder / _RECORD)


def read_address(folder: Path) -> str | None:
    """The URL of the server that runs on this folder, or None if none does. What was left by a server that
    was killed does not count, even if another one has got its port."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((folder / _RECORD).read_text())
        address = Address(str(told["host"]), int(told["port"]))
        return address.url if is_serving(address, int(told["pid"])) else None
    return None
