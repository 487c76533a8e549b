"""A lifecycle that was frozen does nothing with what another one has reclaimed from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import restart_workflow, retry_task
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper, append, settle
from tests.support.interference import overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(replace(settings, lease_seconds=0.0))


def state(store: Store, id: str) -> str:
    return str(inspect_workflow(store, id)["state"])


def test_an_end_task_without_an_attempt_is_counted_once(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    frozen, quick = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    append(client, kind="end-task", workflow=id, index=1, status="FAILURE", reason="it broke")

    def take_over() -> None:
        eventually(lambda: quick.step() or state(store, id) == "FAILED")
        restart_workflow(store, id)

    with overtaken(frozen.connection, take_over, writing=f"RPUSH {id}:facts"):
        frozen.step()
    assert state(store, id) == "RUNNING"
    assert inspect_workflow(store, id)["steps"][1]["attempt"] == 2
    append(client, kind="end-task", workflow=id, index=1, output={"by": "attempt 2"})
    eventually(lambda: quick.step() or state(store, id) == "FINISHED")


def test_an_entry_that_another_lifecycle_has_reclaimed_is_left_to_it(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    frozen = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    entry = append(client, kind="end-task", workflow=id, index=1, output={"by": "its worker"})

    def take_over() -> None:
        client.xclaim("workflows:run", "lifecycle", "another", 0, [entry])
        retry_task(store, id, 1)  # so that the transaction is refused, and all is read again

    with overtaken(frozen.connection, take_over, writing=f"RPUSH {id}:facts"):
        frozen.step()
    (row,) = client.xpending_range("workflows:run", "lifecycle", entry, entry, 1)
    assert row["consumer"] == "another"
    assert state(store, id) == "RUNNING"


def test_a_task_is_completed_by_hand_in_the_attempt_that_runs(store: Store, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    complete_task(store, id, "a", 1, output="of attempt 1")
    retry_task(store, id, 1)
    eventually(lambda: lifecycle.step() or not lifecycle.connection.call("XLEN", "workflows:ends"))
    assert state(store, id) == "RUNNING"


def test_a_note_of_a_refused_try_is_written_by_the_next(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    append(client, kind="end-task", workflow=id, index=1, attempt=1)
    touch = partial(client.hset, id, "touched", 1)  # so that the transaction is refused, and done again
    with overtaken(lifecycle.connection, touch, writing=f"RPUSH {id}:facts"):
        lifecycle.step()
    assert client.hkeys(keys.FOREIGN_TASKS) == ["a"]


def test_an_end_that_changes_nothing_does_not_say_that_foreign_workers_do_a_task(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    append(client, kind="end-task", workflow=id, index=1, attempt=1001)
    append(client, kind="end-task", workflow=id, index=1, attempt=0)
    settle(client, lifecycle)
    assert state(store, id) == "RUNNING"
    assert not client.exists(keys.FOREIGN_TASKS)
