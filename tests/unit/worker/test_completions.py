"""Which thread sends the completions of tasks, and what becomes of those that cannot be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lfr.errors import Unreachable
from lfr.store.redis.connection import Command
from lfr.store.stream.entries import ConsumerId
from lfr.worker.completions import CompletionQueue, EncodedCompletion

READ = ("XREADGROUP",)


class ScriptedConnection:
    """Stands for a connection. `errors` has what each transaction raises in turn, then none does."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.groups: list[list[Any]] = []
        self.is_broken = self.has_written = False
        self.while_blocked: Any = lambda: None

    def send(self, commands: Sequence[Command]) -> None:
        if self.is_broken:
            raise Unreachable("no Redis answers")
        self.groups.append([command[1] for command in commands if command[0] == "END"])
        self._has_read = READ in commands

    def receive(self, count: int) -> list[Any]:
        if count == 1 and self._has_read:
            self.while_blocked()
        return [None] * count

    def check(self, replies: list[Any], *, keep_errors: bool = False) -> list[Any]:
        return replies

    def check_transaction(self, replies: list[Any]) -> None:
        error = self.errors.pop(0) if self.errors else None
        if error:
            raise error


class Completions:
    """A queue, with the ids that it has confirmed."""

    def __init__(self) -> None:
        self.confirmed: list[str] = []
        self.queue = CompletionQueue(ConsumerId("stream", "group", "name"), self.confirmed.extend)

    def add(self, *ids: str) -> list[bool]:
        return [self.queue.add(EncodedCompletion(id, [("END", id)])) for id in ids]


@pytest.fixture
def completions() -> Completions:
    return Completions()


def test_all_go_in_the_write_of_the_next_read(completions: Completions) -> None:
    connection: Any = ScriptedConnection()
    assert completions.add("a", "b") == [False, False]
    connection.while_blocked = lambda: confirmed_while_blocked.extend(completions.confirmed)
    confirmed_while_blocked: list[str] = []
    completions.queue.send_with_read(connection, [READ], has_receipts=False)
    assert connection.groups == [["a", "b"]]
    assert confirmed_while_blocked == ["a", "b"]


def test_one_thread_sends_while_the_reader_is_blocked(completions: Completions) -> None:
    reader: Any = ScriptedConnection()
    sender: Any = ScriptedConnection()

    def while_blocked() -> None:
        assert completions.add("a", "b") == [True, False]
        completions.queue.send_while_blocked(sender, has_receipts=False)
        assert completions.add("c") == [True]

    reader.while_blocked = while_blocked
    completions.queue.send_with_read(reader, [READ], has_receipts=False)
    completions.queue.send_while_blocked(sender, has_receipts=False)  # the reader is back, and takes it
    assert completions.add("d") == [False]
    reader.while_blocked = lambda: None
    completions.queue.send_with_read(reader, [READ], has_receipts=False)
    assert (sender.groups, reader.groups) == ([["a", "b"]], [[], ["c", "d"]])
    assert completions.confirmed == ["a", "b", "c", "d"]


def test_what_could_not_be_sent_waits(completions: Completions) -> None:
    connection: Any = ScriptedConnection()
    connection.is_broken = True
    completions.add("a", "b")
    for _ in range(2):
        with pytest.raises(Unreachable):
            completions.queue.send_with_read(connection, [READ], has_receipts=False)
    with pytest.raises(Unreachable):
        completions.queue.send(connection, has_receipts=False)
    connection.is_broken = False
    completions.queue.send(connection, has_receipts=False)
    assert sorted(completions.confirmed) == ["a", "b"]
    assert completions.queue.is_empty and not completions.queue.has_failed


def test_a_sender_that_fails_leaves_all_to_the_reader(completions: Completions) -> None:
    reader: Any = ScriptedConnection()
    sender: Any = ScriptedConnection(Unreachable("Redis cannot serve"))

    def while_blocked() -> None:
        assert completions.add("a") == [True]
        with pytest.raises(Unreachable):
            completions.queue.send_while_blocked(sender, has_receipts=False)
        assert completions.add("b") == [False]

    reader.while_blocked = while_blocked
    completions.queue.send_with_read(reader, [READ], has_receipts=False)
    assert completions.queue.has_failed
    completions.queue.send(reader, has_receipts=False)
    assert completions.confirmed == ["a", "b"]


def test_a_refused_completion_does_not_hold_up_the_others(completions: Completions) -> None:
    refused = ValueError("stands for an error that Redis has replied")
    connection: Any = ScriptedConnection(refused, None, refused, refused)
    completions.add("a", "b", "c")
    completions.queue.send(connection, has_receipts=False)
    assert connection.groups == [["a", "b", "c"], ["a"], ["b", "c"], ["b"], ["c"]]
    assert completions.confirmed == ["a", "b", "c"]


def test_a_server_that_cannot_serve_does_not_lose_the_batch_that_it_sends(completions: Completions) -> None:
    connection: Any = ScriptedConnection(Unreachable("out of memory"))
    completions.add("a")
    assert completions.queue.send_with_read(connection, [READ], has_receipts=False) == [None]
    assert completions.queue.has_failed and completions.confirmed == []
