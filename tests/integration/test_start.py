"""Starting: once for each id, however often it is asked for."""

from __future__ import annotations

import json
import threading
from uuid import UUID

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from lfr.errors import BadInput, Conflict
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.find_workflow import find_workflow_id
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.operations.workflow_ids import generate_workflow_id, parse_new_workflow_id
from lfr.store.redis.connection import Store
from tests.integration.conftest import started_tasks


def test_the_same_again_under_an_id_is_the_same_workflow(store: Store, client: redis.Redis) -> None:
    first = start_workflow(store, "A -> B", {"n": 1}, "mine")
    again = start_workflow(store, "A -> B", {"n": 1}, "workflow:mine")
    assert (first.id, first.is_new, again.id, again.is_new) == ("workflow:mine", True, "workflow:mine", False)
    assert len(started_tasks(client)) == 1


@pytest.mark.parametrize(("text", "input"), [("A -> C", {"n": 1}), ("A -> B", {"n": 2})])
def test_something_else_under_an_id_is_a_conflict(store: Store, text: str, input: dict[str, int]) -> None:
    start_workflow(store, "A -> B", {"n": 1}, "mine")
    with pytest.raises(Conflict):
        start_workflow(store, text, input, "mine")


def test_a_flow_without_a_name_is_called_after_its_file(store: Store) -> None:
    """The name is that of the workflow, not of the flow: the text under another name starts nothing again."""
    id = start_workflow(store, "A", name="night build").id
    assert id.startswith("workflow:night-build-")
    assert inspect_workflow(store, id)["name"] == "night build"
    assert inspect_workflow(store, start_workflow(store, "@flow own\nA", name="file").id)["name"] == "own"
    start_workflow(store, "A", {}, "mine", name="one")
    assert not start_workflow(store, "A", {}, "mine", name="two").is_new
    assert [workflow["id"] for workflow in list_workflows(store, WorkflowFilter(flow="one"))] == [
        "workflow:mine"
    ]
    document = archive_workflow(store, id)
    copy = restore_workflow(store, document, None)
    assert copy.startswith("workflow:night-build-") and copy != id
    assert inspect_workflow(store, copy)["name"] == "night build"


def test_many_at_once_under_one_id_start_one(store: Store, client: redis.Redis) -> None:
    started: list[bool] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        started.append(start_workflow(store, "A", {}, "mine").is_new)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [False] * 7 + [True]
    assert len(started_tasks(client)) == 1


def test_a_flow_is_kept_once_and_counted(store: Store, client: redis.Redis) -> None:
    for _ in range(3):
        start_workflow(store, "A -> B")
    assert len(client.keys("flow:*")) == 1
    assert list(client.hgetall("flows:refs").values()) == ["3"]


def test_the_name_of_the_flow_is_in_the_id(store: Store) -> None:
    assert start_workflow(store, "@flow my-flow\nA").id.startswith("workflow:my-flow-")


@pytest.mark.parametrize("name", ["latch:x", "latch:x:steps", "x:steps", "..", "a/b", "a\nb", ":", "é" * 300])
def test_a_workflow_can_be_reached_whatever_the_name_of_its_flow_is(store: Store, name: str) -> None:
    id = start_workflow(store, "a", name=name).id
    assert find_workflow_id(store, id) == id
    assert inspect_workflow(store, id)["state"] == "RUNNING"
    terminate_workflow(store, id)
    delete_workflow(store, id)


@given(st.text())
def test_every_generated_id_is_the_id_of_a_workflow(name: str) -> None:
    id = generate_workflow_id(name, UUID(int=0))
    assert parse_new_workflow_id(id) == id


@pytest.mark.parametrize(
    "id", ["", "a b", "latch:x", "x" * 300, "x:steps", "x:facts", "x:history", "x:output:3", "a\n", "é\ud800"]
)
def test_an_id_that_cannot_be_is_refused(store: Store, id: str) -> None:
    with pytest.raises(BadInput):
        start_workflow(store, "A", {}, id)


@pytest.mark.parametrize("input", [float("nan"), {"n": float("nan")}, {"o": object()}])
def test_an_input_that_cannot_be_is_refused(store: Store, input: object) -> None:
    with pytest.raises(BadInput):
        start_workflow(store, "A", input)


def test_a_flow_without_tasks_is_finished_at_once(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, '<{"a": 1}> -> { > { ?`$.no` A } }').id
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["output"]) == ("FINISHED", {"a": 1})
    assert client.zscore("workflows:state:FINISHED", id)


def test_resources_are_kept_as_the_base_makes_them(store: Store, client: redis.Redis) -> None:
    start_workflow(store, "<set.json> -> A", base="/srv")
    (task,) = started_tasks(client)
    assert json.loads(task["parameters"]) == {"uri": "file:///srv/set.json"}
    with pytest.raises(BadInput, match="the base"):
        start_workflow(store, "A", base="relative")
