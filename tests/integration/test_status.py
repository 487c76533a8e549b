"""What status, inspect and follow say about tasks that nobody does, and about groups that are gone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.host.systemd import ServiceManager
from lfr.operations.complete_task import complete_task
from lfr.operations.follow import follow_workflow
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow
from lfr.operations.intervene import retry_task
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.request import request_executor
from lfr.roles.simulate import Simulate
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import HeartbeatMonitor
from lfr.store import keys
from lfr.store.redis.connection import Connection, Store
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import Stepper, append, settle

MakeStepper = Callable[[Consumer], Stepper]


def executor(store: Store, *claims: str, group: str = "tasks-images") -> TaskExecutor:
    return TaskExecutor(store, group, lambda task: {}, claims=claims, concurrency=1)


def live(stepper: MakeStepper, consumer: Consumer, role: str) -> tuple[Stepper, HeartbeatMonitor]:
    """Make a process of a role that is alive: its heartbeat is in Redis."""
    monitor = HeartbeatMonitor(role, [consumer], ServiceManager("", 0))
    consumer.observer = monitor
    member = stepper(consumer)
    monitor.pass_completed(consumer, member.connection)
    return member, monitor


@pytest.fixture
def lifecycle(store: Store, stepper: MakeStepper) -> Stepper:
    return live(stepper, Lifecycle(store), "lifecycle")[0]


def group_of(store: Store, name: str) -> dict[str, Any]:
    return next(group for group in load_status(store)["groups"] if group["name"] == name)


def wait_of(store: Store, id: str, index: int = 1) -> dict[str, Any]:
    """Return what a step waits for, which the whole workflow and the step say alike."""
    step = inspect_workflow(store, id)["steps"][index]
    assert inspect_step(store, id, index).get("waits_for") == step.get("waits_for")
    waits_for: dict[str, Any] = step.get("waits_for", {})
    return waits_for


@pytest.mark.usefixtures("lifecycle")
def test_a_task_that_nobody_does_is_a_problem_with_its_count(store: Store) -> None:
    assert load_status(store)["problems"] == []
    ids = [start_workflow(store, "img:resize").id for _ in range(2)]
    status = load_status(store)
    [unclaimed] = status["unclaimed"]
    assert (unclaimed["task"], unclaimed["count"]) == ("img:resize", 2)
    assert unclaimed["since"] and unclaimed["waits"] >= 0
    [problem] = status["problems"]
    assert problem.startswith("no live worker does img:resize: 2 tasks wait, the oldest since ")
    assert problem.endswith("(lfr tasks FILE.py runs a worker)")
    step = inspect_workflow(store, ids[0])["steps"][1]
    assert step["waits_for"] == {
        "until": None,
        "worker": "img:resize",
        "message": "no live worker does img:resize",
        "hint": "lfr tasks FILE.py runs a worker",
        "since": step["started"],
    }


@pytest.mark.usefixtures("lifecycle")
def test_the_nearest_task_that_somebody_does_is_suggested(store: Store, stepper: MakeStepper) -> None:
    live(stepper, executor(store, "img:resize"), "tasks")
    live(stepper, request_executor(store), "request")
    live(stepper, WaitTasks(store), "wait")
    id = start_workflow(store, "{ img:rezise; reqest:get; wiat:delay; img:resize }").id
    hints = {
        step["name"]: step.get("waits_for", {}).get("hint") for step in inspect_workflow(store, id)["steps"]
    }
    assert hints["img:rezise"] == "did you mean img:resize?"
    assert hints["reqest:get"] == "did you mean request:get?"
    assert hints["wiat:delay"] == "did you mean wait:delay?"
    assert hints["img:resize"] is None


@pytest.mark.usefixtures("lifecycle")
def test_a_group_without_a_live_worker_is_never_well(
    store: Store, client: redis.Redis, stepper: MakeStepper
) -> None:
    worker, monitor = live(stepper, executor(store, "img:resize", "img:crop"), "tasks")
    id = start_workflow(store, "img:resize -> b").id
    group = group_of(store, "tasks-images")
    assert (group["kind"], group["claims"], group["processes"]) == ("workers", ["img:crop", "img:resize"], 1)
    assert (group["lag"], group["pending"], group["length"]) == (1, 0, 1)
    [queue] = group["streams"]
    assert (queue["key"], queue["lag"], queue["pending"]) == (keys.queue("tasks-images"), 1, 0)
    assert group["waits"] >= 0 and group["lapses"] is None
    assert load_status(store)["problems"] == [] and wait_of(store, id) == {}
    monitor.remove(worker.connection)
    [problem] = load_status(store)["problems"]
    assert problem.startswith(
        "the group tasks-images has no live worker: 1 task waits in its queue, the oldest "
    )
    assert re.search(r"otherwise any other may do them in (59|60) min\)$", problem)
    group = group_of(store, "tasks-images")
    assert (group["processes"], group["length"]) == (0, 1) and 0 < group["lapses"] <= 3600
    assert wait_of(store, id)["message"] == "no live worker does img:resize"
    assert "tasks-images" in wait_of(store, id)["hint"]
    client.delete(keys.queue("tasks-images"))
    [problem] = load_status(store)["problems"]
    assert problem.startswith("the group tasks-images has no live worker: nobody does img:crop, img:resize (")


@pytest.mark.usefixtures("lifecycle")
def test_tasks_that_a_dead_worker_has_read_wait_as_well(store: Store, stepper: MakeStepper) -> None:
    worker, monitor = live(stepper, executor(store, "a"), "tasks")
    start_workflow(store, "a")
    worker.connection.call(
        "XREADGROUP", "GROUP", *worker.consumer.id[1:], "STREAMS", worker.consumer.id.stream, ">"
    )
    group = group_of(store, "tasks-images")
    assert (group["lag"], group["pending"], group["waits"]) == (0, 1, None)
    monitor.remove(worker.connection)
    assert group_of(store, "tasks-images")["waits"] is not None


@pytest.mark.usefixtures("lifecycle")
def test_a_claim_of_which_no_process_is_left_is_a_problem(store: Store, stepper: MakeStepper) -> None:
    worker, monitor = live(stepper, executor(store, "a", "b"), "tasks")
    live(stepper, executor(store, "b"), "tasks.2")
    monitor.remove(worker.connection)
    [problem] = load_status(store)["problems"]
    assert problem.startswith("no live worker of the group tasks-images does a, which it has claimed")
    id = start_workflow(store, "{ a; b }").id
    assert wait_of(store, id, 2)["worker"] == "a" and wait_of(store, id, 3) == {}


def test_groups_that_do_not_keep_up_are_a_problem(
    store: Store, stepper: MakeStepper, lifecycle: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(stepper, executor(store, "a"), "tasks")
    for _ in range(2):
        start_workflow(store, "a")
    assert load_status(store)["problems"] == []
    monkeypatch.setattr("lfr.operations.status_problems._SLOW_WORKERS_SECONDS", -1)
    monkeypatch.setattr("lfr.operations.status_problems._SLOW_ROLE_SECONDS", -1)
    role, workers = load_status(store)["problems"]
    assert (
        role.startswith("the role lifecycle does not keep up: ") and "(start another: lfr lifecycle)" in role
    )
    assert workers.startswith(
        "the workers of tasks-images do not keep up: 2 tasks wait in its queue, the oldest "
    )
    assert lifecycle


def test_a_foreign_group_that_is_gone_is_a_problem_until_it_is_forgotten(
    store: Store, client: redis.Redis, lifecycle: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.xgroup_create(store.stream, "old", "0")
    assert lifecycle and load_status(store)["problems"] == []
    append(client, kind="paid")
    settle(client, lifecycle)
    [problem] = load_status(store)["problems"]
    assert problem.startswith(
        "the foreign group old has no consumer: all events are copied to the bus for it"
    )
    assert problem.endswith(f"(start it, or XGROUP DESTROY {store.stream} old)")
    client.xreadgroup("old", "me", {store.stream: ">"})
    append(client, kind="paid")
    settle(client, lifecycle)
    assert load_status(store)["problems"] == []
    monkeypatch.setattr("lfr.operations.status_problems.SILENT_SECONDS", -1)
    [problem] = load_status(store)["problems"]
    assert "has read nothing for 0 s" in problem and re.search("stay there for (59|60) min more", problem)
    forgetful = replace(store, settings=replace(store.settings, receipts_forget_seconds=0))
    assert load_status(forgetful)["problems"] == []
    assert group_of(forgetful, "old")["forgotten"] == 0


@pytest.mark.usefixtures("lifecycle")
def test_without_a_lifecycle_or_a_wait_role(store: Store, client: redis.Redis, stepper: MakeStepper) -> None:
    client.delete(*client.keys("workflows:process:*"))
    [problem] = load_status(store)["problems"]
    assert problem.startswith("no lifecycle runs")
    id = start_workflow(store, "wait:delay (- duration: 1h -)").id
    wait, monitor = live(stepper, WaitTasks(store), "wait")
    settle(client, wait)
    assert set(wait_of(store, id)) == {"until"}
    monitor.remove(wait.connection)
    assert any(problem.startswith("no wait role runs") for problem in load_status(store)["problems"])
    waits_for = wait_of(store, id)
    assert waits_for["until"] and waits_for["hint"] == "lfr wait, or lfr worker"


@pytest.mark.usefixtures("lifecycle")
def test_waits_for_events_are_counted_and_need_a_wait_role(store: Store, stepper: MakeStepper) -> None:
    for event in ("paid", "paid", "sent"):
        start_workflow(store, f"wait:event (- event: {event} -)")
    wait, monitor = live(stepper, WaitTasks(store), "wait")
    wait.step()
    assert load_status(store)["event_waits"] == 3
    assert not any("no wait role" in problem for problem in load_status(store)["problems"])
    monitor.remove(wait.connection)
    assert any(problem.startswith("no wait role runs") for problem in load_status(store)["problems"])


def test_what_foreign_workers_do_is_no_problem_while_they_read(
    store: Store, client: redis.Redis, lifecycle: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.xgroup_create(store.stream, "others", "0")
    append(client, kind="paid")
    client.xreadgroup("others", "me", {store.stream: ">"})
    id = start_workflow(store, "a -> a").id
    assert wait_of(store, id)["message"] == "no live worker is known to do a"
    append(client, kind="end-task", workflow=id, name="a", index=1, status="SUCCESS", output={})
    settle(client, lifecycle)
    assert inspect_workflow(store, id)["steps"][2]["state"] == "RUNNING"
    status = load_status(store)
    assert wait_of(store, id, 2) == {} and status["problems"] == []
    assert status["unclaimed"][0]["problem"] is None
    monkeypatch.setattr("lfr.store.queues.workforce.SILENT_SECONDS", -1)
    assert wait_of(store, id, 2)["hint"] == "the foreign workers that did it read nothing"


@pytest.mark.usefixtures("lifecycle")
def test_what_simulate_does_is_no_problem(store: Store, stepper: MakeStepper) -> None:
    live(stepper, Simulate(store, 1e6, 0), "simulate")
    id = start_workflow(store, "{ a; request:get (- url: http://x/ -) }").id
    assert wait_of(store, id, 2) == {}
    assert wait_of(store, id, 3)["hint"] == "lfr request, or lfr worker"
    [problem] = load_status(store)["problems"]
    assert problem.startswith("no role request runs, which does request:get: 1 task waits")


def test_a_task_that_its_worker_has_handed_on_waits_for_no_worker(
    store: Store, client: redis.Redis, stepper: MakeStepper, lifecycle: Stepper
) -> None:
    """Such as a request that its server completes."""
    worker, monitor = live(stepper, executor(store, "a"), "tasks")
    id = start_workflow(store, "a").id
    client.xtrim(keys.queue("tasks-images"), maxlen=0)
    monitor.remove(worker.connection)
    assert wait_of(store, id) == {} and lifecycle


def test_a_delayed_attempt_does_not_wait_for_a_worker(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "{ a (- lfr: {retry: {times: 1, delay: 1h}} -); a }").id
    complete_task(store, id, "a", 2, status="FAILURE", reason="no")
    settle(client, lifecycle)
    assert set(wait_of(store, id, 2)) == {"until"}
    assert wait_of(store, id, 3)["worker"] == "a"
    retry_task(store, id, 2)
    assert wait_of(store, id, 2)["worker"] == "a"


@pytest.mark.usefixtures("lifecycle")
def test_the_round_trips_do_not_depend_on_the_number_of_steps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = 0
    execute = Connection.execute

    def count(*arguments: Any, **options: Any) -> Any:
        nonlocal trips
        trips += 1
        return execute(*arguments, **options)

    def count_trips(id: str) -> int:
        nonlocal trips
        trips = 0
        steps = inspect_workflow(store, id)["steps"]
        assert all("waits_for" in step for step in steps if step["state"] == "RUNNING" and step["name"])
        return trips

    few = start_workflow(store, "{ a; b }").id
    many = start_workflow(store, "{" + "; ".join(f"a{number}" for number in range(200)) + "}").id
    monkeypatch.setattr(Connection, "execute", count)
    assert count_trips(few) == count_trips(many) < 20


def test_a_follower_learns_that_a_worker_is_missing_and_that_it_is_not(
    store: Store,
    client: redis.Redis,
    stepper: MakeStepper,
    lifecycle: Stepper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lfr.operations.follow._CHECK_WORKERS_SECONDS", 0)
    assert lifecycle
    id = start_workflow(store, "{ * a; <file:///x> -> b }", [1]).id
    updates = follow_workflow(store, id, interval_seconds=0, workers=True)
    missing = next(updates)["missing_workers"]
    assert missing["resource:load"] == {
        "message": "no role resource runs, which does resource:load",
        "hint": "lfr resource, or lfr worker",
        "index": 3,
    }
    settle(client, lifecycle)
    missing = next(update for update in updates if len(update["missing_workers"]) == 2)["missing_workers"]
    assert missing["a"]["index"] == 2
    live(stepper, executor(store, "a"), "tasks")
    assert list(
        next(update for update in updates if len(update["missing_workers"]) == 1)["missing_workers"]
    ) == ["resource:load"]


@pytest.mark.usefixtures("lifecycle")
def test_streams_and_their_lengths(store: Store, client: redis.Redis, stepper: MakeStepper) -> None:
    live(stepper, executor(store, "a"), "tasks")
    start_workflow(store, "a")
    streams = load_status(store)["streams"]
    assert [(each["kind"], each["key"], each["length"]) for each in streams] == [
        ("bus", store.stream, client.xlen(store.stream)),
        ("ends", "workflows:ends", 0),
        ("receipts", "workflows:receipts", 0),
        ("queue", keys.queue("tasks-images"), 1),
    ]
    assert streams[3]["group"] == "tasks-images"
