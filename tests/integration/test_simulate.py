"""The role simulate, which stands in for task workers."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from lfr.errors import Unreachable
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.follow import follow_workflow
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow
from lfr.operations.intervene import restart_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.simulate import Simulate
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, events_of


def test_tasks_of_a_role_that_stops_go_to_another_at_once(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    start_workflow(store, "a")
    slow = stepper(Simulate(store, 1e6, 0))
    slow.step()
    slow.step()
    assert len(slow.consumer.claimed_ids()) == 1
    slow.consumer.leave(slow.connection)
    quick = stepper(Simulate(store, 0, 0))
    quick.step()
    quick.step()
    assert [event["name"] for event in events_of(client, "end-task")] == ["a"]


def test_a_task_that_cannot_be_completed_during_an_outage_is_completed_later(
    store: Store,
    client: redis.Redis,
    stepper: Callable[[Consumer], Stepper],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_workflow(store, "a")
    simulate = stepper(Simulate(store, 0, 0))
    simulate.step()
    with monkeypatch.context() as outage:
        outage.setattr("lfr.roles.simulate.complete_tasks_commands", _raise_unreachable)
        with pytest.raises(Unreachable):
            simulate.step()
    assert len(simulate.consumer.claimed_ids()) == 1
    simulate.step()
    assert [event["name"] for event in events_of(client, "end-task")] == ["a"]


def test_a_task_that_is_not_current_is_not_completed(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    id = start_workflow(store, "a").id
    simulate = stepper(Simulate(store, 0, 0))
    simulate.step()
    terminate_workflow(store, id)
    simulate.step()
    assert events_of(client, "end-task") == []
    assert simulate.consumer.claimed_ids() == []
    assert len(events_of(client, "receipt")) == 1


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("reads", ["nothing yet", "it", "past it"])
def test_what_a_foreign_worker_does_is_not_simulated(
    store: Store,
    client: redis.Redis,
    stepper: Callable[[Consumer], Stepper],
    monkeypatch: pytest.MonkeyPatch,
    is_known: bool,
    reads: str,
) -> None:
    monkeypatch.setattr("lfr.roles.simulate._LOOK_AGAIN_SECONDS", 0)
    start_workflow(store, "a")
    client.xgroup_create(store.stream, "foreign", id="0")
    client.xgroup_createconsumer(store.stream, "foreign", "one")
    if is_known:
        client.hset(keys.FOREIGN_TASKS, "a", int(1000 * time.time()))
    if reads != "nothing yet":
        [(_, entries)] = client.xreadgroup("foreign", "one", {store.stream: ">"})
        if reads == "past it":
            client.xack(store.stream, "foreign", *(id for id, _ in entries))
    simulate = stepper(Simulate(store, 0, 0))
    for _ in range(3):
        simulate.step()
    is_served = is_known or reads != "past it"
    assert [event["name"] for event in events_of(client, "end-task")] == ([] if is_served else ["a"])
    client.xgroup_destroy(store.stream, "foreign")
    simulate.step()
    assert [event["simulated"] for event in events_of(client, "end-task")] == [True]
    assert [event["action"] for event in events_of(client, "receipt")] == ["simulated"]


def test_what_a_foreign_worker_has_left_for_long_is_simulated(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    start_workflow(store, "a")
    client.xgroup_create(store.stream, "foreign", id="0")
    [(_, entries)] = client.xreadgroup("foreign", "one", {store.stream: ">"})
    long_ms = round(1000 * store.settings.receipts_forget_seconds)
    client.xclaim(store.stream, "foreign", "one", 0, [id for id, _ in entries], idle=long_ms)
    simulate = stepper(Simulate(store, 0, 0))
    simulate.step()
    simulate.step()
    assert [event["name"] for event in events_of(client, "end-task")] == ["a"]


def test_what_was_simulated_says_so_for_ever(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    """In steps, history, counts, items, follow, and after archive and restore; until a worker does it."""
    simulate, lifecycle = stepper(Simulate(store, 0, 0)), stepper(Lifecycle(store))
    id = start_workflow(store, "* a -> b (- lfr: {retry: {times: 1, delay: 0}} -) -> c").id

    def run(*steppers: Stepper) -> None:
        for each in steppers * 20:
            each.step()

    run(simulate, lifecycle)
    flow = inspect_workflow(store, id, history=True)
    assert flow["state"] == "FINISHED"
    assert [step["name"] for step in flow["steps"] if step["simulated"]] == ["a", "b", "c"]
    marks = [(fact["index"], fact["item"], fact["event"]) for fact in flow["history"] if fact["simulated"]]
    assert marks == [(1, 0, "ended"), (2, None, "ended"), (3, None, "ended")]
    assert flow["counts"]["simulated"] == 3
    *_, update = follow_workflow(store, id)
    assert [change["name"] for change in update["changes"] if change["simulated"]] == ["a", "b", "c"]
    again = inspect_workflow(store, restore_workflow(store, archive_workflow(store, id), "again"))
    assert again["counts"]["simulated"] == 3 and again["steps"][3]["simulated"] is True

    failing = stepper(Simulate(store, 0, 100))
    id = start_workflow(store, "b").id
    run(failing, lifecycle)
    [step] = [step for step in inspect_workflow(store, id)["steps"] if step["name"] == "b"]
    assert (step["state"], step["reason"], step["simulated"]) == ("FAILED", "simulated failure", True)
    restart_workflow(store, id)
    complete_task(store, id, "b", 1)
    run(lifecycle)
    step = inspect_step(store, id, 1)
    assert (step["state"], step["simulated"]) == ("DONE", False)
    assert [fact["simulated"] for fact in step["attempts"]] == [False, True, False, False]


def _raise_unreachable(*_: object, **__: object) -> None:
    raise Unreachable("no Redis answers")
