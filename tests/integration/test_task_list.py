"""The list of tasks by name: who does each, what waits, how fast, who did it last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr import events
from lfr.operations.explain.explanation import explain_workflow
from lfr.operations.start import start_workflow
from lfr.operations.task_list import estimate_median, list_tasks
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Store
from lfr.store.totals import MAX_NAMES
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import Stepper, append
from tests.integration.test_missing_workers import beat
from tests.integration.test_totals import monitor_of
from tests.support.listening import listening
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


def tasks(store: Store) -> dict[str, dict[str, Any]]:
    return {task["task"]: task for task in list_tasks(store)}


def settle(lifecycle: Stepper) -> None:
    for _ in range(6):
        lifecycle.step()


def test_what_nobody_does_comes_first_with_how_many_wait(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    assert list_tasks(store) == []
    lifecycle = stepper(Lifecycle(store))
    beat(client, "tasks", {"images": ["img:resize"]})
    client.hset(keys.CLAIMS, "img:resize", "images")
    client.set(keys.group_life("images"), 1)
    id = start_workflow(store, "@flow f; { img:rezise img:rezise a }").id
    start_workflow(store, "img:rezise -> img:resize")
    settle(lifecycle)
    listed = list_tasks(store)
    names = [task["task"] for task in listed]
    assert (set(names[:2]), names[2]) == ({"img:rezise", "a"}, "img:resize")
    typo = tasks(store)["img:rezise"]
    assert (typo["kind"], typo["group"], typo["waiting"], typo["workflows"]) == ("nobody", None, 3, 2)
    assert (typo["problem"], typo["hint"]) == ("no live worker does img:rezise", "did you mean img:resize?")
    assert (typo["never"], typo["last"], typo["median"]) == (True, None, None)
    served = tasks(store)["img:resize"]
    assert (served["kind"], served["group"], served["process_count"]) == ("workers", "images", 1)
    assert (served["processes"][0]["host"], served["processes"][0]["pid"]) == ("here", 1)
    assert (served["problem"], served["waiting"], served["shares_queue"]) == (None, 0, False)
    append(client, kind="end-task", workflow=id, name="a", index=4, output=1)
    settle(lifecycle)
    foreign = tasks(store)["a"]
    assert (foreign["last"]["by"], foreign["never"]) == (None, False)


def test_who_did_a_task_last_is_known_when_its_workers_are_gone(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.runtime.heartbeat._INTERVAL_SECONDS", 0.0)
    lifecycle = stepper(Lifecycle(store))

    def work(task: events.StartTask) -> int:
        return 7

    executor = TaskExecutor(store, "images", work, claims=["img:resize", "img:crop"], concurrency=1)
    executor.observer = monitor = monitor_of(executor)
    with listening(executor):
        eventually(lambda: client.hexists(keys.CLAIMS, "img:crop"))
        start_workflow(store, "img:resize")
        eventually(lambda: lifecycle.step() or client.hexists(keys.SERVED_TASKS, "img:resize"))
    client.set(keys.group_life("images"), 1)
    monitor.remove(lifecycle.connection)
    task = tasks(store)["img:resize"]
    assert (task["last"]["by"], task["never"], task["shares_queue"]) == ("images", False, True)
    assert 0 < task["median"] <= 0.1 and task["mean"] > 0
    assert tasks(store)["img:crop"]["never"]
    waiting = start_workflow(store, "img:resize").id
    settle(lifecycle)
    assert tasks(store)["img:resize"]["kind"] == "nobody"
    assert [task["waiting"] for task in list_tasks(store)] == [1, 1]  # both are in one queue
    [step] = explain_workflow(store, waiting)["steps"]
    assert "the group images did one last at " in step["text"]


def test_no_claim_that_nobody_has_ever_done_it_if_not_all_names_are_kept(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    start_workflow(store, "a")
    settle(lifecycle)
    assert tasks(store)["a"]["never"]
    client.hset(keys.TASK_TOTALS, mapping={f"ended t{n}": 1 for n in range(MAX_NAMES)})
    assert not tasks(store)["a"]["never"]


@pytest.mark.parametrize(
    ("counts", "seconds"),
    [
        ([0] * 8, None),
        ([1, 0, 0, 0, 0, 0, 0, 0], 0.005),
        ([0, 0, 10, 0, 0, 0, 0, 0], 0.55),
        ([5, 0, 0, 5, 0, 0, 0, 0], 0.01),
        ([0, 0, 0, 0, 0, 0, 0, 3], 3600.0),
    ],
)
def test_the_median_is_estimated_from_the_classes(counts: list[int], seconds: float | None) -> None:
    assert estimate_median(counts) == seconds
