"""Every case runs in this process, and by a real lifecycle on a real server."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.local import run_local
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.roles.lifecycle import Lifecycle
from lfr.states import WorkflowState
from lfr.store.redis.connection import open_store
from lfr.values.json import ABSENT, Json
from tests.conformance.cases import RIGHT, case_id

CASES = [case for case in RIGHT if "trace" in case]
"""The cases with the trace of a run: all but those that only have a graph."""


def do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
    """Return the output of a task of the cases, by its name; ABSENT: none at all."""
    if base.startswith("echo"):
        return input
    if base.startswith("none"):
        return ABSENT
    if base.startswith("emit"):
        return parameters or ABSENT
    return {base: index}


def test_no_case_is_missing() -> None:
    assert len(CASES) == sum("result" in case for case in RIGHT) == 83


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_in_this_process(case: dict[str, Any]) -> None:
    trace: list[dict[str, Json]] = []
    skipped: list[int] = []

    def note(index: int, name: str, input: Json) -> None:
        trace.append({"index": index, "name": name, "input": input})

    def note_skipped(index: int, name: str, input: Json) -> None:
        skipped.append(index)

    def do_here(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        output = do(name, base, index, input, parameters)
        return {} if output is ABSENT else output

    output = run_local(case["flow"], do_here, case.get("input"), note, skipped=note_skipped)
    assert output == case["result"]
    assert sorted(trace, key=lambda entry: entry["index"]) == case["trace"]
    assert sorted(skipped) == case["skipped"]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_by_a_lifecycle(case: dict[str, Any], redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.runtime.consumer._LONGEST_BLOCK_SECONDS", 0.001)
    store = open_store(Settings(redis_url=redis_url))
    lifecycle = Lifecycle(store)
    client = redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)
    id = start_workflow(store, case["flow"], case.get("input", ABSENT)).id
    trace: list[dict[str, Json]] = []
    answered: set[str] = set()
    with store.connect() as connection:
        lifecycle.join(connection)
        while answer_all(client, answered, trace) or list_workflows(
            store, WorkflowFilter((WorkflowState.RUNNING,))
        ):
            lifecycle.run_pass(connection)
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["output"]) == ("FINISHED", case["result"])
    assert sorted(trace, key=lambda entry: entry["index"]) == case["trace"]
    skipped = [step["index"] for step in workflow["steps"] if step["state"] == "SKIPPED"]
    assert skipped == case["skipped"]
    client.close()


def answer_all(client: redis.Redis, answered: set[str], trace: list[dict[str, Json]]) -> int:
    """Complete every task that has been started. Return their number."""
    tasks = [
        (id, {name: json.loads(value) for name, value in fields.items()})
        for id, fields in client.xrange("workflows:run")
        if fields["kind"] == '"start-task"' and fields["base"] != '"lfr:each"' and id not in answered
    ]
    for id, task in tasks:
        answered.add(id)
        trace.append({key: task[key] for key in ("index", "name", "input")})
        output = do(task["name"], task["base"], task["index"], task["input"], task["parameters"])
        answer = {key: task[key] for key in ("workflow", "name", "index", "attempt")}
        fields = {
            "kind": "end-task",
            "status": "SUCCESS",
            **answer,
            **({} if output is ABSENT else {"output": output}),
        }
        client.xadd("workflows:run", {name: json.dumps(value) for name, value in fields.items()})
    return len(tasks)
