"""What is done stays done, and nothing is left, when tasks are moved between queues and the bus."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
import redis

from lfr.config.settings import Settings
from lfr.host.systemd import ServiceManager
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.heartbeat import HeartbeatMonitor
from lfr.store import keys
from lfr.store.processes import heartbeat_commands
from lfr.store.queues.claims import ClaimConflict, claim
from lfr.store.queues.move import sort_queues
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Store, open_store
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import append
from tests.integration.test_queues import (  # noqa: F401
    Make,
    always_due,
    finish,
    on_bus,
    process,
    queued,
    waiting,
    worker,
)
from tests.support.interference import overtaken
from tests.support.waiting import eventually


def test_a_task_that_is_done_and_waits_for_the_receipts_role_is_not_moved(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    client.set(keys.RECEIPTS_ROLE, 1)
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a", "b"))
    start_workflow(store, "a -> b")
    eventually(lambda: mine.step() or client.xlen(keys.ENDS) == 1)  # no lifecycle has read it yet
    assert queued(client) == 1  # until its receipt is logged
    mine.consumer.leave(mine.connection)
    with store.connect() as connection:
        claim(connection, "mine", ["b"])
        assert sort_queues(connection, RouteCache(store)) == 0
    assert on_bus(client, "start-task") == []
    lifecycle.step()


def test_a_task_that_is_over_is_not_put_on_the_bus(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a", "b"))
    terminate_workflow(store, start_workflow(store, "a").id)
    mine.consumer.leave(mine.connection)
    with store.connect() as connection:
        claim(connection, "mine", ["b"])
        sort_queues(connection, RouteCache(store))
    assert on_bus(client, "start-task") == []
    assert client.keys("workflows:unclaimed*") == []
    assert queued(client) == 0
    lifecycle.step()


def test_the_queue_of_a_group_that_claims_nothing_any_more_is_removed(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, before = stepper(Lifecycle(store)), stepper(worker(store, "a", group="before"))
    terminate_workflow(store, start_workflow(store, "a").id)
    id = start_workflow(store, "a").id
    before.consumer.leave(before.connection)
    after = stepper(worker(store, "a", group="after"))
    assert finish(store, id, lifecycle, after)["output"] == {"by": "after"}
    assert not client.exists(keys.queue("before"), keys.stale_mark("before"), keys.UNSORTED)


def test_a_foreign_worker_that_died_long_ago_keeps_no_task(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    store = open_store(replace(settings, receipts_forget_seconds=0.05))
    client.xgroup_create("workflows:run", "theirs", "0", mkstream=True)
    id = start_workflow(store, "a").id
    client.xreadgroup("theirs", "me", {"workflows:run": ">"})  # it was killed after this
    client.hset(keys.FOREIGN_TASKS, "a", int(1000 * time.time()))
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a"))
    assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}


def test_a_foreign_end_counts_for_a_day(store: Store, client: redis.Redis, stepper: Make) -> None:
    client.xgroup_create("workflows:run", "theirs", "0", mkstream=True)
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    client.xreadgroup("theirs", "me", {"workflows:run": ">"})
    client.hset(keys.FOREIGN_TASKS, "a", int(1000 * (time.time() - 25 * 3600)))
    mine = stepper(worker(store, "a"))
    assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}
    client.hset(keys.FOREIGN_TASKS, "b", 1)
    lifecycle.step()
    assert client.hgetall(keys.FOREIGN_TASKS) == {}


def test_an_attempt_that_ended_while_its_task_was_claimed_leaves_the_index(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    client.xgroup_create("workflows:run", "theirs", "0")
    id = start_workflow(store, "a").id
    client.xreadgroup("theirs", "me", {"workflows:run": ">"})
    client.hset(keys.FOREIGN_TASKS, "a", int(1000 * time.time()))
    mine = stepper(worker(store, "a"))
    mine.consumer.leave(mine.connection)
    append(client, kind="end-task", workflow=id, name="a", index=1, status="SUCCESS", output=1)
    finish(store, id, lifecycle)
    eventually(lambda: lifecycle.step() or client.keys("workflows:unclaimed*") == [])


def test_a_worker_counts_as_alive_while_it_finishes_its_tasks(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    must_end = threading.Event()
    executor = TaskExecutor(store, "mine", lambda task: must_end.wait(60), claims=("a",), concurrency=2)
    monitor = HeartbeatMonitor("tasks", [executor], ServiceManager())
    executor.observer = monitor
    start_workflow(store, "a")
    thread = threading.Thread(target=executor.listen)
    thread.start()
    try:
        eventually(lambda: bool(executor.claimed_ids()) and bool(client.keys("workflows:process:*")))
        executor.stop()
        for _ in range(2):
            client.delete(*client.keys("workflows:process:*"))
            eventually(lambda: bool(client.keys("workflows:process:*")))
    finally:
        must_end.set()
        thread.join()


def test_a_group_that_may_not_have_its_tasks_leaves_no_queue(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.runtime.claim_keeper.EXPIRES_SECONDS", 0)
    with store.connect() as connection:
        claim(connection, "mine", ["a"], heartbeat_commands(process("one", "mine", "a"), 60))
        executor = worker(store, "a", group="yours")
        with pytest.raises(ClaimConflict):
            executor.join(connection)
    assert not client.exists(keys.queue("yours"))


@pytest.mark.parametrize("is_claimed", [True, False])
def test_a_task_of_a_deleted_workflow_is_not_done_for_another_one_with_its_id(
    store: Store, client: redis.Redis, stepper: Make, is_claimed: bool
) -> None:
    done: list[object] = []
    executor = TaskExecutor(store, "mine", lambda task: done.append(task.input), claims=("a",), concurrency=4)
    lifecycle = stepper(Lifecycle(store))
    mine = stepper(executor) if is_claimed else None
    id = start_workflow(store, "a", {"n": 1}, workflow_id="workflow:x").id
    terminate_workflow(store, id)
    delete_workflow(store, id)
    start_workflow(store, "a", {"n": 2}, workflow_id="workflow:x")
    finish(store, id, lifecycle, mine or stepper(executor))
    assert done == [{"n": 2}]


def test_a_task_that_starts_while_its_name_is_claimed_goes_to_the_queue(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a -> b").id
    append(client, kind="end-task", workflow=id, name="a", index=1)
    monkeypatch.setattr(lifecycle.consumer, "on_pass", lambda connection: 0.0)
    with overtaken(lifecycle.connection, lambda: stepper(worker(store, "b")), writing=f"RPUSH {id}:facts"):
        lifecycle.step()
    assert queued(client) == 1
    assert "b" not in waiting(client)
