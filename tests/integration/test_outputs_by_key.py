"""Outputs that workers write beside the stream: used by the attempt that wrote them, and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr import events
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, restart_workflow, retry_task, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.littleflow_compat import (
    drop_out_of_band_output,
    replace_out_of_band_output,
    save_out_of_band_output,
)
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, append, events_of
from tests.support.interference import overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


def end(client: redis.Redis, workflow: str, index: int = 1, **fields: Any) -> None:
    append(client, kind="end-task", workflow=workflow, index=index, **fields)


def output(store: Store, id: str) -> Any:
    return inspect_workflow(store, id)["output"]


def write(client: redis.Redis, id: str, text: str, index: int = 1) -> None:
    client.set(keys.out_of_band_output(id, index), text)


def test_the_next_attempt_does_not_use_the_output_of_the_last(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "a").id
    write(client, id, '"of attempt 1"')
    retry_task(store, id, 1)
    end(client, id)
    lifecycle.step()
    assert output(store, id) == {}


def test_a_retry_after_a_failure_does_not_use_the_output_before(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "a (- lfr: {retry: {times: 1, delay: 0.001}} -)").id
    write(client, id, '"of attempt 1"')
    end(client, id, status="FAILURE", reason="it broke")
    eventually(lambda: lifecycle.step() or len(events_of(client, "start-task")) == 2)
    end(client, id)
    lifecycle.step()
    assert output(store, id) == {}


def test_a_later_workflow_with_the_same_id_does_not_use_an_output_that_came_late(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "a", workflow_id="workflow:x").id
    terminate_workflow(store, id)
    delete_workflow(store, id)
    write(client, id, '"of the deleted workflow"')
    start_workflow(store, "a", workflow_id="workflow:x")
    end(client, id)
    lifecycle.step()
    assert output(store, id) == {}


def test_what_a_refused_try_has_read_is_read_again(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "a").id
    write(client, id, '"of attempt 1"')

    def retry() -> None:
        retry_task(store, id, 1)
        write(client, id, '"of attempt 2"')

    with overtaken(lifecycle.connection, retry, writing=f"RPUSH {id}:facts"):
        end(client, id, attempt=1)
        lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "RUNNING"
    end(client, id, attempt=2)
    lifecycle.step()
    assert output(store, id) == "of attempt 2"


@pytest.mark.parametrize("result", [{"output": 1}, {"status": "FAILURE"}, {}])
def test_an_output_that_comes_after_the_deletion_goes_with_the_late_end_task(
    store: Store, client: redis.Redis, lifecycle: Stepper, result: dict[str, Any]
) -> None:
    id = start_workflow(store, "a").id
    terminate_workflow(store, id)
    delete_workflow(store, id)
    write(client, id, '"late"')
    end(client, id, **result)
    lifecycle.step()
    assert client.keys(f"{id}*") == []


def test_outputs_by_key_of_items_are_deleted(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start_workflow(store, "* { a -> b }", [1, 2]).id
    lifecycle.step()
    for number in range(2):
        item = f"{id}/1.{number}"
        for index, name in ((2, "a"), (3, "b")):
            write(client, item, '"beside the stream"', index)
            end(client, item, index, name=name, output=f"{name} of {number}")
            lifecycle.step()
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["state"] == "FINISHED")
    assert output(store, id) == ["b of 0", "b of 1"]
    assert client.keys(f"{id}/*") == []
    delete_workflow(store, id)
    assert client.keys(f"{id}*") == []


def test_a_request_whose_attempt_is_over_leaves_no_output(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "request:post (- {url: 'http://x', sync: false} -)", {"n": 1}).id
    (start,) = events_of(client, "start-task")
    late = events.StartTask(id, "request:post", "request:post", 1, {}, {}, 1, run=start["run"])
    with store.connect() as connection:
        assert save_out_of_band_output(connection, late, "of attempt 1")
        terminate_workflow(store, id)
        restart_workflow(store, id)
        assert client.get(keys.out_of_band_output(id, 1)) is None
        assert not save_out_of_band_output(connection, late, "late")
        write(client, id, '"of attempt 2"')
        replace_out_of_band_output(connection, late, "late")
        drop_out_of_band_output(connection, late)
    assert client.get(keys.out_of_band_output(id, 1)) == '"of attempt 2"'
