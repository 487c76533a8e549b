"""The lifecycle on a real server: each transition once, whatever arrives."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import (
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from lfr.store.stream.groups import create_group
from tests.integration.conftest import (
    Stepper,
    append,
    events_of,
    joined_receipts,
    run_receipts_role,
    started_tasks,
)
from tests.support.listening import listening
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


def end(client: redis.Redis, workflow: str, index: int, **fields: Any) -> str:
    return append(client, kind="end-task", workflow=workflow, name="x", index=index, **fields)


def states(store: Store, id: str) -> dict[int, str]:
    return {step["index"]: step["state"] for step in inspect_workflow(store, id)["steps"]}


def count_ends(store: Store, id: str) -> Counter[int]:
    history = inspect_workflow(store, id, history=True)["history"]
    return Counter(fact["index"] for fact in history if fact["event"] == "ended")


def test_a_workflow_runs_to_its_end_by_events(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A -> B", {"in": 1}).id
    for index, output in ((1, {"a": 1}), (2, {"b": 2})):
        end(client, id, index, output=output, attempt=1)
        lifecycle.step()
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["output"]) == ("FINISHED", {"b": 2})
    assert [step["input"] for step in workflow["steps"][1:3]] == [{"in": 1}, {"a": 1}]
    assert (
        workflow["started"]
        <= workflow["steps"][1]["ended"]
        <= workflow["steps"][2]["ended"]
        <= workflow["ended"]
    )
    kinds = Counter(fields["kind"] for _, fields in client.xrange("workflows:run"))
    assert kinds['"end-workflow"'] == 1
    assert kinds['"start-task"'] == 2


def test_a_long_output_goes_on_as_it_came(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A -> { B C D }").id
    output = {"text": "x" * 300, "numbers": [1.5, None, 10**30]}
    end(client, id, 1, output=output, attempt=1)
    lifecycle.step()
    inputs = [json.loads(task["input"]) for task in started_tasks(client) if task["name"] != '"A"']
    assert inputs == [output] * 3
    assert inspect_workflow(store, id)["steps"][1]["output"] == output


def test_the_output_of_a_failure_is_no_other_output(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A; B").id
    end(client, id, 1, output="x" * 300, attempt=1, status="FAILURE", reason="it broke")
    end(client, id, 2, output=None, attempt=1)
    lifecycle.step()
    assert states(store, id)[1] == "FAILED"
    assert client.hget(f"{id}:outputs", "2") == "null"


def test_a_duplicate_changes_nothing_and_is_receipted(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    run_receipts_role(client)
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A -> B -> C").id
    for _ in range(3):
        end(client, id, 1, output={"a": 1})
    lifecycle.step()
    end(client, id, 1, output={"other": 1})
    lifecycle.step()
    assert states(store, id) == {0: "DONE", 1: "DONE", 2: "RUNNING", 3: "PENDING", 4: "PENDING"}
    assert len(started_tasks(client)) == 2
    assert count_ends(store, id)[1] == 1
    assert len(joined_receipts(client)) == 5  # the start-workflow and four ends


def test_a_fan_in_of_many_ends_in_one_batch(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A -> { " + " ".join(f"b{i}" for i in range(300)) + " } -> C").id
    end(client, id, 1, output={"a": 1})
    lifecycle.step()
    tasks = started_tasks(client)[1:]
    assert len(tasks) == 300
    for task in reversed(tasks):
        end(client, id, int(task["index"]), output={"i": int(task["index"])})
    while len(started_tasks(client)) < 302:
        lifecycle.step()
    joined = started_tasks(client)[-1]["input"]
    assert joined == "[" + ",".join(f'{{"i":{index}}}' for index in range(3, 303)) + "]"


def test_two_that_move_the_same_workflow_do_it_once(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    id = start_workflow(store, "{ A B } -> C").id
    first.step()
    from lfr.roles import lifecycle as module

    original = module.load
    pending = [True]

    def load_and_be_overtaken(*arguments: Any) -> Any:
        loaded = original(*arguments)
        if pending and pending.pop():
            end(client, id, 3, output={"b": 1})
            monkeypatch.setattr(module, "load", original)
            second.step()
        return loaded

    end(client, id, 2, output={"a": 1})
    monkeypatch.setattr(module, "load", load_and_be_overtaken)
    first.step()
    assert [task["name"] for task in started_tasks(client)] == ['"A"', '"B"', '"C"']
    assert count_ends(store, id) == Counter({0: 1, 1: 1, 2: 1, 3: 1, 4: 1})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"foo": "bar"}, "foo is not JSON"),
        ({"foo": '"bar"'}, "field kind is missing"),
        ({"kind": "end-task"}, "is not JSON"),
        ({"kind": '"end-task"', "workflow": '"workflow:x"'}, "index is missing"),
        (
            {"kind": '"end-task"', "workflow": '"workflow:nobody"', "index": "1"},
            "no workflow workflow:nobody",
        ),
        ({"kind": '"end-task"', "workflow": '"workflow:latch:x"', "index": "1"}, "no workflow"),
        ({"kind": '"start-task"', "name": '"A"'}, "workflow is missing"),
        ({"kind": '"anything"', "data": "{"}, "data is not JSON"),
    ],
)
def test_garbage_is_buried_with_the_reason_and_stops_nobody(
    store: Store, client: redis.Redis, stepper: Make, fields: dict[str, str], reason: str
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A").id
    garbage = client.xadd("workflows:run", fields)
    end(client, id, 1, output={})
    for _ in range(5):  # what a pass appends is foreign to the next, and acknowledged by the one after it
        lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "FINISHED"
    ((_, letter),) = client.xrange("workflows:dead")
    assert letter["id"] == garbage
    assert reason in letter["reason"]
    assert client.xpending("workflows:run", "lifecycle")["pending"] == 0


def test_an_index_that_the_flow_does_not_have_is_buried(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A").id
    end(client, id, 99)
    lifecycle.step()
    assert "no step 99" in client.xrange("workflows:dead")[0][1]["reason"]


def test_an_answer_that_is_not_json_fails_the_step(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A").id
    fields = {"kind": '"end-task"', "workflow": f'"{id}"', "name": '"A"', "index": "1", "output": "NaN"}
    client.xadd("workflows:run", fields)
    lifecycle.step()
    workflow = inspect_workflow(store, id)
    assert workflow["state"] == "FAILED"
    assert "not JSON" in workflow["steps"][1]["reason"]


def test_an_out_of_band_output_is_used(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A -> B").id
    client.set(f"{id}:output:1", '{"from": "beside"}')
    end(client, id, 1)
    lifecycle.step()
    assert started_tasks(client)[-1]["input"] == '{"from":"beside"}'
    assert not client.exists(f"{id}:output:1")


def test_the_workflow_index_follows_the_state(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    ids = [start_workflow(store, "@flow x; A -> B").id for _ in range(3)]
    end(client, ids[0], 1, status="FAILURE", reason="no disk")
    lifecycle.step()
    terminate_workflow(store, ids[1])
    failed, terminated, running = WorkflowState.FAILED, WorkflowState.TERMINATED, WorkflowState.RUNNING

    def listed(filter: WorkflowFilter | None = None) -> set[str]:
        return {workflow["id"] for workflow in list_workflows(store, filter)}

    assert listed() == set(ids)
    assert listed(WorkflowFilter((failed,))) == {ids[0]}
    assert listed(WorkflowFilter((terminated,), "x")) == {ids[1]}
    assert listed(WorkflowFilter(flow="y")) == set()
    assert restart_workflow(store, ids[0]) == "RUNNING"
    assert listed(WorkflowFilter((running,))) == {ids[2], ids[0]}
    task = started_tasks(client)[-1]
    assert (task["workflow"], task["attempt"]) == (f'"{ids[0]}"', "2")
    end(client, ids[0], 1, output={}, attempt=1)  # the attempt that failed, once more
    lifecycle.step()
    assert states(store, ids[0])[1] == "RUNNING"


def test_what_a_lifecycle_had_read_goes_to_another(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = Lifecycle(store)
    lifecycle.lease_seconds = 0.0
    survivor = stepper(lifecycle)
    id = start_workflow(store, "A").id
    end(client, id, 1, output={})
    client.xreadgroup("lifecycle", "who-was-killed", {"workflows:run": ">"})
    survivor.step()
    assert inspect_workflow(store, id)["state"] == "FINISHED"


def test_a_deleted_stream_is_made_again(store: Store, client: redis.Redis, stepper: Make) -> None:
    with listening(Lifecycle(store)):
        eventually(lambda: client.exists("workflows:run"))
        client.delete("workflows:run")
        eventually(lambda: client.exists("workflows:run"))
        id = start_workflow(store, "A").id
        end(client, id, 1, output={})
        eventually(lambda: inspect_workflow(store, id)["state"] == "FINISHED")


def test_a_restart_that_fails_at_once_is_reported(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A -> > B; C -> > D").id
    end(client, id, 1, output=[1])
    end(client, id, 3, output=[2])
    lifecycle.step()
    first = inspect_workflow(store, id)
    assert (first["state"], first["reason"]) == ("FAILED", "cannot merge 1: only objects can be merged")
    skip_task(store, id, 2, {})
    again = inspect_workflow(store, id)
    assert (again["state"], again["reason"]) == ("FAILED", "cannot merge 2: only objects can be merged")
    assert again["ended"] > first["ended"]
    assert len(events_of(client, "failed-workflow")) == 2


def test_a_task_whose_start_was_lost_is_started_anew_by_hand(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A").id
    client.delete(store.stream)
    create_group(lifecycle.connection, store.stream, "lifecycle")
    retry_task(store, id, 1)
    (task,) = events_of(client, "start-task")
    end(client, id, 1, attempt=task["attempt"])
    lifecycle.step()
    assert (task["attempt"], inspect_workflow(store, id)["state"]) == (2, "FINISHED")
