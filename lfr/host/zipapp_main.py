"""The `__main__.py` of the one file: unpacks the file at its first run, and starts lfr from there.

The build puts this into the zip instead of shiv's `__main__.py`, and fills in the build's id. It does what
shiv's bootstrap does, in the same folder and under the same lock, but imports that only to unpack: its
imports take longer than the rest of `lfr --version`. Of shiv's variables only SHIV_ROOT counts: the others
would run another program, or empty the copy that others run from.

This runs before the version of Python is checked, so it must run under old versions too.
"""

import _signal  # without the import of enum that signal costs
import fcntl
import os
import stat
import sys
import time

BUILD_ID = "@BUILD_ID@"

SHARED_WRITE = 0o022
"""The modes that let others write."""

HELD = []  # type: ignore[var-annotated]
"""The open files with the locks of this process."""

DAY_SECONDS = 86400
"""A copy that is younger stays: builds that hold no lock may still run from it."""

DEFECT = 70
CANNOT_WRITE = 73
BAD_SETTINGS = 78
"""As in lfr/cli/exit_codes.py, which cannot be imported yet. 1 would mean that a workflow has failed."""


def start():
    """Unpack the file unless it is unpacked already, then run lfr."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # until lfr has handlers: no traceback at Ctrl-C
    if sys.version_info < (3, 11):
        give_up(BAD_SETTINGS, "lfr needs Python 3.11 or newer; this is Python %d.%d" % sys.version_info[:2])
    folder = os.environ.get("SHIV_ROOT") or "~/.shiv"
    root = os.path.expanduser(os.path.expandvars(folder))
    if root.startswith("~"):  # neither HOME nor an account names the folder
        give_up(CANNOT_WRITE, "lfr: cannot tell where %s is, to unpack itself; set SHIV_ROOT" % folder)
    root = os.path.abspath(root)
    name = os.path.basename(os.path.realpath(sys.argv[0]))
    target = os.path.join(root, name + "_" + BUILD_ID)
    packages = os.path.join(target, "site-packages")
    refuse_unsafe(packages)
    while not (os.path.isdir(packages) and hold(target) and os.path.isdir(packages)):
        unpack(root, target)
    sys.path[0] = packages
    try:
        from lfr.__main__ import main

        code = main()
    except ImportError:
        exit_if_damaged()
        raise
    if code == DEFECT:
        exit_if_damaged()
    sys.exit(code)


def unpack(root, target):
    """Unpack the file into `target`, atomically; of processes that start together, one does it.

    Removes old copies. Only this process compiles it: helper processes of `multiprocessing` would stay as
    long as lfr runs.
    """
    from pathlib import Path

    from _bootstrap import current_zipfile, extract_site_packages

    mask = os.umask(0)
    os.umask(mask | SHARED_WRITE)
    try:
        os.makedirs(root, exist_ok=True)
        with current_zipfile() as archive:
            extract_site_packages(archive, Path(target), compile_pyc=True, compile_workers=1)
    except OSError as error:
        message = "lfr: cannot unpack itself into %s: %s; set SHIV_ROOT to a folder that can be written"
        give_up(CANNOT_WRITE, message % (root, error.strerror or error))
    finally:
        os.umask(mask)
    refuse_unsafe(target)  # in /tmp, another user may have made the folder since the first look
    try:
        for copy in unused_copies(root, [os.path.basename(target)], least_age=DAY_SECONDS):
            remove(copy)
    except OSError:  # another user's, or another process removes them
        pass


def refuse_unsafe(path):
    """Exit unless only this user and root can change what stands at `path`."""
    danger = find_danger(path)
    if danger:
        message = "lfr: it does not run from %s, because %s; or set SHIV_ROOT to a folder of your own"
        give_up(CANNOT_WRITE, message % (path, danger))


def find_danger(path):
    """Return why others than this user and root can change what stands at `path`, which need not exist; an
    empty text if they cannot. They can if it, or a folder or link above it, is theirs or open to them.

    In a folder with the sticky bit, such as /tmp, nobody can replace what belongs to another user. A folder
    of root may be written by a group of the system, as /usr/local by `staff` on some hosts.
    """
    for each in above(path):
        try:
            status = os.lstat(each)
        except OSError:  # what does not exist is made by this process, or nothing is
            continue
        if status.st_uid not in (0, os.geteuid()):
            return "%s belongs to another user" % each
        elif stat.S_ISLNK(status.st_mode) or status.st_mode & stat.S_ISVTX:
            continue
        elif status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not is_of_system(status)):
            return "others can write to %s: chmod go-w %s" % (each, each)
    return ""


def is_of_system(status):
    """Return whether a file belongs to root and to a group whose id every host reserves for the system."""
    return status.st_uid == 0 and status.st_gid < 100


def above(path):
    """Return a path, all folders above it, and those of the folder that its links lead to."""
    paths = []
    for each in (path, os.path.realpath(path)):
        while each not in paths:
            paths.append(each)
            each = os.path.dirname(each)
    return paths


def hold(copy):
    """Hold a shared lock on an unpacked copy as long as this process lives, so that no other removes it.
    Return True; False if it is gone."""
    try:
        number = os.open(copy, os.O_RDONLY)
        held = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)  # 0 to 2 may be closed, and are for streams
        os.close(number)
        HELD.append(held)
        fcntl.flock(held, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
    except OSError:  # no locks on this file system
        pass
    return True


def is_held(copy):
    """Return whether a process runs from an unpacked copy."""
    try:
        number = os.open(copy, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(number)
    return False


def unused_copies(root, retained, least_age=0):
    """Return the unpacked copies of lfr in a folder from which no process runs, but those named `retained`
    and the newest other one: it is for a return to the version before. `least_age`: their age, in seconds.
    """
    copies = []
    for name in os.listdir(root):
        copy = os.path.join(root, name)
        if name not in retained and os.path.isdir(os.path.join(copy, "site-packages", "lfr")):
            copies.append((os.path.getmtime(copy), copy))
    latest = time.time() - least_age
    older = [copy for unpacked_at, copy in sorted(copies)[:-1] if unpacked_at <= latest]
    return [copy for copy in older if not is_held(copy)]


def remove(copy):
    """Remove an unpacked copy and its lock file. What cannot be removed stays."""
    import shutil

    shutil.rmtree(copy, ignore_errors=True)
    lock = os.path.join(os.path.dirname(copy), ".%s_lock" % os.path.basename(copy))
    if os.path.exists(lock):
        os.unlink(lock)


def exit_if_damaged():
    """Print one line and exit if files of the unpacked copy are missing or have another size: some program
    may have tidied the folder up, or the disk was full."""
    import zipfile

    folder = os.path.dirname(sys.path[0])
    with zipfile.ZipFile(sys.argv[0]) as archive:
        files = [(os.path.join(folder, each.filename), each.file_size) for each in archive.infolist()]
    damaged = [file for file, size in files if file.startswith(sys.path[0]) and not has_size(file, size)]
    if damaged:
        message = "lfr: its unpacked copy lacks %d files, such as %s; delete %s: the next start unpacks it"
        give_up(CANNOT_WRITE, message % (len(damaged), damaged[0], folder))


def has_size(file, size):
    """Return whether a file of the archive is there with its size; folders are not checked."""
    return file.endswith("/") or (os.path.isfile(file) and os.path.getsize(file) == size)


def give_up(code, message):
    """Print one line to standard error, and exit with this code."""
    sys.stderr.write(message + "\n")
    sys.exit(code)


if __name__ == "__main__":
    start()
