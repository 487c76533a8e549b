"""The exit codes: what each means, and which error leads to which.

Codes below 10 say how a workflow ended. Codes from 64 on are those of sysexits(3) where one fits. 200 to 244
and 255 are not used, because systemd reports its own failures with them (systemd.exec(5), "Process ExitCode
Codes").
"""

from __future__ import annotations

from enum import IntEnum

from lfr.errors import (
    BadInput,
    BadSettings,
    CannotWrite,
    Conflict,
    LfrError,
    NoMemory,
    NotFound,
    Refused,
    Unconfirmed,
    Unreachable,
    WrongServer,
)


class ExitCode(IntEnum):
    """The exit codes of `lfr`. `MEANINGS` has what each means."""

    OK = 0
    FAILED = 1
    TERMINATED = 3
    TIMED_OUT = 4
    USAGE = 64
    BAD_INPUT = 65
    NOT_FOUND = 66
    CONFLICT = 69
    DEFECT = 70
    SYSTEM = 71
    CANNOT_WRITE = 73
    UNCONFIRMED = 74
    UNREACHABLE = 75
    REFUSED = 77
    BAD_SETTINGS = 78
    HUNG_UP = 129
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    STOPPED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "success; with --wait: the workflow FINISHED",
    ExitCode.FAILED: "the workflow FAILED",
    ExitCode.TERMINATED: "the workflow was TERMINATED",
    ExitCode.TIMED_OUT: "the workflow had not ended within --timeout",
    ExitCode.USAGE: "the command line is not valid",
    ExitCode.BAD_INPUT: "a flow, JSON or an id is not valid",
    ExitCode.NOT_FOUND: "a file, a workflow or a step does not exist",
    ExitCode.CONFLICT: "the current state does not allow the command",
    ExitCode.DEFECT: "a defect in lfr; please report it",
    ExitCode.SYSTEM: "the system refuses memory, a thread or a file; or limits.memory refuses a start",
    ExitCode.CANNOT_WRITE: "a file or the output cannot be written",
    ExitCode.UNCONFIRMED: "it is done, but not confirmed by as many replicas as redis.replicas says",
    ExitCode.UNREACHABLE: "no Redis answers at the address",
    ExitCode.REFUSED: "wrong password, or no permission",
    ExitCode.BAD_SETTINGS: "the configuration is not valid, or names a server that lfr cannot use",
    ExitCode.HUNG_UP: "stopped because its terminal was closed",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    ExitCode.PIPE_CLOSED: "the reader of the output closed the pipe",
    ExitCode.STOPPED: "stopped by SIGTERM",
}
"""The meaning of each code, for help and documentation."""

REDIS_ERRORS = (ExitCode.UNREACHABLE, ExitCode.REFUSED, ExitCode.BAD_SETTINGS)
"""The exit codes of every command that connects to Redis."""

CHANGE_ERRORS = (ExitCode.UNCONFIRMED, *REDIS_ERRORS)
"""The exit codes of commands that change something."""

WORKFLOW_ERRORS = (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CONFLICT, *CHANGE_ERRORS)
"""The exit codes of commands that the state of a workflow may forbid."""

PERMANENT_FAILURES = (ExitCode.USAGE, ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.BAD_SETTINGS)
"""Exit codes of a role that a restart would only repeat. systemd does not restart the role then."""

_CODES: tuple[tuple[type[LfrError], ExitCode], ...] = (
    (BadInput, ExitCode.BAD_INPUT),
    (BadSettings, ExitCode.BAD_SETTINGS),
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
    (CannotWrite, ExitCode.CANNOT_WRITE),
    (NoMemory, ExitCode.SYSTEM),
    (Unconfirmed, ExitCode.UNCONFIRMED),
    (WrongServer, ExitCode.BAD_SETTINGS),
    (Refused, ExitCode.REFUSED),
    (Unreachable, ExitCode.UNREACHABLE),
)


def exit_code(error: LfrError) -> ExitCode:
    """Return the exit code of an error: CONFLICT for a class that is not in the table."""
    return next((code for error_class, code in _CODES if isinstance(error, error_class)), ExitCode.CONFLICT)
