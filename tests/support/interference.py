"""What can happen between a role's reading and its writing: another is quicker, or the process dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lfr.store.redis.connection import Command, Connection

_TRANSACT = Connection.transact


class Killed(BaseException):
    """The process is gone. Nothing in a role catches this."""


def overtake(
    monkeypatch: pytest.MonkeyPatch, connection: Connection, act: Callable[[], object], *, times: int = 1
) -> None:
    """Call `act` before each of the next `times` transactions on `link`."""
    left = [times]

    def transact(self: Connection, commands: Sequence[Command]) -> Any:
        if self is connection and left[0]:
            left[0] -= 1
            act()
        return _TRANSACT(self, commands)

    monkeypatch.setattr(Connection, "transact", transact)


def kill(monkeypatch: pytest.MonkeyPatch, connection: Connection, *, at: int, after: bool = False) -> None:
    """Let the process of `link` die at its transaction number `at`, from 0: before it, or after it."""
    number = [0]

    def transact(self: Connection, commands: Sequence[Command]) -> Any:
        if self is not connection:
            return _TRANSACT(self, commands)
        number[0] += 1
        if number[0] <= at:
            return _TRANSACT(self, commands)
        if after:
            _TRANSACT(self, commands)
        raise Killed

    monkeypatch.setattr(Connection, "transact", transact)
