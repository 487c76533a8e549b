"""What can go wrong for a user: what was wrong, where, and what to do.

Raised where the fact is known; turned into words once for each way in: `cli/main.py` prints one
line and picks the exit code, a web handler picks the status.
"""

from __future__ import annotations


class LfrError(Exception):
    """An error that a user can cause or mend.

    `message` says what is wrong, in one line, for people. `place` says where (`flow.lf:3:7`, a key,
    an address), or is empty. `hint` says what to do about it, or is empty.
    """

    def __init__(self, message: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        """The error as one line: `PLACE: message (hint)`."""
        place = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


class BadInput(LfrError):
    """What the user handed over cannot be used: a flow, JSON, an identifier, an option's value."""


class BadSettings(LfrError):
    """The configuration cannot be used: an unknown key, a value of the wrong type."""


class NotFound(LfrError):
    """What was named is not there: a file, a workflow, a step."""


class Conflict(LfrError):
    """What was asked for cannot be done in the state that things are in."""


class Refused(LfrError):
    """The other side knows us and says no: wrong password, a command that is not allowed."""


class Unreachable(LfrError):
    """Nobody answers at the address, or not in time."""


class CannotWrite(LfrError):
    """A file cannot be written: no permission, no space, no such folder."""
