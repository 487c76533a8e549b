"""Large values: stored once in a key of the workflow, and named in the events of lfr's own workers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr import events
from lfr.config.settings import Settings
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.operations.latches import list_latches, reset_latch
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.redis import RedisTasks
from lfr.roles.simulate import Simulate
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.tasks import complete_tasks, load_inputs, parse_tasks, successful_completion
from lfr.store import keys
from lfr.store.queues.move import sort_queues
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.stream.entries import Entry
from lfr.values.json import Json
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import Stepper, append, events_of, settle, started_tasks, streams
from tests.support.listening import listening
from tests.support.waiting import eventually, eventually_equal

Make = Callable[[Consumer], Stepper]

LARGE = {"text": "x" * 2000}
"""Larger than `values.large` here."""


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, redis_timeout_seconds=5, values_large=1000, lease_seconds=1.0)


class Worker(Consumer):
    """Does the tasks that it claims: the output is what `work` returns, by default the input.

    inputs  of the tasks that it has done, by name
    held    start-tasks with these names stay undone
    """

    def __init__(
        self, store: Store, *claims: str, work: Callable[[events.StartTask], Json] = lambda task: task.input
    ) -> None:
        super().__init__(store, "worker", claims=claims)
        self.inputs: list[tuple[str, Json]] = []
        self.held: set[str] = set()
        self._work = work

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        tasks, other_ids = parse_tasks(batch, lambda base: base not in self.held)
        self.acknowledge_later([id for id in other_ids])
        for id, task in load_inputs(connection, tasks):
            self.inputs.append((task.name, task.input))
            completion = successful_completion(id, task, self._work(task), self.store.settings.values_large)
            complete_tasks(connection, self.id, [completion], has_receipts=False)


def large_fields(client: redis.Redis, id: str) -> list[str]:
    """Return the names of the large values that are stored for a workflow, without their uses."""
    return sorted(name for name in client.hkeys(f"{id}:large") if "@" not in name)


def stored_text(client: redis.Redis) -> int:
    """Return how often the large value stands in entries of streams."""
    return sum(
        str(fields).count("x" * 2000) for stream in streams(client) for _, fields in client.xrange(stream)
    )


def test_a_large_value_is_stored_once_and_goes_with_the_last_task_that_uses_it(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    worker = Worker(store, *"abcde")
    lifecycle, role = stepper(Lifecycle(store)), stepper(worker)
    worker.held = set("bcd")
    id = start_workflow(store, "a -> { b c d } -> e", LARGE).id
    settle(client, lifecycle)
    assert [json.loads(task["input_from"])[0] for task in started_tasks(client)] == [f"{id}:large"]
    settle(client, lifecycle, role)
    assert worker.inputs == [("a", LARGE)]
    assert len(large_fields(client, id)) == 1
    assert stored_text(client) == 0
    for name, attempt in (("b", 1), ("c", 1)):
        index = "abcd".index(name) + 1
        [step] = [step for step in inspect_workflow(store, id)["steps"] if step["name"] == name]
        append(
            client,
            kind="end-task",
            workflow=id,
            name=name,
            index=step["index"],
            attempt=attempt,
            output=index,
        )
    settle(client, lifecycle)
    assert len(large_fields(client, id)) == 1
    [step] = [step for step in inspect_workflow(store, id)["steps"] if step["name"] == "d"]
    append(client, kind="end-task", workflow=id, name="d", index=step["index"], output=4)
    settle(client, lifecycle, role)
    assert not client.exists(f"{id}:large")
    assert worker.inputs[-1] == ("e", [2, 3, 4])
    assert inspect_workflow(store, id)["state"] == "FINISHED"
    assert client.hget(id, "large") is None


def test_an_output_that_goes_through_steps_is_written_once(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    worker = Worker(store, *"abc")
    lifecycle, role = stepper(Lifecycle(store)), stepper(worker)
    id = start_workflow(store, "a -> b -> c", LARGE).id
    names = set(large_fields(client, id))
    for _ in range(10):
        lifecycle.step()
        role.step()
        names |= set(large_fields(client, id))
    assert worker.inputs == [("a", LARGE), ("b", LARGE), ("c", LARGE)]
    assert len(names) == 1
    assert inspect_workflow(store, id)["output"] == LARGE
    assert not client.exists(f"{id}:large")


def test_a_loop_leaves_no_values_of_earlier_turns(store: Store, client: redis.Redis, stepper: Make) -> None:
    most = 0

    def work(task: events.StartTask) -> Json:
        return {"text": f"{task.attempt}" + "x" * 2000} if task.name == "a" else {}

    worker = Worker(store, "a", "b", work=work)
    lifecycle, role = stepper(Lifecycle(store)), stepper(worker)
    id = start_workflow(store, "a -> b -> :start", LARGE).id
    for _ in range(30):
        role.step()
        lifecycle.step()
        most = max(most, len(large_fields(client, id)))
    assert len(worker.inputs) > 20
    assert worker.inputs[21] == ("b", {"text": "11" + "x" * 2000})
    assert most <= 2
    terminate_workflow(store, id)
    assert not client.exists(f"{id}:large")


@pytest.mark.parametrize("reads_pointers", [False, True])
def test_foreign_workers_get_whole_values_unless_they_read_pointers(
    store: Store,
    client: redis.Redis,
    stepper: Make,
    monkeypatch: pytest.MonkeyPatch,
    reads_pointers: bool,
) -> None:
    monkeypatch.setattr("lfr.store.queues.routes._LISTENER_CHECK_SECONDS", 0.0)
    client.xgroup_create("workflows:run", "foreign", "0", mkstream=True)
    if reads_pointers:
        client.sadd("workflows:pointers", "foreign")
    lifecycle, role = stepper(Lifecycle(store)), stepper(Worker(store, "b"))
    first = start_workflow(store, "a", LARGE).id
    [task] = started_tasks(client)
    assert json.loads(task["input"]) == LARGE  # it has just come: nobody has asked yet
    append(client, kind="end-task", workflow=first, name="a", index=1)
    settle(client, lifecycle)
    id = start_workflow(store, "a -> { a b }", {"text": ""}).id
    append(client, kind="end-task", workflow=id, name="a", index=1, output=LARGE)
    settle(client, lifecycle)
    tasks = [task for task in started_tasks(client) if json.loads(task["workflow"]) == id][1:]
    assert len(tasks) == 3  # one of them is a copy
    for task in tasks:
        if reads_pointers:
            [key, name] = json.loads(task["input_from"])
            assert json.loads(client.hget(key, name)) == LARGE
        else:
            assert json.loads(task["input"]) == LARGE
    settle(client, role)
    settle(client, lifecycle)
    ends = [each for each in events_of(client, "end-task") if each.get("copy_of")]
    assert [each["output"] for each in ends] == [LARGE]


def test_a_task_that_nobody_does_has_its_input(store: Store, client: redis.Redis, stepper: Make) -> None:
    """A worker in another language may come later."""
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a", LARGE).id
    settle(client, lifecycle)
    assert [json.loads(task["input"]) for task in started_tasks(client)] == [LARGE]
    worker = Worker(store, "a")
    settle(client, stepper(worker), lifecycle)
    assert worker.inputs == [("a", LARGE)]
    assert inspect_workflow(store, id)["output"] == LARGE
    assert not client.exists(f"{id}:large")


def test_a_task_that_goes_back_to_the_bus_gets_its_input(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    stepper(Worker(store, "a"))
    id = start_workflow(store, "a", LARGE).id
    client.delete(keys.CLAIMS)
    client.set(keys.CLAIMS_VERSION, "another")
    client.sadd(keys.UNSORTED, "worker")
    with store.connect() as connection:
        assert sort_queues(connection, RouteCache(store)) == 1
    assert client.xlen(keys.queue("worker")) == 0
    [task] = started_tasks(client)
    assert json.loads(task["input"]) == LARGE
    assert "input_from" not in task
    terminate_workflow(store, id)
    assert not client.exists(f"{id}:large")


def test_a_delayed_attempt_has_its_input(store: Store, client: redis.Redis, stepper: Make) -> None:
    worker = Worker(store, "a")
    lifecycle, role = stepper(Lifecycle(store)), stepper(worker)
    id = start_workflow(store, "a (- lfr: {retry: {times: 1, delay: 0.01}} -)", LARGE).id
    append(client, kind="end-task", workflow=id, name="a", index=1, status="FAILURE")
    worker.held = {"a"}

    def was_retried() -> bool:
        lifecycle.consumer._check_timers_at = 0.0
        lifecycle.step()
        return b"2" in [task["attempt"].encode() for task in started_tasks(client)]

    eventually(was_retried)
    assert len(client.get(f"{id}:start:1.2") or "") < 1000
    worker.held = set()
    settle(client, role, lifecycle)
    assert worker.inputs[-1] == ("a", LARGE)
    assert inspect_workflow(store, id)["state"] == "FINISHED"
    assert not client.exists(f"{id}:large")


def test_wait_and_redis_tasks_read_pointers(settings: Settings, client: redis.Redis, stepper: Make) -> None:
    store = open_store(replace(settings, redis_commands=("SET", "GET")))
    flow = "wait:delay (- duration: 0.001 -) -> redis:set (- {args: [k, '{input[text]}']} -)"
    roles = [stepper(role) for role in (Lifecycle(store), WaitTasks(store), RedisTasks(store))]
    id = start_workflow(store, flow, LARGE).id
    [task] = started_tasks(client)
    assert "input_from" in task

    def has_finished() -> bool:
        for role in roles:
            role.step()
        return client.hget(id, "state") != "RUNNING"

    eventually(has_finished)
    assert client.hget(id, "state") == "FINISHED", client.hgetall(id)
    assert not client.exists(f"{id}:large")


@pytest.mark.parametrize(
    "flow",
    [
        "wait:delay (- duration: 0.3 -)",
        "wait:event (- {event: go} -)",
        "wait:acquire (- name: l -) -> wait:release (- name: l -) -> wait:countdown (- name: l -)",
        "wait:countdown (- name: l -)",
    ],
)
def test_a_wait_passes_its_input_on_by_pointer(
    store: Store, client: redis.Redis, stepper: Make, flow: str
) -> None:
    roles = [stepper(role) for role in (Lifecycle(store), WaitTasks(store))]
    client.set("workflow:latch:l", 1)
    id = start_workflow(store, flow, LARGE).id
    for _ in range(2):
        for role in roles:
            role.step()
    assert not any("x" * 2000 in str(client.get(key)) for key in client.scan_iter(f"{id}:wait:*"))
    assert stored_text(client) == 0
    append(client, kind="go")

    def has_finished() -> bool:
        for role in roles:
            role.step()
        for latch in list_latches(store):
            if latch["waiters"]:
                reset_latch(store, latch["name"])
        return client.hget(id, "state") == "FINISHED"

    eventually(has_finished)
    assert inspect_workflow(store, id)["output"] == LARGE
    assert not client.exists(f"{id}:large")


def test_items_have_their_own_values(store: Store, client: redis.Redis, stepper: Make) -> None:
    worker = Worker(store, "a", "b")
    lifecycle, role = stepper(Lifecycle(store)), stepper(worker)
    items = [{"text": f"{number}" + "x" * 2000} for number in range(5)]
    id = start_workflow(store, "* { a -> b } -> a", items).id
    settle(client, lifecycle)
    assert len(list(client.scan_iter(f"{id}/*:large"))) == 5
    settle(client, lifecycle, role)
    assert inspect_workflow(store, id)["output"] == items
    assert list(client.scan_iter("*:large")) == []
    delete_workflow(store, id)
    assert list(client.scan_iter("workflow:*")) == []


def test_a_workflow_that_is_stopped_archived_and_restored_keeps_its_values(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    worker = Worker(store, "a", "b")
    lifecycle, role = stepper(Lifecycle(store)), stepper(worker)
    worker.held = {"b"}
    id = start_workflow(store, "a -> b", LARGE).id
    settle(client, lifecycle, role)
    assert client.exists(f"{id}:large")
    terminate_workflow(store, id)
    assert not client.exists(f"{id}:large")
    archive = archive_workflow(store, id)
    delete_workflow(store, id)
    restore_workflow(store, archive)
    assert list(client.scan_iter("*:large")) == []
    worker.held = set()
    restart_workflow(store, id)
    settle(client, lifecycle, role)
    assert worker.inputs == [("a", LARGE), ("b", LARGE)]
    assert inspect_workflow(store, id)["output"] == LARGE
    assert not client.exists(f"{id}:large")


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_late_output_leaves_nothing(
    store: Store, client: redis.Redis, stepper: Make, is_deleted: bool
) -> None:
    def work(task: events.StartTask) -> Json:
        terminate_workflow(store, task.workflow)
        if is_deleted:
            delete_workflow(store, task.workflow)
        return {"text": "y" * 2000}

    lifecycle, role = stepper(Lifecycle(store)), stepper(Worker(store, "a", work=work))
    id = start_workflow(store, "a", LARGE).id
    role.step()
    assert client.exists(f"{id}:large")
    assert bool(client.exists(id)) is not is_deleted
    settle(client, lifecycle)
    assert list(client.scan_iter("*:large")) == []


def test_a_task_whose_input_is_gone_fails(store: Store, client: redis.Redis) -> None:
    executor = TaskExecutor(store, "worker", lambda task: task.input, claims=("a",), concurrency=2)
    client.set(keys.group_life("worker"), 1)  # no heartbeats tell that its group is alive
    lifecycle = Lifecycle(store)
    threads = [threading.Thread(target=consumer.listen) for consumer in (executor, lifecycle)]
    threads[0].start()
    try:
        eventually(lambda: client.hexists(keys.CLAIMS, "a"))
        client.sadd("workflows:pointers", "foreign")
        executor.stop()
        threads[0].join()
        id = start_workflow(store, "a", LARGE).id
        client.delete(f"{id}:large")
        executor = TaskExecutor(store, "worker", lambda task: task.input, claims=("a",), concurrency=2)
        threads[0] = threading.Thread(target=executor.listen)
        for thread in threads:
            thread.start()
        eventually_equal(lambda: client.hget(id, "state"), "FAILED")
        assert "input is gone" in str(client.hget(id, "brief"))
    finally:
        for consumer in (executor, lifecycle):
            consumer.stop()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("is_async", [False, True])
def test_executors_read_and_write_pointers(
    store: Store, client: redis.Redis, concurrency: int, is_async: bool
) -> None:
    async def work_async(task: events.StartTask) -> Json:
        return {**task.input, task.name: 1}

    def work(task: events.StartTask) -> Any:
        return work_async(task) if is_async else {**task.input, task.name: 1}

    executor = TaskExecutor(
        store, "worker", work, claims=tuple("abcd"), concurrency=concurrency, is_async=lambda _: is_async
    )
    client.set(keys.group_life("worker"), 1)  # no heartbeats tell that its group is alive
    with listening(executor, Lifecycle(store)):
        eventually(lambda: client.hexists(keys.CLAIMS, "a"))
        ids = [start_workflow(store, "a -> { b c } -> > d", LARGE).id for _ in range(5)]
        eventually_equal(lambda: {client.hget(id, "state") for id in ids}, {"FINISHED"})
        expected = {**LARGE, **dict.fromkeys("abcd", 1)}
        assert [inspect_workflow(store, id)["output"] for id in ids] == [expected] * 5
        assert list(client.scan_iter("*:large")) == []


def test_a_pointer_to_a_value_of_another_workflow_is_refused(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    stepper(Worker(store, "a"))
    other, id = start_workflow(store, "a", LARGE).id, start_workflow(store, "a").id
    [name] = large_fields(client, other)
    for pointer in ([f"{other}:large", name], [f"{id}:large", "x"], ["workflow:x"], 7):
        append(client, kind="end-task", workflow=id, name="a", index=1, output_from=pointer)
    settle(client, lifecycle)
    assert client.xlen(keys.DEAD_LETTERS) == 4
    assert client.hget(id, "state") == "RUNNING"


def test_simulated_tasks_pass_pointers_on(store: Store, client: redis.Redis, stepper: Make) -> None:
    client.xgroup_create("workflows:run", "foreign", "0", mkstream=True)
    client.sadd("workflows:pointers", "foreign")
    lifecycle, simulate = stepper(Lifecycle(store)), stepper(Simulate(store, 0.0, 0.0))
    id = start_workflow(store, "a -> b", LARGE).id
    client.xgroup_destroy("workflows:run", "foreign")

    def has_finished() -> bool:
        simulate.step()
        lifecycle.step()
        return client.hget(id, "state") == "FINISHED"

    eventually(has_finished)
    assert inspect_workflow(store, id)["output"] == LARGE
    assert not client.exists(f"{id}:large")
