"""Transactions that are tried again: what is committed was decided on what the last try has read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.transaction import ReadAgain, commit_together_or_singly, retry_until_committed


class RefusingConnection:
    """Refuses the first `refusals` transactions. Notes what was committed, and how often UNWATCH was sent."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.committed: list[list[Command]] = []
        self.unwatched = 0

    def transact(self, commands: Sequence[Command]) -> list[object] | None:
        if self.refusals:
            self.refusals -= 1
            return None
        self.committed.append(list(commands))
        return []

    def unwatch(self) -> None:
        self.unwatched += 1


def commit(connection: RefusingConnection, *outcomes: list[Command] | Exception | None) -> int:
    """Commit with an attempt that returns or raises these, one at each try; return the number of the try."""
    remaining = list(enumerate(outcomes))

    def attempt() -> tuple[list[Command] | None, int]:
        number, outcome = remaining.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, number

    return retry_until_committed(cast(Connection, connection), attempt)


def test_a_refused_transaction_is_decided_anew() -> None:
    connection = RefusingConnection(refusals=2)
    assert commit(connection, [("SET", "a", 1)], [("SET", "a", 2)], [("SET", "a", 3)]) == 2
    assert connection.committed == [[("SET", "a", 3)]]


def test_a_decision_not_to_write_stops_the_watch() -> None:
    connection = RefusingConnection(refusals=1)
    assert commit(connection, [("SET", "a", 1)], None) == 1
    assert connection.committed == [] and connection.unwatched == 1


def test_without_commands_the_reads_must_still_be_current() -> None:
    connection = RefusingConnection(refusals=1)
    assert commit(connection, [], []) == 1
    assert connection.committed == [[]]


def test_an_attempt_that_asks_for_another_try_commits_nothing() -> None:
    connection = RefusingConnection()
    assert commit(connection, ReadAgain(), ReadAgain(), [("SET", "a", 1)]) == 2
    assert connection.committed == [[("SET", "a", 1)]] and connection.unwatched == 2


def test_what_an_attempt_raises_goes_to_the_caller() -> None:
    connection = RefusingConnection()
    with pytest.raises(ZeroDivisionError):
        commit(connection, ZeroDivisionError())
    assert connection.committed == []


def set_all(items: Sequence[str]) -> list[Command]:
    return [("SET", item, 1) for item in items]


@pytest.mark.parametrize(
    ("refusals", "committed"),
    [
        (0, [["a", "b", "c"]]),
        (1, [["a"], ["b"], ["c"]]),
        (4, [["a"], ["b"], ["c"]]),
    ],
)
def test_items_are_committed_together_or_else_singly(refusals: int, committed: list[list[str]]) -> None:
    connection = RefusingConnection(refusals)
    commit_together_or_singly(cast(Connection, connection), ["a", "b", "c"], set_all)
    assert connection.committed == [set_all(items) for items in committed]


def test_items_are_committed_singly_if_the_attempt_for_all_asks_for_another_try() -> None:
    def attempt(items: Sequence[str]) -> list[Command]:
        if len(items) > 1:
            raise ReadAgain
        return set_all(items)

    connection = RefusingConnection()
    commit_together_or_singly(cast(Connection, connection), ["a", "b"], attempt)
    assert connection.committed == [set_all(["a"]), set_all(["b"])] and connection.unwatched == 1


def test_without_items_nothing_is_attempted() -> None:
    connection = RefusingConnection()
    commit_together_or_singly(cast(Connection, connection), [], set_all)
    assert connection.committed == []
