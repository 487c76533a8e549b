"""The totals of the metrics: what lifecycles and workers count, and what heartbeats store of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import redis

from lfr import events
from lfr.errors import LfrError
from lfr.host.systemd import ServiceManager
from lfr.operations.complete_task import complete_task
from lfr.operations.intervene import terminate_workflow
from lfr.operations.metrics import load_metrics
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import HeartbeatMonitor
from lfr.store import keys
from lfr.store.redis.connection import Store
from lfr.store.totals import MAX_NAMES, OTHER, TotalsWriter, load_totals
from lfr.values.json import Json
from lfr.worker.executor import TaskExecutor
from lfr.worker.failures import TaskFailed
from tests.integration.conftest import Stepper
from tests.support.listening import listening
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a heartbeat due at every pass."""
    monkeypatch.setattr("lfr.runtime.heartbeat._INTERVAL_SECONDS", 0.0)


def monitor_of(*consumers: Consumer) -> HeartbeatMonitor:
    return HeartbeatMonitor("lifecycle", consumers, ServiceManager("", watchdog_seconds=0))


def run(lifecycle: Stepper) -> None:
    for _ in range(8):
        lifecycle.step()


def test_workflows_are_counted_by_flow_and_tasks_by_name(store: Store, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    monitor = monitor_of(lifecycle.consumer)
    ids = [start_workflow(store, "@task a = img:a; @flow order; a -> b").id for _ in range(4)]
    complete_task(store, ids[0], "a", 1)
    complete_task(store, ids[1], "a", 1, status="FAILURE", reason="no disk")
    run(lifecycle)
    complete_task(store, ids[0], "b", 2)
    terminate_workflow(store, ids[2])
    start_workflow(store, "* {c}", [1, 2], name="batch")  # items are no workflows
    start_workflow(store, "@flow at_once; * {c}", [])
    run(lifecycle)
    monitor.pass_completed(lifecycle.consumer, lifecycle.connection)
    metrics = load_metrics(store)
    assert metrics.flow_totals == {
        "order": {"started": 4, "finished": 1, "failed": 1, "terminated": 1},
        "batch": {"started": 1},
        "at_once": {"started": 1, "finished": 1},
    }
    assert metrics.task_totals == {"img:a": {"ended": 1, "failed": 1}, "b": {"ended": 1}}
    run(lifecycle)
    monitor.remove(lifecycle.connection)
    assert load_metrics(store).flow_totals == metrics.flow_totals


def test_a_workflow_that_is_deleted_meanwhile_counts_as_other(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "@flow order; a").id
    run(lifecycle)
    client.delete(id)
    monitor_of(lifecycle.consumer).remove(lifecycle.connection)
    assert load_metrics(store).flow_totals == {OTHER: {"started": 1}}


def test_names_are_bounded(store: Store, client: redis.Redis) -> None:
    key = keys.FLOW_TOTALS
    with store.connect() as connection:
        for writer, first in ((TotalsWriter(), 0), (TotalsWriter(), 60)):
            for number in range(first, first + 60):
                connection.execute(writer.commands(connection, {(key, "started", f"f{number}"): 2}))
        connection.execute(TotalsWriter().commands(connection, {(key, "started", "x" * 201): 1}))
        totals = load_totals(connection, key)
        long = {(keys.TASK_TOTALS, "started", "x" * length): 1 for length in (200, 201)}
        connection.execute(TotalsWriter().commands(connection, long))
        assert set(load_totals(connection, keys.TASK_TOTALS)) == {"x" * 200, OTHER}
    assert len(totals) == MAX_NAMES + 1
    assert totals["f0"] == {"started": 2} and totals[OTHER] == {"started": 41}


def test_a_hash_that_another_program_has_overwritten_stops_nobody(store: Store, client: redis.Redis) -> None:
    with store.connect() as connection:
        connection.call("PING")  # a new connection is checked
        client.set(keys.FLOW_TOTALS, "x")
        commands = TotalsWriter().commands(connection, {(keys.FLOW_TOTALS, "started", "f"): 1})
        assert commands == [("HINCRBY", keys.FLOW_TOTALS, f"started {OTHER}", 1)]
        connection.execute(commands, keep_errors=True)
        with pytest.raises(LfrError, match=keys.FLOW_TOTALS):
            load_totals(connection, keys.FLOW_TOTALS)


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("is_async", [False, True])
def test_durations_of_tasks(store: Store, stepper: Make, concurrency: int, is_async: bool) -> None:
    def work(task: events.StartTask) -> Json | Awaitable[Json]:
        if task.index == 2:
            raise TaskFailed("no disk")
        return wait() if is_async else 7

    async def wait() -> Json:
        return 7

    executor = TaskExecutor(store, "runner", work, claims=("mine",), concurrency=concurrency)
    executor.observer = monitor_of(executor)
    lifecycle = stepper(Lifecycle(store))
    with listening(executor):
        start_workflow(store, "{ mine mine }")

        def has_stored() -> bool:
            lifecycle.step()
            return sum(totals().get(f"le{index}", 0) for index in range(8)) == 2

        def totals() -> dict[str, int]:
            return load_metrics(store).task_totals.get("mine", {})

        eventually(has_stored)
        assert totals()["microseconds"] > 0
