"""Latches are used in the order of the results of the steps before, whichever lifecycle processes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest
import redis

from lfr.config.settings import Settings
from lfr.lifecycle.latch_order import LatchOrder
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import retry_task
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper, append, events_of, settle
from tests.support.interference import killed, overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

ACQUIRE = "a -> wait:acquire (- name: x -)"
RELEASE = "b -> wait:release (- name: x -)"
COUNTDOWN = "c -> wait:countdown (- name: x -)"


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(replace(settings, lease_seconds=0.3))


def end(client: redis.Redis, id: str, index: int = 1) -> None:
    append(client, kind="end-task", workflow=id, index=index, attempt=1)


def latch_starts(client: redis.Redis) -> list[str]:
    """Return the names of the tasks with latches that have started, in the order of the bus."""
    return [task["name"] for task in events_of(client, "start-task") if task["name"].startswith("wait:")]


def die_with_a_result(lifecycle: Stepper) -> None:
    """Let a lifecycle die after it has read what is on the streams."""
    with killed(lifecycle.connection, writing="XACK workflows:run lifecycle"):
        lifecycle.step()


def test_a_countdown_waits_for_an_acquire_whose_cause_another_lifecycle_has_read(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    dead, lifecycle = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    acquiring, counting = (start_workflow(store, flow).id for flow in (ACQUIRE, COUNTDOWN))
    other = start_workflow(store, "d -> e").id
    settle(client, lifecycle)
    end(client, acquiring)
    die_with_a_result(dead)
    end(client, counting)
    end(client, other)
    lifecycle.step()
    assert latch_starts(client) == []
    assert inspect_workflow(store, other)["steps"][1]["state"] == "DONE"  # this one does not wait
    assert lifecycle.consumer.capacity() == store.settings.batch - 1
    eventually(lambda: lifecycle.step() or len(latch_starts(client)) == 2)
    assert latch_starts(client) == ["wait:acquire", "wait:countdown"]
    settle(client, lifecycle)


def test_a_result_that_is_held_back_holds_back_those_behind_it(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    dead, lifecycle = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    first = start_workflow(store, "a -> b").id
    acquiring, releasing = (start_workflow(store, flow).id for flow in (ACQUIRE, RELEASE))
    settle(client, lifecycle)
    end(client, first)
    die_with_a_result(dead)
    for id in (acquiring, releasing):
        end(client, id)
        lifecycle.step()
    assert latch_starts(client) == []
    eventually(lambda: lifecycle.step() or len(latch_starts(client)) == 2)
    assert latch_starts(client) == ["wait:acquire", "wait:release"]


@pytest.mark.parametrize("is_refused", [False, True])
def test_within_one_pass_the_order_of_the_results_counts_across_workflows(
    store: Store, client: redis.Redis, stepper: Make, is_refused: bool
) -> None:
    lifecycle = stepper(Lifecycle(store))
    releasing = start_workflow(store, f"{RELEASE}; d -> e; f").id
    acquiring = start_workflow(store, ACQUIRE).id
    settle(client, lifecycle)
    end(client, releasing, 3)
    end(client, acquiring)
    end(client, releasing)
    with ExitStack() as stack:
        if is_refused:
            retry = partial(retry_task, store, releasing, 5)
            writing = f"RPUSH {releasing}:facts"
            stack.enter_context(overtaken(lifecycle.connection, retry, writing=writing))
        lifecycle.step()
    assert latch_starts(client) == ["wait:acquire", "wait:release"]


def test_a_lifecycle_that_stops_leaves_what_it_holds_back(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    store = open_store(replace(store.settings, lease_seconds=3600))
    dead, stopped = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    first, acquiring = start_workflow(store, "a -> b").id, start_workflow(store, ACQUIRE).id
    settle(client, stopped)
    end(client, first)
    die_with_a_result(dead)
    end(client, acquiring)
    stopped.step()
    assert latch_starts(client) == []
    stopped.consumer.leave(stopped.connection)
    client.xgroup_delconsumer("workflows:run", "lifecycle", dead.consumer.id.name)
    lifecycle = stepper(Lifecycle(store))
    eventually(lambda: lifecycle.step() or latch_starts(client) == ["wait:acquire"])


def test_a_lifecycle_alone_holds_nothing_back(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[object] = []
    monkeypatch.setattr(LatchOrder, "hold", lambda self, entries: held.extend(entries))
    lifecycle = stepper(Lifecycle(store))
    for _ in range(10):
        end(client, start_workflow(store, ACQUIRE).id)
    settle(client, lifecycle)
    assert latch_starts(client) == ["wait:acquire"] * 10
    assert held == []
