"""Errors that users can cause or correct; each says what is wrong, where, and what to do.

`cli/main.py` prints such an error as one line and chooses the exit code; the API chooses the HTTP status.
"""

from __future__ import annotations


class LfrError(Exception):
    """An error that a user can cause or correct.

    message  what is wrong, in one line
    place    where (`flow.lf:3:7`, a key, an address), or empty
    hint     what to do about it, or empty
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
    """The input of a user is not valid: a flow, JSON, an id, the value of an option."""


class TooLarge(BadInput):
    """A value, or what goes in one transaction, has more bytes than Redis takes."""


class BadSettings(LfrError):
    """The configuration is not valid: an unknown key, a value of the wrong type."""


class NotFound(LfrError):
    """A file, a workflow or a step does not exist."""


class Conflict(LfrError):
    """The action is not possible in the present state of the workflow or installation."""


class WrongType(Conflict):
    """A key of lfr's own holds data of another type: another program, or a person, has written it.

    key  the key, without the prefix of `redis.prefix`
    """

    def __init__(self, message: str, key: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.key = key


class Refused(LfrError):
    """The server refuses the request: wrong password, a command that is not allowed."""


class WrongServer(Refused):
    """What answers is no server that lfr can use: too old, a Sentinel, a cluster, a database of others."""


class Unreachable(LfrError):
    """The server does not answer, or not in time."""


class NoMemory(LfrError):
    """Redis has less memory left than `limits.memory` keeps free for the workflows that run."""


class Unconfirmed(LfrError):
    """What was asked is done and stored, but the replicas of `redis.replicas` have not confirmed it.

    result  what the call would have returned
    """

    def __init__(self, problem: str, result: object = None) -> None:
        hint = "lfr status shows the replicas; a failover before they have it would lose it"
        super().__init__(f"it is stored, but {problem}", hint=hint)
        self.result = result


class CannotWrite(LfrError):
    """A file cannot be written: no permission, no space, no such folder."""
