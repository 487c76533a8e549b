"""Tasks in threads: how many at once, how they are completed, what a stop leaves to other workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr import events
from lfr.config.settings import Settings
from lfr.store.redis.connection import Store, open_store
from lfr.values.json import Json
from lfr.worker.executor import CompletedElsewhere, TaskExecutor, TaskFailed, Work
from tests.integration.conftest import append, events_of
from tests.support.waiting import STALL_SECONDS, eventually


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(replace(settings, tasks_lease_seconds=0.4))


@contextmanager
def running(store: Store, work: Work, **options: Any) -> Iterator[TaskExecutor]:
    """Run an executor of the tasks `mine` in a thread."""
    settings = {"concurrency": 2, "grace_seconds": 5.0, **options}
    executor = TaskExecutor(store, "runner", work, accepts=lambda base: base == "mine", **settings)
    thread = threading.Thread(target=executor.listen)
    thread.start()
    try:
        eventually(lambda: executor.established)
        yield executor
    finally:
        executor.stop()
        thread.join(STALL_SECONDS)
        assert not thread.is_alive()


def start(client: redis.Redis, index: int, base: str = "mine", input: Json = None) -> str:
    """Append a start-task event. Return its entry id."""
    fields = {"workflow": "workflow:w", "name": base, "base": base, "index": index, "attempt": 1}
    return append(client, kind="start-task", input=input or {}, parameters={}, **fields)


def pending(client: redis.Redis) -> int:
    """Return how many entries the group of the executor has pending."""
    count: int = client.xpending("workflows:run", "runner")["pending"]
    return count


def test_outputs_failures_and_receipts(store: Store, client: redis.Redis) -> None:
    def work(task: events.StartTask) -> Json:
        if task.index == 2:
            raise TaskFailed("no such file")
        if task.index == 3:
            raise KeyError("size")
        if task.index == 4:
            return {"not": {"JSON"}}
        if task.index == 5:
            raise CompletedElsewhere
        if task.index == 6:
            raise SystemExit(3)
        return {"was": task.input}

    with running(store, work):
        ids = [start(client, index, input={"n": index}) for index in range(1, 7)]
        start(client, 7, base="theirs")
        eventually(lambda: len(events_of(client, "receipt")) == 6)
        eventually(lambda: pending(client) == 0)
    ended = {event["index"]: event for event in events_of(client, "end-task")}
    assert ended[1]["output"] == {"was": {"n": 1}}
    assert ended[1]["attempt"] == 1
    assert [(ended[n]["status"], ended[n]["reason"]) for n in (2, 3, 6)] == [
        ("FAILURE", "no such file"),
        ("FAILURE", "KeyError: 'size'"),
        ("FAILURE", "SystemExit: 3"),
    ]
    assert ended[4]["reason"].startswith("the output of mine is not JSON")
    assert set(ended) == {1, 2, 3, 4, 6}
    assert {event["for"] for event in events_of(client, "receipt")} == set(ids)


def test_no_more_are_taken_than_there_is_room_for(store: Store, client: redis.Redis) -> None:
    go, began = threading.Event(), threading.Semaphore(0)

    def work(task: events.StartTask) -> Json:
        began.release()
        assert go.wait(STALL_SECONDS)
        return {}

    with running(store, work):
        for index in range(5):
            start(client, index)
        assert began.acquire(timeout=STALL_SECONDS) and began.acquire(timeout=STALL_SECONDS)
        assert pending(client) == 2
        go.set()
        eventually(lambda: len(events_of(client, "end-task")) == 5)


def test_a_task_longer_than_the_lease_runs_once(store: Store, client: redis.Redis) -> None:
    count, lease = 0, 1.5  # renewed in time on a busy machine too
    store = open_store(replace(store.settings, tasks_lease_seconds=lease))
    go = threading.Event()

    def work(task: events.StartTask) -> Json:
        nonlocal count
        count += 1
        go.wait(2.5 * lease)
        return {}

    with running(store, work), running(store, work):
        start(client, 1)
        eventually(lambda: bool(events_of(client, "end-task")))
    assert count == 1


def test_a_stop_waits_for_what_runs(store: Store, client: redis.Redis) -> None:
    began, go = threading.Event(), threading.Event()

    def work(task: events.StartTask) -> Json:
        began.set()
        assert go.wait(STALL_SECONDS)
        return {"done": True}

    with running(store, work) as executor:
        start(client, 1)
        assert began.wait(STALL_SECONDS)
        executor.stop()
        start(client, 2)
        go.set()
    assert [event["index"] for event in events_of(client, "end-task")] == [1]


def test_what_outlives_the_grace_is_left_to_others(store: Store, client: redis.Redis) -> None:
    began, never = threading.Event(), threading.Event()

    def hang(task: events.StartTask) -> Json:
        began.set()
        never.wait(STALL_SECONDS)
        raise TaskFailed("came back too late")

    with running(store, hang, grace_seconds=0.1):
        start(client, 1)
        assert began.wait(STALL_SECONDS)
    with running(store, lambda task: {"by": "another"}):
        ended = eventually(lambda: events_of(client, "end-task"))
    assert [event.get("output") for event in ended] == [{"by": "another"}]
    never.set()
