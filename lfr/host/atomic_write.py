"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from lfr.errors import CannotWrite


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees a part of it; one that is there keeps its rights. Raises
    CannotWrite."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        beside.write_bytes(text.encode())
        if target.exists():
            beside.chmod(target.stat().st_mode & 0o7777)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None
