"""The exit codes, once: what each means, and which error gets which.

Below 10 they tell how a workflow ended; from 64 on they are those of sysexits(3) where one fits. 200 to
244 and 255 are left alone, for systemd reports its own failures with them (systemd.exec(5), "Process
Exit Codes").
"""

from __future__ import annotations

from enum import IntEnum

from lfr.errors import BadInput, BadSettings, CannotWrite, Conflict, LfrError, NotFound, Refused, Unreachable


class Exit(IntEnum):
    """What `lfr` tells the shell."""

    OK = 0
    FAILED = 1
    TERMINATED = 3
    TIMED_OUT = 4
    USAGE = 64
    BAD_INPUT = 65
    NOT_FOUND = 66
    CONFLICT = 69
    DEFECT = 70
    CANNOT_WRITE = 73
    UNREACHABLE = 75
    REFUSED = 77
    BAD_SETTINGS = 78
    HUNG_UP = 129
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    STOPPED = 143


MEANING: dict[Exit, str] = {
    Exit.OK: "done; with --wait: the workflow FINISHED",
    Exit.FAILED: "the workflow FAILED",
    Exit.TERMINATED: "the workflow was TERMINATED",
    Exit.TIMED_OUT: "the --timeout was over before the workflow had ended",
    Exit.USAGE: "the command line cannot be understood",
    Exit.BAD_INPUT: "a flow, JSON or an id cannot be used",
    Exit.NOT_FOUND: "a file, a workflow or a step is not there",
    Exit.CONFLICT: "the state of things does not allow it",
    Exit.DEFECT: "a defect in lfr; please report it",
    Exit.CANNOT_WRITE: "a file or the output cannot be written",
    Exit.UNREACHABLE: "no Redis answers at the address",
    Exit.REFUSED: "wrong password, or no permission",
    Exit.BAD_SETTINGS: "the configuration cannot be used",
    Exit.HUNG_UP: "stopped, for its terminal has gone",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
    Exit.PIPE_CLOSED: "the reader of the output has gone",
    Exit.STOPPED: "stopped by SIGTERM",
}
"""Each code in words, for help and documentation."""

NO_USE_TO_RESTART = (Exit.USAGE, Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.BAD_SETTINGS)
"""What a role ends with that would only end so again: its unit does not restart it then."""

_CODES: tuple[tuple[type[LfrError], Exit], ...] = (
    (BadInput, Exit.BAD_INPUT),
    (BadSettings, Exit.BAD_SETTINGS),
    (NotFound, Exit.NOT_FOUND),
    (Conflict, Exit.CONFLICT),
    (CannotWrite, Exit.CANNOT_WRITE),
    (Refused, Exit.REFUSED),
    (Unreachable, Exit.UNREACHABLE),
)


def exit_code(error: LfrError) -> Exit:
    """The code for an error. One of a class that is not listed here tells of a state of things."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.CONFLICT)
