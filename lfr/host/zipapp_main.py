"""The `__main__.py` of the one file: unpacks the file at its first run, and starts lfr from there.

The build puts this into the zip instead of shiv's `__main__.py`, and fills in the build's id. It does what
shiv's bootstrap does, in the same folder and under the same lock, but imports that only to unpack: its
imports take longer than the rest of `lfr --version`. If the environment has any of shiv's variables, shiv's
bootstrap takes over.

This runs before the version of Python is checked, so it must run under old versions too.
"""

import os
import sys

BUILD_ID = "@BUILD_ID@"

DEFECT = 70
CANNOT_WRITE = 73
BAD_SETTINGS = 78
INTERRUPTED = 130
"""As in lfr/cli/exit_codes.py, which cannot be imported yet. 1 would mean that a workflow has failed."""


def start():
    """Unpack the file unless it is unpacked already, then run lfr."""
    if sys.version_info < (3, 11):
        give_up(BAD_SETTINGS, "lfr needs Python 3.11 or newer; this is Python %d.%d" % sys.version_info[:2])
    folder = os.environ.get("SHIV_ROOT") or "~/.shiv"
    switches = [name for name in os.environ if name.startswith("SHIV_") and name != "SHIV_ROOT"]
    if switches or folder.startswith("$"):
        import _bootstrap

        _bootstrap.bootstrap()
    root = os.path.expanduser(folder)
    if root.startswith("~"):  # neither HOME nor an account names the folder
        give_up(CANNOT_WRITE, "lfr: cannot tell where %s is, to unpack itself; set SHIV_ROOT" % folder)
    root = os.path.abspath(root)
    name = os.path.basename(os.path.realpath(sys.argv[0]))
    packages = os.path.join(root, name + "_" + BUILD_ID, "site-packages")
    if not os.path.isdir(packages):
        unpack(root, os.path.dirname(packages))
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

    Only this process compiles it: helper processes of `multiprocessing` would stay as long as lfr runs.
    """
    from pathlib import Path

    from _bootstrap import current_zipfile, extract_site_packages

    try:
        with current_zipfile() as archive:
            extract_site_packages(archive, Path(target), compile_pyc=True, compile_workers=1)
    except OSError as error:
        message = "lfr: cannot unpack itself into %s: %s; set SHIV_ROOT to a folder that can be written"
        give_up(CANNOT_WRITE, message % (root, error.strerror or error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


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
