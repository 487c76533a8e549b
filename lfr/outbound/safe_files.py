"""Reads and replaces files that flows name, without following links.

A link may appear in a path after the check. So each folder of a real path is opened inside the one before,
and a link on the way is an error (openat(2), O_NOFOLLOW).
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK: opening a named pipe must not wait for its other end."""

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def real_path(path: str) -> str:
    """Return the absolute path with all links resolved; parts that do not exist stay as they are."""
    return os.path.realpath(path)


def read_file(path: str, max_bytes: int) -> tuple[bytes, bool]:
    """Return up to `max_bytes` of a file by its real path, and whether there is more. Raises OSError."""
    with _folder(path) as (folder, name):
        _mode(folder, name)
        file = os.open(name, _READ, dir_fd=folder)
    with open(file, "rb") as opened:
        content = opened.read(max_bytes + 1)
    return content[:max_bytes], len(content) > max_bytes


def replace_file(path: str, content: bytes) -> None:
    """Write a regular file by its real path, atomically; an existing one keeps its mode. Raises OSError."""
    with _folder(path) as (folder, name):
        mode = _mode(folder, name)
        unfinished = f".lfr-{uuid.uuid4().hex}.new"
        file = os.open(unfinished, _CREATE, 0o666, dir_fd=folder)
        try:
            with open(file, "wb") as opened:
                opened.write(content)
                opened.flush()
                if mode is not None:
                    os.fchmod(file, mode)
                os.fsync(file)
            os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(unfinished, dir_fd=folder)
            raise


def _mode(folder: int, name: str) -> int | None:
    """Return the mode of a file, or None. Raises OSError for what is no regular file."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError(0, "it is not a file")
    return stat.S_IMODE(mode)


@contextmanager
def _folder(path: str) -> Iterator[tuple[int, str]]:
    """Open the folder of a file; the block gets its descriptor and the file's name in it."""
    *folders, name = path.split("/")[1:]
    inner = os.open("/", _FOLDER)
    try:
        for folder in folders:
            outer, inner = inner, os.open(folder, _FOLDER, dir_fd=inner)
            os.close(outer)
        yield inner, name
    finally:
        os.close(inner)
