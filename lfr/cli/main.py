"""The entry point: parses argv, runs the command, prints an error in one line, returns the exit code.

Imports only what `lfr --version` needs.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import TextIO

from lfr import __version__

_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EAGAIN)
"""What writing to stdout may fail with, besides a closed pipe."""

_DEFECT_HINT = "please report it; LOG_LEVEL=DEBUG shows where"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: that of this process) and return its exit code. Raises nothing."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    try:
        code = _run(words)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:  # the only place that turns an exception into a line and a code
        code = _report(error)
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:  # nobody reads it any more
        _discard(sys.stderr)
    return code


def _open_closed_streams() -> None:
    """Open /dev/null in place of each standard stream that was closed when the process was started.

    The next file or socket would get its number, and child processes would write into that.
    """
    import os

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(null, null == number)
            stream = open(null, "w" if number else "r", encoding="utf-8")  # noqa: SIM115 - until the exit
            setattr(sys, name, stream)


def _run(words: list[str]) -> int:
    if words in (["--version"], ["version"]):
        sys.stdout.write(f"lfr {__version__}\n")
        return 0
    from lfr.cli.signals import signals_that_unwind
    from lfr.cli.ui.parser import parse_command_line
    from lfr.cli.ui.terminal import process_terminal

    terminal = process_terminal()
    call = parse_command_line(words, terminal)
    if call is None:
        return 0
    handler, arguments = call
    with signals_that_unwind():
        code = handler.run(arguments, terminal) or 0
    if code == 0 and hasattr(arguments, "confirmations"):
        from lfr.cli.ui.options import raise_unconfirmed

        raise_unconfirmed(arguments)
    return code


def _report(error: BaseException) -> int:
    from lfr.cli.exit_codes import ExitCode, exit_code
    from lfr.cli.signals import ChildDied, find_thrown
    from lfr.cli.ui.parser import UsageError
    from lfr.cli.ui.terminal import process_terminal
    from lfr.errors import LfrError
    from lfr.values.printable import printable

    terminal = process_terminal()
    thrown = find_thrown(error)
    if isinstance(thrown, ChildDied):
        error = thrown.error
    elif thrown is not None:
        if isinstance(error, LfrError):  # of the clean-up
            terminal.print_error(error)
        error = thrown
    match error:
        case SystemExit(code=int(code)):
            return code
        case KeyboardInterrupt():
            terminal.print_err()
            return ExitCode.INTERRUPTED
        case BrokenPipeError():
            _discard(sys.stdout)
            return ExitCode.PIPE_CLOSED
        case OSError(errno=number) if number in _OUTPUT_ERRORS and error.filename is None:
            _discard(sys.stdout)
            terminal.print_err(f"lfr: cannot write the output: {error.strerror}")
            return ExitCode.CANNOT_WRITE
        case UsageError():
            terminal.print_err(f"lfr: {printable(str(error))}")
            return ExitCode.USAGE
        case LfrError():
            terminal.print_error(error)
            return exit_code(error)
    if terminal.environment.get("LOG_LEVEL", "").upper() == "DEBUG":
        import traceback

        traceback.print_exception(error)
    if reason := _system_reason(error):
        terminal.print_err(f"lfr: {printable(reason)}")
        return ExitCode.SYSTEM
    exit_if_damaged = getattr(sys.modules.get("__main__"), "exit_if_damaged", lambda: None)
    exit_if_damaged()  # of the built file
    text = printable(f"{type(error).__name__}: {error}")[:300]
    terminal.print_err(f"lfr: a defect in lfr {__version__}: {text} ({_DEFECT_HINT})")
    return ExitCode.DEFECT


def _system_reason(error: BaseException) -> str:
    """Return what the operating system has refused, if it has caused this error; else an empty text."""
    match error:
        case MemoryError():
            return "there is not enough memory"
        case RuntimeError() if "can't start new thread" in str(error):
            return "no more threads can be started"
        case OSError(errno=int()):
            file = f"{error.filename}: " if error.filename is not None else ""
            return f"{file}{error.strerror}"
    return ""


def _discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, so that the interpreter does not fail to flush it once more at exit."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
