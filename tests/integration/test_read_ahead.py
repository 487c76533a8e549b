"""A lifecycle reads the workflow that it expects to move next together with the event that moves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from lfr.lifecycle.housekeeper import Housekeeper
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import retry_task, terminate_workflow
from lfr.operations.pause import pause
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.queues.claims import claim
from lfr.store.redis.connection import Command, Connection, Store
from tests.integration.conftest import Stepper, append, append_to
from tests.support.interference import overtaken

Make = Callable[[Consumer], Stepper]


_ON_THE_WAY = {"XREADGROUP", "WATCH", "UNWATCH", "HMGET", "MULTI"}
"""The commands on the way of an event; the others are those of the timers."""


class Installation:
    """A lifecycle; `writes` are those on the way of the last event, each the names of its commands."""

    def __init__(self, store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
        self.store = store
        self.client = client
        self.lifecycle = lifecycle
        self.writes: list[list[str]] = []

    def end(self, id: str, index: int, *, attempt: int = 1) -> None:
        """Let a worker of lfr end a step, and the lifecycle read that."""
        self.append_end(id, index, attempt=attempt)
        self.writes.clear()
        self.lifecycle.step()

    def append_end(self, id: str, index: int, *, attempt: int = 1) -> None:
        """Let a worker of lfr end a step."""
        fields = {"workflow": id, "name": "x", "index": index, "attempt": attempt, "output": index}
        append_to(self.client, "workflows:ends", kind="end-task", **fields)

    def states(self, id: str) -> str:
        """Return the states of the tasks of a workflow, then its own."""
        workflow = inspect_workflow(self.store, id)
        tasks = [step["state"] for step in workflow["steps"] if step["kind"] == "task"]
        return " ".join([*tasks, str(workflow["state"])])


@pytest.fixture
def installation(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    installation = Installation(store, client, stepper(Lifecycle(store)))
    monkeypatch.setattr(Housekeeper, "run", lambda *_: None)  # it has round trips of its own
    send = Connection.send

    def note(self: Connection, commands: Sequence[Command]) -> None:
        names = [str(command[0]) for command in commands]
        if self is installation.lifecycle.connection and not _ON_THE_WAY.isdisjoint(names):
            installation.writes.append(names)
        send(self, commands)

    monkeypatch.setattr(Connection, "send", note)
    return installation


def test_a_step_of_a_chain_takes_two_round_trips(installation: Installation) -> None:
    id = start_workflow(installation.store, "A -> B -> C -> D").id
    installation.end(id, 1)
    for index in (2, 3):
        installation.end(id, index)
        read, commit = installation.writes
        assert (read[0], commit[0], commit[-1]) == ("WATCH", "MULTI", "EXEC")
    installation.end(id, 4)
    assert installation.states(id) == "DONE DONE DONE DONE FINISHED"


def test_branches_that_end_in_turn_are_read_ahead(installation: Installation) -> None:
    id = start_workflow(installation.store, "A -> { B -> C  D -> E } -> F").id
    for index in (1, 2, 4):
        installation.end(id, index)
    assert len(installation.writes) == 2
    for index in (3, 5):
        installation.end(id, index)
    assert len(installation.writes) == 2


def test_what_another_client_changes_meanwhile_counts(installation: Installation) -> None:
    id = start_workflow(installation.store, "A -> B -> C").id
    installation.end(id, 1)
    connection = installation.lifecycle.connection
    with overtaken(connection, lambda: retry_task(installation.store, id, 2), writing=f"RPUSH {id}:facts"):
        installation.end(id, 2)
    assert installation.states(id) == "DONE RUNNING PENDING RUNNING"
    with overtaken(
        connection, lambda: terminate_workflow(installation.store, id), writing=f"RPUSH {id}:facts"
    ):
        installation.end(id, 2, attempt=2)
    assert installation.states(id) == "DONE STOPPED PENDING TERMINATED"


@pytest.mark.parametrize("change", ["pause", "claim"])
def test_a_pause_or_a_claim_comes_between_the_read_and_the_transaction(
    installation: Installation, change: str
) -> None:
    store, client, connection = installation.store, installation.client, installation.lifecycle.connection
    id = start_workflow(store, "A -> B -> C").id
    installation.end(id, 1)

    def intervene() -> None:
        if change == "pause":
            pause(store, "all")
            return
        with store.connect() as other:
            claim(other, "mine", ["C"], [])

    with overtaken(connection, intervene, writing=f"RPUSH {id}:facts"):
        installation.end(id, 2)
    assert installation.writes[0][0] == "WATCH"  # it was read ahead
    started = [entry["base"] for _, entry in client.xrange("workflows:run") if "base" in entry]
    assert '"C"' not in started
    if change == "claim":
        assert client.xlen(keys.queue("mine")) == 1


@pytest.mark.parametrize("companion", ["stray", "end without attempt"])
def test_a_batch_with_an_event_that_needs_more_reads_is_read_again(
    installation: Installation, companion: str
) -> None:
    """The transaction that routes a start-task ends the watch. Whether an end without an attempt is still
    this lifecycle's is read with the workflow."""
    store, client, connection = installation.store, installation.client, installation.lifecycle.connection
    other = start_workflow(store, "X").id
    id = start_workflow(store, "A -> B -> C").id
    installation.end(id, 1)
    if companion == "stray":
        client.delete("workflows:unclaimed:X")
        stray = {"workflow": other, "name": "X", "base": "X", "index": 1, "attempt": 1, "input": {}}
        append(client, kind="start-task", parameters={}, **stray)
        with overtaken(connection, lambda: retry_task(store, id, 2), writing=f"RPUSH {id}:facts"):
            installation.end(id, 2)
        assert installation.states(id) == "DONE RUNNING PENDING RUNNING"
    else:
        append(client, kind="end-task", workflow=id, name="B", index=2)
        installation.lifecycle.step()
        assert installation.states(id) == "DONE DONE RUNNING RUNNING"


def test_nothing_is_watched_behind_a_batch_for_others_or_none(installation: Installation) -> None:
    first = start_workflow(installation.store, "A -> B").id
    second = start_workflow(installation.store, "A -> B").id
    installation.end(first, 1)
    installation.lifecycle.step()  # reads the start of B, which concerns others alone
    assert not installation.lifecycle.connection.is_watching
    installation.end(second, 1)  # not expected
    assert "UNWATCH" in [name for write in installation.writes for name in write]
    installation.end(first, 2)
    retry_task(installation.store, second, 2)
    installation.lifecycle.step()  # reads the news, then nothing
    installation.lifecycle.step()
    assert not installation.lifecycle.connection.is_watching
    installation.end(second, 2, attempt=2)
    assert installation.states(first) == installation.states(second) == "DONE DONE FINISHED"


def test_after_a_refusal_the_next_read_is_not_ahead(installation: Installation, client: redis.Redis) -> None:
    id = start_workflow(installation.store, "A -> B -> C").id
    installation.end(id, 1)
    with overtaken(
        installation.lifecycle.connection, lambda: client.hset(id, "other", 1), writing=f"RPUSH {id}:facts"
    ):
        installation.end(id, 2)
    assert installation.writes[0][0] == "WATCH"
    assert [write[0] for write in installation.writes] == ["WATCH", "MULTI"]  # the second try went elsewhere
    installation.end(id, 3)
    assert installation.writes[0][0] != "WATCH"
    assert installation.states(id) == "DONE DONE DONE FINISHED"


def test_the_next_read_does_not_wait_for_the_replies_to_the_transaction(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = start_workflow(installation.store, "A -> B -> C -> D").id
    installation.end(id, 1)
    connection, lifecycle = installation.lifecycle.connection, installation.lifecycle.consumer
    unread: list[bool] = []  # for each write, whether replies to the one before are still to come
    send = Connection.send

    def note(self: Connection, commands: Sequence[Command]) -> None:
        if self is connection:
            unread.append(self._unsettled is not None)
        send(self, commands)

    monkeypatch.setattr(Connection, "send", note)
    for index in (2, 3):
        installation.append_end(id, index)
        lifecycle.run_pass(connection)
    assert unread[:4] == [False, False, True, False]  # read, transaction, read, transaction
    installation.append_end(id, 4)
    lifecycle.run_pass(connection)
    connection.settle()
    assert installation.states(id) == "DONE DONE DONE DONE FINISHED"


def test_what_was_refused_is_done_again_while_the_next_read_may_block(
    installation: Installation, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = start_workflow(installation.store, "A -> B -> C").id
    installation.end(id, 1)
    connection, lifecycle = installation.lifecycle.connection, installation.lifecycle.consumer
    with overtaken(connection, lambda: client.hset(id, "other", 1), writing=f"RPUSH {id}:facts"):
        installation.append_end(id, 2)
        lifecycle.run_pass(connection)
    events: list[str] = []
    send, receive = Connection.send, Connection._receive

    def note_send(self: Connection, commands: Sequence[Command]) -> None:
        names = [str(command[0]) for command in commands]
        events.append("read" if "XREADGROUP" in names else "commit" if "EXEC" in names else "other")
        send(self, commands)

    def note_receive(self: Connection, *arguments: Any) -> list[Any]:
        if self is connection:
            events.append("receive")
        return receive(self, *arguments)

    monkeypatch.setattr(Connection, "send", note_send)
    monkeypatch.setattr(Connection, "_receive", note_receive)
    monkeypatch.setattr(lifecycle, "on_pass", lambda connection: 0.0)  # without timers
    installation.append_end(id, 3)  # of an attempt that the second try starts: read before that
    lifecycle.run_pass(connection)
    connection.settle()
    # The replies to the refused transaction come behind the read; the second try before those to the read.
    assert events[:2] == ["read", "receive"]
    assert events.index("commit") < events.index("receive", 2)
    assert installation.states(id) == "DONE DONE DONE FINISHED"


def test_a_defect_in_the_replies_is_met_again_in_a_pass_of_its_own(
    installation: Installation, client: redis.Redis
) -> None:
    id = start_workflow(installation.store, "A -> B -> C").id
    installation.end(id, 1)
    connection, lifecycle = installation.lifecycle.connection, installation.lifecycle.consumer
    client.rename(f"{id}:facts", "aside")
    client.set(f"{id}:facts", "no list")
    installation.append_end(id, 2)
    lifecycle.run_pass(connection)
    connection.settle()
    assert client.xpending("workflows:ends", "lifecycle")["pending"] == 0  # what else it writes is written
    assert [entry.fields[b"index"] for entry in lifecycle._single_entries] == [b"2"]
