"""Values of all six kinds of JSON go through workflows as they are: inputs, outputs, items, archives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.client import Client
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect import values as described_values
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow
from lfr.operations.intervene import skip_task, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.simulate import Simulate
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store
from lfr.values.json import ABSENT, Json
from lfr.worker.python_tasks import make_executor
from lfr.worker.registry import make_task, task
from tests.integration.conftest import Stepper, append, events_of, settle
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

VALUES: list[Json] = [{}, [], "", "text", 0, 5, -1.5, True, False, None, {"null": None}, [None, {}, 1]]


def end(client: redis.Redis, id: str, index: int, **fields: Any) -> None:
    append(client, kind="end-task", workflow=id, name="x", index=index, **fields)


def is_same(value: Json, other: Json) -> bool:
    """Return whether two values are the same in JSON: not as 1, 1.0 and True are equal in Python."""
    return json.dumps(value) == json.dumps(other)


@pytest.mark.parametrize("value", VALUES)
def test_an_output_of_any_kind_is_the_input_of_the_next_task_and_of_the_whole(
    store: Store, client: redis.Redis, lifecycle: Stepper, value: Json
) -> None:
    id = start_workflow(store, "A -> B", value).id
    end(client, id, 1, output=value)
    lifecycle.step()
    end(client, id, 2, output=value)
    lifecycle.step()
    assert all(is_same(task["input"], value) for task in events_of(client, "start-task"))
    workflow = inspect_workflow(store, id)
    assert workflow["state"] == "FINISHED"
    assert is_same(workflow["input"], value)
    assert is_same(workflow["output"], value)
    step = inspect_step(store, id, 2)
    assert is_same(step["input"], value)
    assert is_same(step["output"], value)


@pytest.mark.parametrize("value", VALUES)
def test_an_out_of_band_output_of_any_kind(
    store: Store, client: redis.Redis, lifecycle: Stepper, value: Json
) -> None:
    id = start_workflow(store, "A -> B").id
    client.set(f"{id}:output:1", json.dumps(value))
    end(client, id, 1)
    lifecycle.step()
    assert is_same(events_of(client, "start-task")[-1]["input"], value)


def test_a_task_that_ends_without_an_output_has_an_empty_object(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "A -> B").id
    end(client, id, 1)
    lifecycle.step()
    assert [task["input"] for task in events_of(client, "start-task")] == [{}, {}]


def test_items_of_any_kind_are_inputs_and_outputs_as_they_are(
    store: Store, client: redis.Redis, lifecycle: Stepper, stepper: Make
) -> None:
    id = start_workflow(store, "* echo -> * { echo } -> echo", VALUES).id
    simulate = stepper(Simulate(store, 0.0, 0.0))
    eventually(lambda: settle(client, lifecycle, simulate) or client.hget(id, "state") == "FINISHED")
    workflow = inspect_workflow(store, id)
    assert is_same(workflow["output"], VALUES)
    assert is_same([step["output"] for step in workflow["steps"]][1], VALUES)


@pytest.mark.parametrize("value", VALUES)
def test_what_a_function_returns_is_the_output(
    store: Store, client: redis.Redis, lifecycle: Stepper, stepper: Make, value: Json
) -> None:
    inputs: list[Json] = []
    id = start_workflow(store, "A -> B").id
    end(client, id, 1, output=value)
    lifecycle.step()

    def function(input: Json) -> Json:
        inputs.append(input)
        return input

    tasks = {"B": make_task("B", task("B")(function))}
    worker = stepper(make_executor(store, "mine", tasks, concurrency=1, grace_seconds=5))
    eventually(
        lambda: worker.step() or lifecycle.step() or client.hget(id, "state") == "FINISHED",
    )
    assert is_same(inputs, [value])
    assert is_same(inspect_workflow(store, id)["output"], value)


@pytest.mark.parametrize("value", VALUES)
def test_an_output_by_hand_of_any_kind(
    store: Store, client: redis.Redis, lifecycle: Stepper, value: Json
) -> None:
    id = start_workflow(store, "A -> B -> C", {"in": 1}).id
    complete_task(store, id, "A", 1, output=value)
    lifecycle.step()
    assert is_same(events_of(client, "start-task")[-1]["input"], value)
    skip_task(store, id, 2, value)
    assert is_same(events_of(client, "start-task")[-1]["input"], value)


def test_a_skipped_task_without_an_output_by_hand_has_its_input(store: Store, lifecycle: Stepper) -> None:
    for input in (None, 5, {"in": 1}):
        id = start_workflow(store, "A", input).id
        skip_task(store, id, 1)
        assert is_same(inspect_workflow(store, id)["output"], input)


@pytest.mark.parametrize("value", VALUES)
def test_an_archive_keeps_values_of_any_kind(
    store: Store, client: redis.Redis, lifecycle: Stepper, value: Json
) -> None:
    id = start_workflow(store, "A -> * B  C -> D", value).id
    end(client, id, 1, output=[value, value])
    lifecycle.step()
    terminate_workflow(store, id)
    lifecycle.step()
    copy = restore_workflow(store, json.loads(json.dumps(archive_workflow(store, id))))
    before, after = inspect_workflow(store, id), inspect_workflow(store, copy)
    assert is_same(after["input"], value)
    assert [step["output"] for step in before["steps"]] == [step["output"] for step in after["steps"]]


@pytest.mark.parametrize("value", VALUES)
def test_the_output_of_an_event_may_be_of_any_kind(
    store: Store, client: redis.Redis, lifecycle: Stepper, stepper: Make, value: Json
) -> None:
    id = start_workflow(store, "wait:event (- event: ok -)", {"in": 1}).id
    role = stepper(WaitTasks(store))
    role.step()
    append(client, kind="ok", output=value)
    settle(client, role, lifecycle)
    assert is_same(inspect_workflow(store, id)["output"], value)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("flow", ["wait:delay (- duration: 0 -)", "wait:acquire (- name: x -)"])
def test_a_wait_passes_values_of_any_kind_on(
    store: Store, client: redis.Redis, lifecycle: Stepper, stepper: Make, flow: str, value: Json
) -> None:
    id = start_workflow(store, flow, value).id
    role = stepper(WaitTasks(store))
    eventually(lambda: settle(client, role, lifecycle) or client.hget(id, "state") == "FINISHED")
    assert is_same(inspect_workflow(store, id)["output"], value)


def test_a_client_starts_with_any_value_and_without_an_input(redis_url: str, store: Store) -> None:
    client = Client(redis_url)
    for value in VALUES:
        if value is not None:
            assert is_same(client.inspect(client.run("A", value))["input"], value)
    assert client.inspect(client.run("A"))["input"] == {}
    assert client.inspect(client.run("A", None))["input"] == {}
    assert inspect_workflow(store, start_workflow(store, "A", ABSENT).id)["input"] == {}


@pytest.mark.parametrize("merge", ["", "> "], ids=["as it is", "merged"])
def test_a_big_output_before_many_steps_stands_in_the_description_a_few_times(
    store: Store, monkeypatch: pytest.MonkeyPatch, client: redis.Redis, lifecycle: Stepper, merge: str
) -> None:
    monkeypatch.setattr(described_values, "MAX_INPUT_BYTES", 45_000)
    fan = " ".join(f"{merge}T{number}" for number in range(20))
    big = {"text": "x" * 10_000}
    id = start_workflow(store, f"{{ A B }} -> {{ {fan} }}").id
    index = {step["name"]: step["index"] for step in inspect_workflow(store, id)["steps"]}
    end(client, id, index["A"], output=big)
    end(client, id, index["B"], output={"n": 1})
    lifecycle.step()
    workflow = inspect_workflow(store, id)
    assert len(json.dumps(workflow)) < 100_000
    steps = {step["name"]: step for step in workflow["steps"]}
    input = {**big, "n": 1} if merge else [big, {"n": 1}]
    assert (steps["T1"]["input"], "omitted" in steps["T1"]) == (input, False)
    assert (steps["T19"]["input"], steps["T19"]["omitted"]) == (None, ["input"])
    step = inspect_step(store, id, steps["T19"]["index"])
    assert (step["input"], "omitted" in step) == (input, False)


def test_the_outputs_of_a_description_are_bounded_but_not_input_and_output_of_the_workflow(
    store: Store, monkeypatch: pytest.MonkeyPatch, client: redis.Redis, lifecycle: Stepper
) -> None:
    monkeypatch.setattr(described_values, "MAX_OUTPUT_BYTES", 35_000)
    id = start_workflow(store, "A -> B -> C -> D -> E", "i" * 50_000).id
    index = {step["name"]: step["index"] for step in inspect_workflow(store, id)["steps"]}
    for name in "ABCDE":
        end(client, id, index[name], output=name * (30_000 if name in "BE" else 10_000))
        lifecycle.step()
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["output"]) == ("FINISHED", "E" * 30_000)
    assert workflow["input"] == "i" * 50_000
    steps = {step["name"]: step for step in workflow["steps"]}
    assert {name: step.get("omitted") for name, step in steps.items() if name} == {
        "A": ["input"],
        "B": ["output"],
        "C": ["input"],
        "D": None,
        "E": ["output"],
    }
    assert steps["A"]["output"] == "A" * 10_000 and steps["D"]["input"] == "C" * 10_000
    assert steps["B"]["output"] is None and steps["C"]["input"] is None
    assert inspect_step(store, id, index["B"])["output"] == inspect_step(store, id, index["C"])["input"]
    assert inspect_step(store, id, index["B"])["output"] == "B" * 30_000
