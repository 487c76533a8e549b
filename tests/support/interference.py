"""Interferes between what a role reads and what it writes: another process is quicker, or it is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lfr.store.redis.connection import Command, Connection

_TRANSACT = Connection.transact


class Killed(BaseException):
    """Stands for SIGKILL. Nothing in a role catches it."""


def overtake(
    monkeypatch: pytest.MonkeyPatch, connection: Connection, act: Callable[[], object], *, times: int = 1
) -> None:
    """Call `act` before each of the next `times` transactions on `connection`."""
    remaining = [times]

    def transact(self: Connection, commands: Sequence[Command]) -> Any:
        if self is connection and remaining[0]:
            remaining[0] -= 1
            act()
        return _TRANSACT(self, commands)

    monkeypatch.setattr(Connection, "transact", transact)


def kill(monkeypatch: pytest.MonkeyPatch, connection: Connection, *, at: int, after: bool = False) -> None:
    """Kill the process of `connection` before or after its transaction number `at`, counted from 0."""
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
