"""Writes files atomically, and holds lock files."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from lfr.errors import CannotWrite, Conflict
from lfr.host.zipapp_main import above

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

_MOST_LINKS: Final = 40
"""How many links a path may lead through, as path_resolution(7) says."""


def write_atomically(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Write a file so that no reader ever sees a part of it. Raises CannotWrite.

    With `mode` the file at `path` is replaced, even if it is a link. Without, a link of this user or of root
    is followed, and an existing file keeps its permissions. A device or a pipe, such as /dev/null, is
    written to and not replaced.
    """
    target = _follow_links(path) if mode is None else path
    if target.exists() and not target.is_file() and not target.is_dir():
        _write_special_file(target, content)
        return
    # Nobody can guess this name, and no link that somebody else has made is followed: the folder may be /tmp.
    new = target.with_name(f".{target.name}.{secrets.token_hex(8)}.new")
    try:
        if mode is None and target.exists():
            mode = target.stat().st_mode & 0o777  # a file of root must not run as root for its readers
        # With its mode from the beginning: others must not read a secret in between.
        descriptor = os.open(new, _NEW_FILE, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if mode is not None:  # whatever the umask is, and whatever has its name by now
                os.fchmod(descriptor, mode)
        new.replace(target)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None
    finally:  # also if a signal ends the command
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _follow_links(path: Path) -> Path:
    """Return a path with its links resolved. Raises CannotWrite for a link that another user than this one
    and root has made: in /tmp he could choose which file of this user is written, as open(2) knows
    (proc_sys_fs(5), "protected_symlinks")."""
    parts, links = list(reversed(path.absolute().parts[1:])), 0
    real = Path("/")
    while parts:
        each = real / parts.pop()
        try:
            status = each.lstat()
        except OSError:  # what is not there, the kernel says when it is opened
            status = None
        if each.name == "..":
            real = real.parent
        elif status is None or not stat.S_ISLNK(status.st_mode):
            real = each
        elif status.st_uid not in (0, os.geteuid()):
            raise CannotWrite(f"cannot write {path}: {each} is a link of another user")
        elif (links := links + 1) > _MOST_LINKS:
            raise CannotWrite(f"cannot write {path}: it is a link to itself")
        else:
            aim = Path(os.readlink(each))
            real = Path("/") if aim.is_absolute() else real
            parts += reversed(aim.parts[1:] if aim.is_absolute() else aim.parts)
    return real


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make a folder with this mode, and those above it that are missing: no other user can write to them,
    whatever the umask is. What exists stays as it is. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent, 0o755)
        folder.mkdir(exist_ok=True, mode=mode)


def find_folder_of_others(path: Path) -> Path | None:
    """Return the first of a path, and of the folders and links above it, that belongs to another user than
    this one and root: he can put something else in its place. None if there is none."""
    for each in map(Path, above(str(path.absolute()))):  # type: ignore[no-untyped-call]
        if each.lstat().st_uid not in (0, os.geteuid()):
            return each
    return None


def is_of_this_user_alone(path: Path) -> bool:
    """Return whether a file or folder belongs to this user or to root, and no other user can write to it. A
    link is none: another user may have made it, to a file of this one."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & 0o022


def _write_special_file(path: Path, content: str | bytes) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None


@contextmanager
def hold_lock(path: Path, *, patience_seconds: float = 0.0) -> Iterator[TextIO]:
    """Hold a lock file, which is created if it is missing, for the block; wait up to `patience_seconds`.

    The id of this process is written into it. A child process that inherits the open file holds the lock
    until it ends, even if this process is killed (flock(2)). Raises Conflict with the id of the process that
    has the lock, and OSError if the file cannot be created.
    """
    with open(path, "a+", opener=_open_for_owner) as lock:
        deadline = time.monotonic() + patience_seconds
        while not _try_lock(lock):
            if time.monotonic() >= deadline:
                lock.seek(0)
                raise Conflict(f"{path.parent} is in use by process {lock.read().strip() or '?'}")
            time.sleep(0.05)
        write_lock_holder(lock, os.getpid())
        yield lock


def _open_for_owner(path: str, flags: int) -> int:
    """Open a file, but no link: what it leads to would be overwritten. Others can neither read nor lock it
    if it is new."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def close_to_others(paths: Iterable[Path]) -> None:
    """Take from all others the right to read, write and lock these files and folders, as far as they belong
    to this user. Links stay, and what they lead to."""
    for path in paths:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                mode = os.fstat(descriptor).st_mode & 0o7777
                if mode & 0o077:
                    os.fchmod(descriptor, mode & 0o7700)
            finally:
                os.close(descriptor)


def write_lock_holder(lock: TextIO, pid: int) -> None:
    """Replace the content of a lock file with the id of the process that holds it."""
    lock.truncate(0)
    lock.write(str(pid))
    lock.flush()


def _try_lock(lock: TextIO) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
