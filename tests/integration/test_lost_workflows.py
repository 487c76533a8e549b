"""A workflow that has lost its record or its flow is told as such, and can be deleted with all its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.errors import Conflict, NotFound
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.find_workflow import find_workflow_id
from lfr.operations.follow import follow_workflow
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow, read_flow
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, append, events_of, settle

Make = Callable[[Consumer], Stepper]

FLOW = """A -> * { B -> wait:delay (- duration: 1h -) } -> C;
wait:acquire (- name: x -) -> wait:event (- event: ok -)"""

OPERATIONS: dict[str, Callable[[Store, str], Any]] = {
    "inspect": inspect_workflow,
    "inspect a step": lambda store, id: inspect_step(store, id, 1),
    "flow": read_flow,
    "follow": lambda store, id: list(follow_workflow(store, id)),
    "terminate": terminate_workflow,
    "restart": restart_workflow,
    "retry": lambda store, id: retry_task(store, id, 1),
    "skip": lambda store, id: skip_task(store, id, 1),
    "fail": lambda store, id: fail_task(store, id, 1, "no"),
    "end": lambda store, id: complete_task(store, id, "A", 1),
    "archive": archive_workflow,
}


@pytest.fixture
def id(store: Store, client: redis.Redis, stepper: Make) -> str:
    """A workflow that runs, with items that wait."""
    id = start_workflow(store, FLOW, workflow_id="lost").id
    lifecycle, wait = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    append(client, kind="end-task", workflow=id, name="A", index=1, output=[1, 2])
    settle(client, lifecycle, wait)
    for task in events_of(client, "start-task"):
        if task["name"] == "B":
            answer = {name: task[name] for name in ("workflow", "name", "index")}
            append(client, kind="end-task", output=5, **answer)
    settle(client, lifecycle, wait)
    assert len(client.keys(f"{id}/*:wait:*")) == 2
    return id


def lose(client: redis.Redis, id: str, what: str) -> None:
    if what == "record":
        client.delete(id)
    else:
        client.delete(f"flow:{client.hget(id, 'flow')}")


@pytest.mark.parametrize("what", ["record", "flow"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_says_what_is_gone(
    store: Store, client: redis.Redis, id: str, what: str, operation: str
) -> None:
    lose(client, id, what)
    with pytest.raises(NotFound, match=f"the {what} of {id} is gone from Redis") as caught:
        OPERATIONS[operation](store, id)
    assert f"lfr delete {id}" in caught.value.hint


@pytest.mark.parametrize("operation", OPERATIONS)
def test_of_a_workflow_that_does_not_exist_nothing_is_gone(store: Store, operation: str) -> None:
    with pytest.raises(NotFound, match="there is no workflow workflow:never"):
        OPERATIONS[operation](store, "workflow:never")
    with pytest.raises(NotFound, match="there is no workflow workflow:never"):
        delete_workflow(store, "workflow:never")


@pytest.mark.parametrize("what", ["record", "flow"])
def test_it_is_listed(store: Store, client: redis.Redis, id: str, what: str) -> None:
    lose(client, id, what)
    (listed,) = list_workflows(store)
    assert (listed["id"], listed["state"]) == (id, "RUNNING")
    assert ("its record is gone from Redis" in str(listed["reason"])) == (what == "record")
    assert list_workflows(store, WorkflowFilter((WorkflowState.FINISHED,))) == []


@pytest.mark.parametrize("what", ["record", "flow", "both"])
@pytest.mark.parametrize("is_listed", [True, False])
def test_it_is_deleted_with_all_its_keys_and_those_of_no_other(
    store: Store, client: redis.Redis, id: str, what: str, is_listed: bool
) -> None:
    others = {start_workflow(store, FLOW, workflow_id=f"lost{end}").id for end in ("-2", ":2", "x")}
    for each in ("flow", "record") if what == "both" else (what,):
        lose(client, id, each)
    if not is_listed:
        for key in client.keys("workflows:*"):
            if client.type(key) == "zset":
                client.zrem(key, id)
    assert find_workflow_id(store, id) == id
    delete_workflow(store, id)
    own_keys = [key for key in client.keys(f"{id}*") if not key.startswith(tuple(others))]
    assert own_keys == []
    assert set(client.zrange("workflows:all", 0, -1)) == others
    assert {each["id"] for each in list_workflows(store)} == others
    with pytest.raises(NotFound, match="there is no workflow"):
        delete_workflow(store, id)
    start_workflow(store, FLOW, workflow_id="lost")
    for other in others:
        assert inspect_workflow(store, other)["state"] == "RUNNING"


def test_an_item_is_not_deleted_by_itself(store: Store, client: redis.Redis, id: str) -> None:
    lose(client, id, "flow")
    with pytest.raises(Conflict, match="is a child of"):
        delete_workflow(store, f"{id}/2.0")


def test_another_start_of_the_flow_brings_it_back(store: Store, client: redis.Redis, id: str) -> None:
    lose(client, id, "flow")
    start_workflow(store, FLOW)
    assert inspect_workflow(store, id)["state"] == "RUNNING"


@pytest.mark.parametrize("lost", ["", ":outputs"])
def test_no_workflow_begins_on_what_is_left_of_another(
    store: Store, client: redis.Redis, id: str, lost: str
) -> None:
    document = archive_workflow(store, id)
    client.delete(f"{id}{lost}")
    with pytest.raises(Conflict, match=f"something is left in Redis of an earlier workflow {id}"):
        start_workflow(store, FLOW, workflow_id="lost")
    with pytest.raises(Conflict):
        restore_workflow(store, document, id)
    assert restore_workflow(store, document) != id
