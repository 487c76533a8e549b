"""The append-only file of a Valkey server: mends what a loss of power leaves at its end.

The file is a sequence of commands in RESP. Valkey itself drops a last command that was cut off. But a file
system may have made the file longer and not have written the data: then zeros stand at the end, and Valkey
refuses the whole file. Its own program for that, valkey-check-aof, is not part of lfr.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from lfr.errors import CannotWrite

_INCREMENT: Final = re.compile(r".*\.(\d+)\.incr\.aof")

_PIECE_BYTES: Final = 1 << 16
_LONGEST_LINE: Final = 64
"""More bytes than any line has that tells the size of what follows."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What was cut off: `size` bytes at the end of `file`; `copy` is the file as it was before."""

    file: Path
    size: int
    copy: Path

    def __str__(self) -> str:
        return f"cut {self.size:,} bytes off the end of {self.file}; a copy of it is {self.copy}"


@dataclass(frozen=True, slots=True)
class Damage:
    """The end of what Valkey can read in `file`, in bytes, and the size of the file."""

    file: Path
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.file} is damaged at byte {self.offset:,} of {self.size:,}"


def find_file(folder: Path) -> Path | None:
    """Return the file of a data folder to which the server appends; None without one."""
    files = {int(match[1]): path for path in folder.glob("appendonlydir/*") if (match := _match(path))}
    if files:
        return files[max(files)]
    single = folder / "appendonly.aof"  # of servers before 7.0
    return single if single.is_file() else None


def _match(path: Path) -> re.Match[str] | None:
    return _INCREMENT.fullmatch(path.name)


def cut_zeros(folder: Path) -> Mended | None:
    """Cut the zeros off the end of the append-only file in a data folder, after copying it.

    No command ends with a zero, so nothing is lost. Return None if there are none, which costs one read.
    Raises CannotWrite. The server must not run.
    """
    file = find_file(folder)
    if file is None:
        return None
    try:
        size = file.stat().st_size
        end = _end_without_zeros(file, size)
        return None if end == size else _cut(file, end, size, folder)
    except OSError as error:
        raise CannotWrite(f"cannot mend {file}: {error.strerror}") from None


def cut_damage(damage: Damage, folder: Path) -> Mended:
    """Cut a file off where its damage begins, after copying it to `folder`. What stands behind is lost.
    Raises CannotWrite. The server must not run."""
    try:
        return _cut(damage.file, damage.offset, damage.size, folder)
    except OSError as error:
        raise CannotWrite(f"cannot mend {damage.file}: {error.strerror}") from None


def _cut(file: Path, end: int, size: int, folder: Path) -> Mended:
    copy = folder / f"{file.name}.{time.strftime('%Y%m%dT%H%M%S')}.damaged"
    shutil.copy2(file, copy)
    with file.open("r+b") as stream:
        stream.truncate(end)
        os.fsync(stream.fileno())
    return Mended(file, size - end, copy)


def _end_without_zeros(file: Path, size: int) -> int:
    with file.open("rb") as stream:
        while size:
            start = max(0, size - _PIECE_BYTES)
            stream.seek(start)
            piece = stream.read(size - start).rstrip(b"\0")
            if piece:
                return start + len(piece)
            size = start
    return 0


def find_damage(folder: Path) -> Damage | None:
    """Return the first damage of the append-only file in a data folder; None without any, or without a file.

    A last command that is cut off is none. Reads the whole file. Raises OSError.
    """
    file = find_file(folder)
    if file is None:
        return None
    with file.open("rb") as stream:
        valid = 0  # the end of the last command, or the beginning of the transaction that it stands in
        while True:
            is_transaction_open = valid != stream.tell()
            try:
                command = _read_command(stream)
            except EOFError:
                return None
            except ValueError:
                return Damage(file, valid, file.stat().st_size)
            if command == b"EXEC" or (command != b"MULTI" and not is_transaction_open):
                valid = stream.tell()


def _read_command(stream: BinaryIO) -> bytes:
    """Read a command and return its name. Raises EOFError at the end of the file, and ValueError."""
    line = _read_line(stream)
    while line.startswith(b"#"):  # an annotation
        line = _read_line(stream)
    name = b""
    for number in range(_parse_size(line, b"*")):
        size = _parse_size(_read_line(stream), b"$")
        argument = stream.read(size + 2)
        if len(argument) < size + 2:
            raise EOFError
        if not argument.endswith(b"\r\n"):
            raise ValueError
        if not number:
            name = argument[:-2].upper()
    return name


def _read_line(stream: BinaryIO) -> bytes:
    line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\r\n"):
        if len(line) < _LONGEST_LINE and b"\0" not in line:
            raise EOFError
        raise ValueError
    return line[:-2]


def _parse_size(line: bytes, mark: bytes) -> int:
    if line[:1] != mark or not line[1:].isdigit():
        raise ValueError
    return int(line[1:])
