"""The one file's `__main__.py`: unpacks the file at first run, and starts lfr from what is unpacked.

The build puts this into the zip in place of shiv's own, with the build's id filled in. It does what
shiv's bootstrap does, in the same place and under the same lock, but imports it only to unpack: with
all that it imports itself, it takes longer than the rest of `lfr --version`. With any of shiv's
switches in the environment, shiv's own takes over.

This runs before the version of Python has been checked, so it is written for old ones too.
"""

import os
import sys

BUILD_ID = "@BUILD_ID@"


CANNOT_WRITE = 73
BAD_SETTINGS = 78
INTERRUPTED = 130
"""As in lfr/cli/exit_codes.py, which cannot be imported yet. 1 would say that a workflow has failed."""


def start():
    """Unpack if need be, then run."""
    if sys.version_info < (3, 11):
        give_up(BAD_SETTINGS, "lfr needs Python 3.11 or newer; this is Python %d.%d" % sys.version_info[:2])
    named = os.environ.get("SHIV_ROOT") or "~/.shiv"
    switches = [name for name in os.environ if name.startswith("SHIV_") and name != "SHIV_ROOT"]
    if switches or named.startswith("$"):
        import _bootstrap

        _bootstrap.bootstrap()
    root = os.path.expanduser(named)
    if root.startswith("~"):  # neither HOME nor an account says where that is
        give_up(CANNOT_WRITE, "lfr: cannot tell where %s is, to unpack itself; set SHIV_ROOT" % named)
    root = os.path.abspath(root)
    name = os.path.basename(os.path.realpath(sys.argv[0]))
    packages = os.path.join(root, name + "_" + BUILD_ID, "site-packages")
    if not os.path.isdir(packages):
        unpack(root, os.path.dirname(packages))
    sys.path[0] = packages
    from lfr.__main__ import main

    sys.exit(main())


def unpack(root, target):
    """Unpack the file into `target`, at once or not at all; processes that start together do it once.

    It is compiled by this process alone: helpers of `multiprocessing` would stay for as long as lfr runs.
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


def give_up(code, message):
    """End with one line."""
    sys.stderr.write(message + "\n")
    sys.exit(code)


if __name__ == "__main__":
    start()
