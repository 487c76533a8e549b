"""A file that lines are appended to, and that is replaced by a new one when it has grown large.

FILE then becomes FILE.1, FILE.1 becomes FILE.2, and so on. Several processes may append to one file, and
other programs may move it away: each finds the new file before its next write.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_MODE = 0o640


class RotatedFile:
    """Appends lines to a file. Each call of `writelines` is one write: processes do not mix their lines.

    size   the bytes after which the file is replaced; 0: never
    count  how many files stay, this one included
    """

    def __init__(self, path: Path, *, size: int, count: int) -> None:
        """Open or create the file. Raises OSError."""
        self._path = path
        self._size = size
        self._count = count
        self._descriptor = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def writelines(self, lines: Iterable[str]) -> None:
        """Append lines. Raises OSError: then some of them, or a part of one, may stand in the file."""
        data = "".join(lines).encode()
        if data:
            self._find_file()
            self._rotate_if_large(len(data))
            with _locked(self._descriptor, fcntl.LOCK_SH):
                while data:
                    data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Do nothing: what has been written is with the system."""

    def _open(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        with suppress(OSError), _locked(descriptor, fcntl.LOCK_EX):  # while nobody writes
            if _ends_in_a_line(descriptor):
                os.write(descriptor, b"\n")
        return descriptor

    def _find_file(self) -> None:
        """Open the file again if another one has its name now, or none."""
        if not self._is_current():
            descriptor = self._open()
            os.close(self._descriptor)
            self._descriptor = descriptor

    def _is_current(self) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        return False

    def _rotate_if_large(self, new_size: int) -> None:
        """Rename the files if this one would become too large. If that is not possible, it grows further."""
        status = os.fstat(self._descriptor)
        if not self._size or not stat.S_ISREG(status.st_mode) or not status.st_size:
            return
        if status.st_size + new_size <= self._size:
            return
        with suppress(OSError), _locked(self._descriptor, fcntl.LOCK_EX):
            if self._is_current():  # else another process has renamed it
                for number in range(self._count - 1, 0, -1):
                    source = self._path if number == 1 else Path(f"{self._path}.{number - 1}")
                    with suppress(FileNotFoundError):
                        os.replace(source, f"{self._path}.{number}")
        self._find_file()


def _ends_in_a_line(descriptor: int) -> bool:
    """Return whether a file ends with a part of a line: the disk was full."""
    status = os.fstat(descriptor)
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


@contextmanager
def _locked(descriptor: int, kind: int) -> Iterator[None]:
    """Hold a lock of this kind on an open file for the block, where the file system has locks."""
    with suppress(OSError):
        fcntl.flock(descriptor, kind)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
