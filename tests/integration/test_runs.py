"""An id that is used again does not meet its past: events, waits and timers of an earlier run are stale."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr import events
from lfr.config.settings import Settings
from lfr.errors import Conflict
from lfr.operations import intervene
from lfr.operations import start as start_module
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, restart_workflow, retry_task, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Store, open_store
from lfr.store.workflows.attempt_status import save_task_progress
from lfr.store.workflows.attempt_timers import fire_due_timers
from lfr.store.workflows.flow_cache import FlowCache
from lfr.values.json import Json
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import Stepper, append, events_of, started_tasks
from tests.support.interference import killed, overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

ID = "workflow:again"


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(replace(settings, lease_seconds=0.05))


def run_again(store: Store, flow: str, input: Json) -> None:
    """Terminate and delete the workflow, and start another one with its id."""
    terminate_workflow(store, ID)
    delete_workflow(store, ID)
    start_workflow(store, flow, input, workflow_id=ID)


def start(store: Store, flow: str, input: Json) -> None:
    start_workflow(store, flow, input, workflow_id=ID)


def step_state(store: Store, index: int = 1) -> str:
    return str(inspect_workflow(store, ID)["steps"][index]["state"])


def finish(store: Store, *steppers: Stepper) -> Any:
    """Let these take passes until the workflow has finished; return its output."""

    def has_finished() -> bool:
        for stepper in steppers:
            stepper.step()
        return bool(inspect_workflow(store, ID)["state"] == "FINISHED")

    eventually(has_finished)
    return inspect_workflow(store, ID)["output"]


def answer(client: redis.Redis, number: int, *names: str, output: Json) -> None:
    """Append the end-task of a start-task as a foreign worker does that repeats these fields."""
    task = {name: json.loads(value) for name, value in started_tasks(client)[number].items()}
    repeated = {name: task[name] for name in ("workflow", "name", "index", *names)}
    append(client, kind="end-task", output=output, **repeated)


def test_a_late_result_of_a_worker_ends_no_step_of_a_later_workflow(store: Store, stepper: Make) -> None:
    done: list[Json] = []

    def work(task: events.StartTask) -> Json:
        done.append(task.input)
        if task.input == {"n": 1}:
            run_again(store, "a -> b", {"n": 2})
        return task.input

    start(store, "a -> b", {"n": 1})
    worker = TaskExecutor(store, "mine", work, claims=("a", "b"), concurrency=4)
    assert finish(store, stepper(Lifecycle(store)), stepper(worker)) == {"n": 2}
    assert done == [{"n": 1}, {"n": 2}, {"n": 2}]


def test_a_late_result_ends_no_step_of_a_workflow_that_was_restored(store: Store, stepper: Make) -> None:
    done: list[int] = []

    def work(task: events.StartTask) -> Json:
        done.append(task.attempt)
        if len(done) == 1:
            terminate_workflow(store, ID)
            delete_workflow(store, ID)
            assert restore_workflow(store, document) == ID
            restart_workflow(store, ID)
        return {"call": len(done)}

    start(store, "a", {})
    document = archive_workflow(store, ID)
    retry_task(store, ID, 1)
    worker = TaskExecutor(store, "mine", work, claims=("a",), concurrency=1)
    assert finish(store, stepper(Lifecycle(store)), stepper(worker)) == {"call": 2}
    assert done == [2, 2]  # both are the second attempt of the step, in two runs


def test_a_late_result_of_a_foreign_worker(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    start(store, "a", {"n": 1})
    answer(client, 0, output="without a run, but before the next one")
    run_again(store, "a", {"n": 2})
    answer(client, 0, "attempt", "run", output="of another run")
    lifecycle.step()
    assert step_state(store) == "RUNNING"
    answer(client, 1, "attempt", "run", output="right")
    lifecycle.step()
    assert inspect_workflow(store, ID)["output"] == "right"


def test_a_result_by_hand_is_of_one_run(store: Store, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    start(store, "a", {})
    complete_task(store, ID, "a", 1, output="old")
    run = inspect_run(store)
    run_again(store, "a", {})
    lifecycle.step()
    assert step_state(store) == "RUNNING"
    with pytest.raises(Conflict, match="another one"):
        complete_task(store, ID, "a", 1, run=run, output="old")
    complete_task(store, ID, "a", 1, output="new")
    lifecycle.step()
    assert inspect_workflow(store, ID)["output"] == "new"


def test_a_cancellation_that_is_processed_late_ends_no_wait_of_a_later_workflow(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    dead, wait = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start(store, "wait:delay (- duration: 1h -)", {"n": 1})
    wait.step()
    terminate_workflow(store, ID)
    with killed(dead.connection, writing="ZREM waits:delays"):
        dead.step()
    delete_workflow(store, ID)
    start(store, "wait:delay (- duration: 0 -)", {"n": 2})
    wait.step()
    assert finish(store, wait, stepper(Lifecycle(store))) == {"n": 2}
    eventually(lambda: wait.step() or client.xpending("workflows:run", "wait")["pending"] == 0)
    assert client.zcard("waits:timers") == 0


def test_a_deadline_of_an_earlier_workflow_fails_no_step(store: Store, stepper: Make) -> None:
    start(store, "a (- lfr: {timeout: 0.001} -)", {})
    lifecycle = stepper(Lifecycle(store))
    assert eventually(
        lambda: fire_due_timers(lifecycle.connection, RouteCache(store), FlowCache(), print, count=10) == 0
    )
    run_again(store, "a", {})
    lifecycle.step()
    assert step_state(store) == "RUNNING"


def test_a_deadline_fails_the_step_of_its_run(store: Store, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    start(store, "a (- lfr: {timeout: 0.001} -)", {})
    eventually(lambda: lifecycle.step() or inspect_workflow(store, ID)["state"] == "FAILED")


def test_items_of_an_earlier_workflow_do_not_begin(store: Store, client: redis.Redis, stepper: Make) -> None:
    dead = stepper(Lifecycle(store))
    start(store, "* a", [1, 2])
    with killed(dead.connection, writing=f"HSET {ID}:items:1"):
        dead.step()
    run_again(store, "* a", [3])
    lifecycle = stepper(Lifecycle(store))
    eventually(lambda: lifecycle.step() or client.xpending("workflows:ends", "lifecycle")["pending"] == 0)
    eventually(lambda: lifecycle.step() or inspect_workflow(store, ID)["steps"][1].get("items"))
    inputs = [json.loads(task["input"]) for task in started_tasks(client) if task["base"] == '"a"']
    assert inputs == [3]
    item = next(event for event in events_of(client, "start-task") if event["base"] == "a")
    assert item["run"] == client.hget(ID, "run")  # items belong to the run of their parent


def test_a_latch_is_not_counted_for_a_workflow_that_was_deleted_meanwhile(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    slow = stepper(WaitTasks(store))
    flow = "wait:acquire (- name: x -)"
    start(store, flow, {"n": 1})
    with overtaken(slow.connection, lambda: run_again(store, flow, {"n": 2}), writing="SET workflow:latch:x"):
        assert finish(store, slow, stepper(Lifecycle(store))) == {"n": 2}
    assert client.get("workflow:latch:x") == "1"


def test_a_progress_report_of_an_earlier_workflow_is_not_shown(store: Store) -> None:
    start(store, "a", {})
    run = inspect_run(store)
    run_again(store, "a", {})
    with store.connect() as connection:
        task = events.StartTask(ID, "a", "a", 1, {}, {}, 1, run=run)
        save_task_progress(connection, task, 1_700_000_000_000, 0.5, "old")
        assert "progress" not in inspect_workflow(store, ID)["steps"][1]
        save_task_progress(connection, replace(task, run=inspect_run(store)), 1_700_000_000_000, 0.5, "new")
    assert inspect_workflow(store, ID)["steps"][1]["progress"]["text"] == "new"


def test_a_deletion_that_is_overtaken_deletes_one_workflow_whole(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(store, "* a", [1])
    stepper(Lifecycle(store)).step()
    terminate_workflow(store, ID)
    terminate_children = intervene._terminate_children

    def overtake_once(*arguments: Any) -> None:
        monkeypatch.setattr(intervene, "_terminate_children", terminate_children)
        terminate_children(*arguments)
        delete_workflow(store, ID)
        start(store, "* b", [1])
        terminate_workflow(store, ID)

    monkeypatch.setattr(intervene, "_terminate_children", overtake_once)
    delete_workflow(store, ID)
    assert client.keys(f"{ID}*") == client.keys("flow*") == []


def inspect_run(store: Store) -> str:
    with store.connect() as connection:
        return str(connection.call("HGET", ID, "run").decode())


@pytest.mark.parametrize(
    "flow",
    [
        "a -> wait:delay (- duration: 0.01 -)",
        "* a",
        "a (- lfr: {timeout: 1h, retry: 1} -)",
        "wait:acquire (- name: x -) -> a",
    ],
)
def test_a_workflow_of_an_earlier_version_has_no_run_and_goes_on(
    store: Store, client: redis.Redis, stepper: Make, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "generate_run", lambda: "")
    worker = TaskExecutor(store, "mine", lambda task: task.input, claims=("a",), concurrency=1)
    roles = stepper(Lifecycle(store)), stepper(WaitTasks(store)), stepper(worker)
    start(store, flow, [1, 2])
    assert finish(store, *roles) == [1, 2]
    assert not any("run" in fields for fields in started_tasks(client))
    delete_workflow(store, ID)
    assert client.keys(f"{ID}*") == []
