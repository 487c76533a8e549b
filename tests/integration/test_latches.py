"""Latches count each step once, and countdowns complete when the latch is zero, not before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace

import pytest
import redis

from lfr.config.settings import Settings
from lfr.engine.latches import Latch
from lfr.errors import NotFound
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.latches import list_latches, reset_latch
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.waits import latches
from tests.integration.conftest import Stepper, append, events_of, settle
from tests.support.interference import killed, overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

ACQUIRE = "wait:acquire (- name: 'of-{input[id]}' -)"
RELEASE = "wait:release (- name: 'of-{input[id]}' -)"
COUNTDOWN = "wait:countdown (- name: 'of-{input[id]}' -)"
COUNT = "workflow:latch:of-7"


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(replace(settings, lease_seconds=0.1))


@pytest.fixture
def role(store: Store, stepper: Make) -> Stepper:
    return stepper(WaitTasks(store))


def start(store: Store, flow: str, id: int = 7) -> str:
    return start_workflow(store, flow, {"id": id}).id


def ended_workflows(client: redis.Redis, name: str) -> list[str]:
    """Return the workflows of which this task has ended, in order."""
    return [event["workflow"] for event in events_of(client, "end-task") if event["name"] == name]


def settle_latches(client: redis.Redis, role: Stepper) -> None:
    """Let the role take passes until it has read all, and completed the countdowns of latches at zero."""
    eventually(lambda: settle(client, role) or not client.exists("waits:opened"))


def test_acquire_and_release_count_and_pass_their_input_on(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    for flow in (ACQUIRE, ACQUIRE, RELEASE):
        start(store, flow)
    settle(client, role)
    assert client.get(COUNT) == "1"
    assert client.ttl(COUNT) == -1
    assert [event["output"] for event in events_of(client, "end-task")] == [{"id": 7}] * 3
    assert events_of(client, "countdown-latch-zero") == []
    start(store, RELEASE)
    settle(client, role)
    assert client.get(COUNT) == "0"
    assert 3500 < client.ttl(COUNT) <= 3600
    (event,) = events_of(client, "countdown-latch-zero")
    assert (event["latch"], event["name"]) == (COUNT, "of-7")


def test_a_release_below_zero_is_refused(client: redis.Redis, store: Store, role: Stepper) -> None:
    start(store, RELEASE)
    settle(client, role)
    (event,) = events_of(client, "end-task")
    assert event["reason"] == "wait:release: the latch of-7 is at zero, so there is nothing to release"
    assert client.get(COUNT) is None


@pytest.mark.parametrize("is_list", [False, True])
@pytest.mark.parametrize("flow", [ACQUIRE, RELEASE, COUNTDOWN])
def test_a_key_that_holds_something_else_is_left_alone(
    client: redis.Redis, store: Store, role: Stepper, flow: str, is_list: bool
) -> None:
    if is_list:
        client.rpush(COUNT, "mine")
    else:
        client.set(COUNT, "mine")
    start(store, flow)
    settle(client, role)
    (event,) = events_of(client, "end-task")
    assert event["reason"].endswith(f"{COUNT} holds something that is no whole number")
    assert (client.lrange(COUNT, 0, -1) if is_list else [client.get(COUNT)]) == ["mine"]
    if not is_list:
        return
    client.zadd("waits:latches", {"of-7": "inf"})
    assert list_latches(store)[0]["value"] is None


def test_a_countdown_at_zero_ends_at_once(client: redis.Redis, store: Store, role: Stepper) -> None:
    id = start(store, COUNTDOWN)
    role.step()
    assert ended_workflows(client, "wait:countdown") == [id]
    assert client.keys("*:wait:*") + client.keys("waits:*") == []


def test_a_release_to_zero_completes_all_countdowns(
    client: redis.Redis, store: Store, role: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.store.waits.latches.PAGE_SIZE", 4)
    start(store, ACQUIRE)
    ids = [start(store, COUNTDOWN) for _ in range(10)]
    start(store, ACQUIRE, 8)
    start(store, COUNTDOWN, 8)
    settle(client, role)
    assert ended_workflows(client, "wait:countdown") == []
    start(store, RELEASE)
    settle_latches(client, role)
    assert sorted(ended_workflows(client, "wait:countdown")) == sorted(ids)
    assert client.keys("waits:opened*") == []
    assert len(client.keys("*:wait:*")) == 1


def test_a_countdown_that_starts_after_zero_waits_for_the_next_zero(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    flows = (ACQUIRE, COUNTDOWN, RELEASE, ACQUIRE, COUNTDOWN)
    ids = [start(store, flow) for flow in flows]
    settle(client, role)
    assert ended_workflows(client, "wait:countdown") == [ids[1]]
    start(store, RELEASE)
    settle(client, role)
    assert ended_workflows(client, "wait:countdown") == [ids[1], ids[4]]


def test_an_acquire_that_a_dead_role_has_read_counts_before_a_countdown(
    client: redis.Redis, store: Store, stepper: Make
) -> None:
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start(store, ACQUIRE)
    with killed(dying.connection, writing=f"SET {COUNT}"):
        dying.step()
    id = start(store, COUNTDOWN)
    settle(client, role)
    assert ended_workflows(client, "wait:countdown") == []
    start(store, RELEASE)
    settle(client, role)
    assert ended_workflows(client, "wait:countdown") == [id]


def test_a_release_waits_for_an_acquire_that_a_dead_role_has_read(
    client: redis.Redis, store: Store, stepper: Make
) -> None:
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start(store, ACQUIRE)
    with killed(dying.connection, writing=f"SET {COUNT}"):
        dying.step()
    start(store, RELEASE)
    role.consumer._reclaim_at = float("inf")
    role.step()
    assert events_of(client, "end-task") == []
    role.consumer._reclaim_at = 0.0
    settle(client, role)
    assert [event["status"] for event in events_of(client, "end-task")] == ["SUCCESS"] * 2
    assert client.get(COUNT) == "0"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(4))
def test_a_role_that_dies_counts_each_step_once(
    client: redis.Redis, store: Store, stepper: Make, monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    monkeypatch.setattr("lfr.store.waits.latches.PAGE_SIZE", 2)
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    ids = [start(store, flow) for flow in (ACQUIRE, ACQUIRE, *[COUNTDOWN] * 5, RELEASE, RELEASE)]
    with killed(dying.connection, writing="", at=at, after=after):  # wherever it is
        for _ in range(4):
            dying.step()
    settle_latches(client, role)
    assert client.get(COUNT) == "0"
    assert sorted(ended_workflows(client, "wait:countdown")) == sorted(ids[2:7])
    assert len(ended_workflows(client, "wait:acquire")) == len(ended_workflows(client, "wait:release")) == 2
    assert client.keys("*:wait:*") + client.keys("waits:opened*") == []


@pytest.mark.parametrize("flow", [ACQUIRE, RELEASE])
def test_a_step_that_two_roles_have_read_is_counted_once(
    client: redis.Redis, store: Store, stepper: Make, flow: str
) -> None:
    client.set(COUNT, 5)
    store = open_store(replace(store.settings, lease_seconds=0.0))
    slow, quick = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start(store, flow)
    with overtaken(slow.connection, quick.step, writing=f"SET {COUNT}"):
        slow.step()
    assert client.get(COUNT) == ("6" if flow == ACQUIRE else "4")
    assert len(events_of(client, "end-task")) == 1


def test_a_countdown_that_another_role_has_completed_at_once_is_not_stored(
    client: redis.Redis, store: Store, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latch was at zero then, and is not when the first role reads it."""
    store = open_store(replace(store.settings, lease_seconds=0.0))
    slow, quick = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    id = start(store, COUNTDOWN)
    overtakes: list[Connection] = []
    watch = latches.watch_latches

    def watch_latches(connection: Connection, names: Iterable[str]) -> dict[str, Latch]:
        if connection is slow.connection and not overtakes:
            overtakes.append(connection)
            eventually(lambda: quick.step() or ended_workflows(client, "wait:countdown"))
            client.set(COUNT, 1)
        return watch(connection, names)

    monkeypatch.setattr("lfr.store.waits.latches.watch_latches", watch_latches)
    slow.step()
    assert overtakes and ended_workflows(client, "wait:countdown") == [id]
    assert client.keys("*:wait:*") == []


def test_a_start_task_that_was_refused_and_comes_again_counts_nothing(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    """Its attempt has failed, though no lifecycle has read that yet."""
    start(store, RELEASE)
    (start_task,) = [fields for _, fields in client.xrange("workflows:run") if "wait:release" in str(fields)]
    settle(client, role)
    start(store, ACQUIRE)
    settle(client, role)
    client.xadd("workflows:run", start_task)
    settle(client, role)
    assert client.get(COUNT) == "1"
    assert len(events_of(client, "end-task")) == 2


def test_a_start_task_that_is_appended_twice_is_counted_once(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    start(store, ACQUIRE)
    settle(client, role)
    (task,) = events_of(client, "start-task")
    append(client, **task)
    settle(client, role)
    assert client.get(COUNT) == "1"


def test_the_next_attempt_counts_by_itself(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    flow = f"A -> {RELEASE}"
    id = start_workflow(store, flow, {"id": 7}).id
    append(client, kind="end-task", workflow=id, name="A", index=1, output={"id": 7})
    settle(client, role, lifecycle)
    assert client.hget(id, "state") == "FAILED"
    client.set(COUNT, 3)
    restart_workflow(store, id)
    settle(client, role, lifecycle)
    assert client.hget(id, "state") == "FINISHED"
    assert client.get(COUNT) == "2"


def stop_by_terminating(store: Store, id: str) -> str:
    terminate_workflow(store, id)
    restart_workflow(store, id)
    return id


def stop_by_retrying(store: Store, id: str) -> str:
    retry_task(store, id, 2)
    return id


def stop_by_failing(store: Store, id: str) -> str:
    fail_task(store, id, 2, "no")
    restart_workflow(store, id)
    return id


def stop_by_archiving(store: Store, id: str) -> str:
    document = archive_workflow(store, id)
    terminate_workflow(store, id)
    copy = restore_workflow(store, document)
    restart_workflow(store, copy)
    return copy


def stop_by_deleting(store: Store, id: str) -> str:
    terminate_workflow(store, id)
    document = archive_workflow(store, id)
    delete_workflow(store, id)
    assert restore_workflow(store, document) == id
    restart_workflow(store, id)
    return id


@pytest.mark.parametrize("flow", [ACQUIRE, RELEASE])
@pytest.mark.parametrize(
    "stop", [stop_by_terminating, stop_by_retrying, stop_by_failing, stop_by_archiving, stop_by_deleting]
)
@pytest.mark.parametrize("rounds", [1, 3])
def test_a_step_that_was_counted_and_stopped_before_it_ended_is_not_counted_again(
    client: redis.Redis,
    store: Store,
    role: Stepper,
    stepper: Make,
    flow: str,
    stop: Callable[[Store, str], str],
    rounds: int,
) -> None:
    lifecycle = stepper(Lifecycle(store))
    client.set(COUNT, 1)
    counted = "2" if flow == ACQUIRE else "0"
    id = start_workflow(store, f"A -> {flow} -> {ACQUIRE}", {"id": 7}).id
    append(client, kind="end-task", workflow=id, name="A", index=1, output={"id": 7})
    lifecycle.step()
    for _ in range(rounds):
        eventually(lambda: role.step() or client.get(COUNT) == counted)
        role.step()
        id = stop(store, id)
    settle(client, role, lifecycle)
    assert client.hget(id, "state") == "FINISHED"
    assert client.get(COUNT) == str(int(counted) + 1)


def test_the_next_turn_of_a_loop_counts_after_a_step_that_was_counted_and_skipped(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "wait:acquire (- name: of-7 -) -> A -> :start").id
    role.step()
    skip_task(store, id, 1)
    settle(client, role, lifecycle)
    append(client, kind="end-task", workflow=id, name="A", index=2)
    settle(client, role, lifecycle)
    assert client.get(COUNT) == "2"


def test_a_step_that_is_skipped_while_a_role_counts_it_is_counted_in_the_next_turn(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "wait:acquire (- name: of-7 -) -> A -> :start").id
    with overtaken(role.connection, lambda: skip_task(store, id, 1), writing=f"SET {COUNT}"):
        settle(client, role, lifecycle)
    assert client.get(COUNT) is None
    append(client, kind="end-task", workflow=id, name="A", index=2)
    settle(client, role, lifecycle)
    assert client.get(COUNT) == "1"


@pytest.mark.parametrize("flow", [ACQUIRE, RELEASE])
def test_an_item_that_was_counted_and_terminated_is_not_counted_again(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make, flow: str
) -> None:
    lifecycle = stepper(Lifecycle(store))
    client.set(COUNT, 2)
    id = start_workflow(store, f"* {flow}", [{"id": 7}, {"id": 7}]).id
    lifecycle.step()
    role.step()
    assert client.get(COUNT) == ("4" if flow == ACQUIRE else "0")
    terminate_workflow(store, id)
    settle(client, role, lifecycle)
    restart_workflow(store, id)
    eventually(lambda: settle(client, role, lifecycle) or client.hget(id, "state") == "FINISHED")
    assert client.get(COUNT) == ("4" if flow == ACQUIRE else "0")


def test_of_a_loop_only_the_latest_turn_is_marked(client: redis.Redis, store: Store, stepper: Make) -> None:
    wait, lifecycle = stepper(WaitTasks(store)), stepper(Lifecycle(store))
    id = start_workflow(store, "wait:acquire (- name: x -) -> wait:release (- name: x -) -> :start").id
    for _ in range(100):
        wait.step()
        lifecycle.step()
        assert client.hlen(f"{id}:latched") <= 2
    _, _, turns = client.hget(f"{id}:steps", "1").split()
    assert int(turns) > 10
    assert client.get("workflow:latch:x") in ("0", "1")


def test_counted_attempts_are_deleted_with_the_workflow_and_with_an_item(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    flow = "wait:acquire (- name: 'of-{input[0]}' -) -> * wait:acquire (- name: all -)"
    id = start_workflow(store, flow, [7, 8]).id
    eventually(lambda: settle(client, role, lifecycle) or client.hget(id, "state") == "FINISHED")
    assert client.get("workflow:latch:all") == "2"
    assert client.keys("*:latched") == [f"{id}:latched"]
    delete_workflow(store, id)
    assert client.keys("*:latched") == []
    start_workflow(store, ACQUIRE, {"id": 7}, id)
    settle(client, role, lifecycle)
    assert client.get(COUNT) == "2"


def test_latches_are_listed_with_the_steps_that_wait(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    assert list_latches(store) == []
    for _ in range(2):
        start(store, ACQUIRE)
    ids = [start(store, COUNTDOWN) for _ in range(2)]
    start(store, ACQUIRE, 8)
    settle(client, role)
    start(store, RELEASE, 8)
    settle(client, role)
    seven, eight = list_latches(store)
    assert (seven["name"], seven["value"], seven["waiters"]) == ("of-7", 2, 2)
    assert sorted(each["workflow"] for each in seven["waiting"]) == sorted(ids)
    assert {each["index"] for each in seven["waiting"]} == {1}
    assert eight == {"name": "of-8", "value": 0, "waiters": 0, "waiting": []}
    waits_for = inspect_workflow(store, ids[0])["steps"][1]["waits_for"]
    assert (waits_for["until"], waits_for["latch"]) == (None, "of-7")


def test_a_reset_completes_countdowns_without_a_role(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    for _ in range(2):
        start(store, ACQUIRE)
    ids = [start(store, COUNTDOWN) for _ in range(3)]
    settle(client, role)
    assert reset_latch(store, "of-7") == {"name": "of-7", "value": 2, "waiters": 3}
    assert sorted(ended_workflows(client, "wait:countdown")) == sorted(ids)
    assert len(events_of(client, "countdown-latch-zero")) == 1
    start(store, RELEASE)
    settle(client, role)
    assert "at zero" in events_of(client, "end-task")[-1]["reason"]
    for name in ("of-7", "never"):
        with pytest.raises(NotFound):
            reset_latch(store, name)


def test_a_reset_that_is_overtaken_is_done_again(
    client: redis.Redis, store: Store, role: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(store, ACQUIRE)
    settle(client, role)
    with store.connect() as connection:
        monkeypatch.setattr(type(store), "connect", lambda self: nullcontext(connection))
        with overtaken(connection, lambda: client.incr(COUNT), writing=f"SET {COUNT} 0"):
            assert reset_latch(store, "of-7")["value"] == 2
    assert client.get(COUNT) == "0"
