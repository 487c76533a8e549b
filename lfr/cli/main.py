"""argv -> exit code: parse, call, one line for an error.

Nothing is imported here that `lfr --version` does not need.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lfr import __version__

_DEFECT_HINT = "please report it; LOG_LEVEL=DEBUG shows where"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: that of the process); the exit code. Lets no exception out."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BaseException as error:  # the one place where each of them becomes a line and a code
        return _report(error)


def _run(words: list[str]) -> int:
    if words in (["--version"], ["version"]):
        sys.stdout.write(f"lfr {__version__}\n")
        return 0
    from lfr.cli.ui.parser import parse
    from lfr.cli.ui.terminal import process_terminal

    terminal = process_terminal()
    call = parse(words, terminal)
    if call is None:
        return 0
    _unwind_on_signals()
    return call.handler.run(call.arguments, terminal)


def _unwind_on_signals() -> None:
    """SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that what was begun is put away.

    Whoever wants a signal to be ignored, as nohup does, keeps that. Roles set handlers of their own.
    """
    import signal

    from lfr.cli.exit_codes import Exit

    def unwind(number: int, _: object) -> None:
        raise SystemExit(int(Exit.HUNG_UP if number == signal.SIGHUP else Exit.STOPPED))

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, unwind)


def _report(error: BaseException) -> int:
    """Say what went wrong, in one line on stderr; the exit code."""
    from lfr.cli.exit_codes import Exit, exit_code
    from lfr.cli.ui.parser import UsageError
    from lfr.cli.ui.terminal import printable, process_terminal
    from lfr.errors import LfrError

    terminal = process_terminal()
    match error:
        case SystemExit(code=int(code)):
            return code
        case KeyboardInterrupt():
            terminal.say()
            return Exit.INTERRUPTED
        case BrokenPipeError():
            _close_output()
            return Exit.PIPE_CLOSED
        case OSError() if error.filename is None:
            _close_output()
            terminal.say(f"lfr: cannot write the output: {error.strerror}")
            return Exit.CANNOT_WRITE
        case UsageError():
            terminal.say(f"lfr: {printable(str(error))}")
            return Exit.USAGE
        case LfrError():
            terminal.say(_words(error))
            return exit_code(error)
    return _report_defect(error)


def _words(error: Exception) -> str:
    """The errors of a flow stand as they are, for editors to find the place; others are one line."""
    from lfr.cli.ui.terminal import printable

    mistakes = getattr(error, "errors", ())
    return str(error) if mistakes else f"lfr: {printable(str(error))}"


def _report_defect(error: BaseException) -> int:
    import os

    from lfr.cli.exit_codes import Exit
    from lfr.cli.ui.terminal import printable, process_terminal

    if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
        import traceback

        traceback.print_exception(error)
    what = printable(f"{type(error).__name__}: {error}")[:300]
    process_terminal().say(f"lfr: a defect in lfr {__version__}: {what} ({_DEFECT_HINT})")
    return Exit.DEFECT


def _close_output() -> None:
    """Nobody reads stdout any more; the interpreter would complain about that once more at its end."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
