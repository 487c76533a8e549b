"""Interferes between what a role reads and what it writes: another process is quicker, or it is killed.

Each aims at a transaction by what it writes, and fails if that never comes: a test that counted transactions
would go on, and mean something else, once their number has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from lfr.store.redis.connection import Command, Connection, Reply


class Killed(BaseException):
    """Stands for SIGKILL. Nothing in a role catches it."""


@contextmanager
def overtaken(
    connection: Connection, act: Callable[[], object], *, writing: str, times: int = 1
) -> Iterator[None]:
    """Call `act` before each of the next `times` transactions on `connection` that have a command which
    begins with these words, as `XACK workflows:run wait`. They must come within the block."""
    count = 0

    def before(commands: Sequence[Command]) -> None:
        nonlocal count
        if count < times and writes(commands, writing):
            count += 1
            act()

    with _patched(connection, before, lambda commands: None):
        yield
    assert count == times, f"{count} transactions have begun with {writing!r}"


@contextmanager
def killed(
    connection: Connection, *, writing: str, after: bool = False, at: int = 0, may_live: bool = False
) -> Iterator[None]:
    """Kill the process of `connection` before, or `after`, a transaction that has a command which begins with
    these words: the next one, or number `at`, counted from 0. The block ends there, and must not end before,
    unless it `may_live`: then Killed is raised if it has died."""
    count = 0

    def die(commands: Sequence[Command]) -> None:
        nonlocal count
        count += writes(commands, writing)
        if count > at:
            raise Killed

    nothing: Callable[[Sequence[Command]], None] = lambda commands: None  # noqa: E731
    before, afterwards = (nothing, die) if after else (die, nothing)
    with _patched(connection, before, afterwards), nullcontext() if may_live else pytest.raises(Killed):
        yield


def writes(commands: Sequence[Command], words: str) -> bool:
    """Return whether one of these commands begins with these words."""
    return any(" ".join(map(_text, command)).startswith(words) for command in commands)


def _text(word: object) -> str:
    return word.decode(errors="replace") if isinstance(word, bytes) else str(word)


@contextmanager
def _patched(
    connection: Connection,
    before: Callable[[Sequence[Command]], None],
    after: Callable[[Sequence[Command]], None],
) -> Iterator[None]:
    """Call these with the commands of each transaction on `connection`, for the block."""
    inner, inner_early = Connection.transact, Connection.transact_early

    def transact(self: Connection, commands: Sequence[Command]) -> Any:
        if self is not connection:
            return inner(self, commands)
        before(commands)
        replies = inner(self, commands)
        after(commands)
        return replies

    def transact_early(
        self: Connection, commands: Sequence[Command], settle: Callable[[list[Reply]], None]
    ) -> None:
        if self is not connection:
            inner_early(self, commands, settle)
            return
        before(commands)
        inner_early(self, commands, settle)
        after(commands)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "transact_early", transact_early)
        patch.setattr(Connection, "transact", transact)
        yield
