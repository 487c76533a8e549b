"""Values of many bytes: a pass is bounded by bytes, and nobody decodes what is not for them."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.tasks import parse_tasks
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply, Store, open_store
from lfr.store.stream.entries import Entry, entry_bytes
from lfr.store.stream.read_size import MAX_READ_BYTES, ReadSize
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import Stepper, append, append_to, settle
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

MEBIBYTE = "x" * 2**20


def note_batches(monkeypatch: pytest.MonkeyPatch, consumer: Consumer) -> list[int]:
    """Return a list that gets the size in bytes of each batch that the consumer processes."""
    sizes: list[int] = []
    process_batch = consumer.process_batch

    def process(connection: Connection, batch: Sequence[Entry]) -> None:
        sizes.append(sum(map(entry_bytes, batch)))
        process_batch(connection, batch)

    monkeypatch.setattr(consumer, "process_batch", process)
    return sizes


def test_a_pass_of_a_lifecycle_is_bounded_by_bytes(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle = stepper(Lifecycle(store))
    ids = [start_workflow(store, "A").id for _ in range(40)]
    for id in ids:
        append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1, output=MEBIBYTE)
    sizes = note_batches(monkeypatch, lifecycle.consumer)
    settle(client, lifecycle)
    assert {inspect_workflow(store, id)["state"] for id in ids} == {"FINISHED"}
    assert sum(sizes) > 40 * 2**20
    assert max(sizes) <= MAX_READ_BYTES


def test_what_was_read_and_not_processed_goes_to_others_when_a_consumer_stops(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    first, second = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    ids = [start_workflow(store, "A").id for _ in range(20)]
    for id in ids:
        append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1, output=MEBIBYTE)
    first.step()
    first.consumer.leave(first.connection)
    second.consumer._reclaim_at = 0.0
    settle(client, second)
    assert {inspect_workflow(store, id)["state"] for id in ids} == {"FINISHED"}


def test_what_was_read_and_may_have_been_reclaimed_is_not_processed(
    settings: Settings, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(replace(settings, lease_seconds=60.0))
    monkeypatch.setattr(ReadSize, "look_ahead", lambda *_: None)  # it reads all at once
    lifecycle = stepper(Lifecycle(store))
    for _ in range(40):
        append(client, kind="mine", text=MEBIBYTE)
    sizes = note_batches(monkeypatch, lifecycle.consumer)
    lifecycle.step()
    lifecycle.consumer._renewer._claimed_at -= 61.0  # it stood still
    lifecycle.step()
    lifecycle.step()
    assert sum(sizes) < 20 * 2**20


def test_the_claims_on_a_batch_are_kept_while_a_pass_takes_long(
    settings: Settings, client: redis.Redis
) -> None:
    store = open_store(replace(settings, lease_seconds=0.4))
    may_go_on = threading.Event()

    class Slow(Consumer):
        def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
            may_go_on.wait(60)
            super().process_batch(connection, batch)

    consumer = Slow(store, "slow")
    with store.connect() as connection:
        consumer.join(connection)
    thread = threading.Thread(target=consumer.listen)
    thread.start()
    try:
        append(client, kind="mine")
        eventually(lambda: client.xpending("workflows:run", "slow")["pending"] == 1)
        idle: list[int] = []

        def was_renewed() -> bool:
            [pending] = client.xpending_range("workflows:run", "slow", "-", "+", 1)
            idle.append(pending["time_since_delivered"])
            return len(idle) > 1 and idle[-1] < idle[-2]

        eventually(was_renewed)
    finally:
        may_go_on.set()
        consumer.stop()
        thread.join()
    assert client.xpending("workflows:run", "slow")["pending"] == 0


def test_large_values_of_foreign_events_are_not_decoded(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    """That they are no JSON shows it."""
    lifecycle, wait = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    client.xadd(
        "workflows:run",
        {
            "kind": '"start-task"',
            **{"workflow": '"workflow:a"', "name": '"A"', "base": '"A"', "index": "1"},
            **{"claimed": "null", "input": "not JSON " * 10_000},
        },
    )
    settle(client, lifecycle, wait)
    assert client.xlen(keys.DEAD_LETTERS) == 0


def test_a_task_of_another_worker_is_not_decoded() -> None:
    values = {"kind": "start-task", "workflow": "workflow:a", "name": "A", "index": 1}
    fields = {name.encode(): json.dumps(value).encode() for name, value in values.items()}
    entry = Entry("1-0", {**fields, b"input": b"7"})
    assert parse_tasks([entry], lambda base: base == "B") == ([], ["1-0"])
    other = Entry("2-0", {**fields, b"base": b'"B"', b"input": b"7"})
    [(id, task)] = parse_tasks([entry, other], lambda base: base == "B")[0]
    assert (id, task.input) == ("2-0", 7)


def test_large_tasks_that_wait_are_moved_in_several_transactions(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(40):
        start_workflow(store, "A", MEBIBYTE)
    sizes: list[int] = []
    transact = Connection.transact

    def measured(self: Connection, commands: Sequence[Command]) -> list[Reply] | None:
        sizes.append(sum(len(str(part)) for command in commands for part in command))
        return transact(self, commands)

    monkeypatch.setattr(Connection, "transact", measured)
    executor = TaskExecutor(store, "a", lambda task: task.input, claims=("A",), concurrency=2)
    stepper(executor)
    assert client.xlen(keys.queue("a")) == 40
    assert sum(sizes) > 40 * 2**20
    assert max(sizes) < 2 * MAX_READ_BYTES


def test_receipts_for_large_entries_are_logged_in_several_passes(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    receipts = stepper(Receipts(store, log))
    ids = [
        append_to(client, keys.ENDS, kind="end-task", workflow="workflow:a", index=1, output=MEBIBYTE)
        for _ in range(40)
    ]
    for id in ids:
        fields = {"kind": "receipt", "for": [id], "stream": keys.ENDS}
        client.xadd(keys.RECEIPTS, {name: json.dumps(value) for name, value in fields.items()})
    sizes = note_batches(monkeypatch, receipts.consumer)
    settle(client, receipts)
    assert [json.loads(line)["for"] for line in log.getvalue().splitlines()] == ids
    assert len([size for size in sizes if size]) >= 3
    assert client.xlen(keys.ENDS) == client.xlen(keys.RECEIPTS) == 0
