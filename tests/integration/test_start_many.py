"""Starting many workflows of one flow: in few transactions, in order, each once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr import Client
from lfr.errors import BadInput, Conflict
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow, start_workflows
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.store.redis.connection import Store
from tests.integration.conftest import started_tasks

FLOW = '@flow order (- inputs: {n: {type: integer, required: true}, size: {default: "M"}} -)\nA -> B'


def committed(client: redis.Redis, work: Callable[[], object]) -> int:
    """Return how many transactions Redis has executed meanwhile."""

    def count() -> int:
        statistics: Any = client.info("commandstats")
        return int(statistics.get("cmdstat_exec", {"calls": 0})["calls"])

    before = count()
    work()
    return count() - before


def test_many_workflows_start_in_few_transactions_in_the_order_of_their_inputs(
    store: Store, client: redis.Redis
) -> None:
    inputs: list[Any] = [{"n": number} for number in range(230)]
    assert committed(client, lambda: start_workflows(store, FLOW, inputs)) == 3
    tasks = started_tasks(client)
    assert [json.loads(task["input"])["n"] for task in tasks] == list(range(230))
    assert len({task["workflow"] for task in tasks}) == 230
    assert json.loads(tasks[7]["input"]) == {"n": 7, "size": "M"}
    [references] = client.hvals("flows:refs")[:1]
    assert int(references) == 230


def test_a_transaction_of_starts_is_bounded_by_the_bytes_of_their_inputs(
    store: Store, client: redis.Redis
) -> None:
    inputs: list[Any] = ["a" * 400_000] * 5
    assert committed(client, lambda: start_workflows(store, "A", inputs)) == 3
    assert committed(client, lambda: start_workflows(store, "A", ["a" * 3_000_000])) == 1
    assert len(started_tasks(client)) == 6


def test_nothing_starts_if_one_input_or_id_is_wrong(store: Store, client: redis.Redis) -> None:
    good: list[Any] = [{"n": 1}] * 150
    for inputs, ids in (
        ([*good, {"n": "one"}], None),
        ([{"n": 1}], ["a b"]),
        ([{"n": 1}, {"n": 2}], ["one"]),
        ([{"n": 1}, {"n": 2}], ["one", "workflow:one"]),
    ):
        with pytest.raises(BadInput):
            start_workflows(store, FLOW, inputs, ids)
    assert not started_tasks(client)
    assert not client.exists("workflows:all")


def test_the_same_ids_again_start_what_is_missing(store: Store, client: redis.Redis) -> None:
    inputs: list[Any] = [{"n": number} for number in range(3)]
    start_workflow(store, FLOW, {"n": 1}, "b")
    started = start_workflows(store, FLOW, inputs, ["a", "b", "c"])
    assert [(each.id, each.is_new) for each in started] == [
        ("workflow:a", True),
        ("workflow:b", False),
        ("workflow:c", True),
    ]
    assert not any(each.is_new for each in start_workflows(store, FLOW, inputs, ["a", "b", "c"]))
    assert len(started_tasks(client)) == 3


def test_an_id_of_another_workflow_stops_its_transaction(store: Store, client: redis.Redis) -> None:
    start_workflow(store, FLOW, {"n": 7}, "b")
    with pytest.raises(Conflict, match="workflow:b already exists"):
        start_workflows(store, FLOW, [{"n": 1}, {"n": 2}], ["a", "b"])
    client.hset("workflow:c:outputs", "0", "{}")
    with pytest.raises(Conflict, match="earlier workflow workflow:c"):
        start_workflows(store, FLOW, [{"n": 1}, {"n": 2}], ["a", "c"])
    assert len(started_tasks(client)) == 1


def test_the_client_starts_many_of_a_text_or_of_a_stored_flow(store: Store) -> None:
    lfr = Client(store.settings.redis_url)
    assert lfr.run_many("A", []) == []
    [first, second] = lfr.run_many("A", [None, {"n": 2}], name="mine", labels={"tenant": 7})
    assert [inspect_workflow(store, id)["input"] for id in (first, second)] == [{}, {"n": 2}]
    assert inspect_workflow(store, second)["labels"] == {"tenant": "7"}
    assert first.startswith("workflow:mine-")
    apply_flows(store, [FlowSource(FLOW)])
    assert lfr.run_many(flow="order", inputs=[{"n": 1}], workflow_ids=["o-1"]) == ["workflow:o-1"]
    assert inspect_workflow(store, "workflow:o-1")["version"] == 1
    with pytest.raises(BadInput):
        lfr.run_many(inputs=[1])


def test_a_flow_stays_as_long_as_one_of_many_uses_it(store: Store, client: redis.Redis) -> None:
    ids = [each.id for each in start_workflows(store, "A -> B", [{}] * 3)]
    for remaining, id in zip((2, 1, 0), ids, strict=True):
        [flow] = client.keys("flow:*")
        terminate_workflow(store, id)
        delete_workflow(store, id)
        assert client.exists(flow) == (remaining > 0)
