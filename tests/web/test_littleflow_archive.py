"""Archives that littleflow_redis has written: restored, and gone on with."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from lfr.operations.complete_task import complete_task
from lfr.store.redis.connection import Store
from tests.web.conftest import Caller, step

TEXT = (Path(__file__).parent / "littleflow-archive.json").read_text()
"""What littleflow_redis 0.4.0 gave of `a (- k: 1 -) -> { B c } -> > d` after the ends of a and B."""


def document() -> dict[str, Any]:
    archive: dict[str, Any] = json.loads(TEXT)
    return archive


def test_it_goes_on_where_it_was(call: Caller, store: Store) -> None:
    reply = call("POST", "/workflows/restore?workflow=old", document())
    assert (reply.status, reply.json) == (201, {"workflow": "workflow:old"})
    workflow = call("GET", "/workflows/old").json
    assert (workflow["state"], workflow["started"]) == ("TERMINATED", "2026-11-28T02:16:58.022+00:00")
    assert [(each["kind"], each["name"], each["state"]) for each in workflow["steps"]] == [
        ("start", "", "DONE"),
        ("task", "a", "DONE"),
        ("subflow", "", "DONE"),
        ("task", "B", "DONE"),
        ("task", "c", "STOPPED"),
        ("subflow-end", "", "PENDING"),
        ("task", "d", "PENDING"),
        ("end", "", "PENDING"),
    ]
    assert workflow["flow"]["steps"][1]["parameters"] == {"k": 1} and workflow["flow"]["steps"][6]["merge"]
    assert call("POST", "/workflows/old/restart").json == {"state": "RUNNING"}
    complete_task(store, "old", "c", 4, output={"c": 1})
    step(store)
    complete_task(store, "old", "d", 6, output={"d": 1})
    step(store)
    workflow = call("GET", "/workflows/old").json
    assert (workflow["state"], workflow["output"], workflow["steps"][6]["input"]) == (
        "FINISHED",
        {"d": 1},
        {"c": 1},
    )


def test_each_gets_an_id_of_its_own(call: Caller) -> None:
    ids = {call("POST", "/workflows/restore", document()).json["workflow"] for _ in range(2)}
    assert len(ids) == 2


def changed(name: str, value: Any) -> dict[str, Any]:
    return {**document(), name: value}


def with_step(index: int, *step: Any) -> dict[str, Any]:
    archive = document()
    archive["T"][index] = list(step)
    return archive


def with_vector(name: str, *entry: Any) -> dict[str, Any]:
    archive = document()
    archive[name][0] = list(entry)
    return archive


ZEROS = [0] * 8


@pytest.mark.parametrize(
    "bad",
    [
        changed("T", []),
        changed("T", [["StartFlow", {"index": 0}]]),
        changed("F", []),
        changed("F", [[1]] * 8),
        with_step(1, "os.system", {}),
        with_step(1, ["InvokeTask"], {}),
        with_step(1, "InvokeTask", []),
        with_step(1),
        with_step(1, "StartFlow", {}),
        with_step(1, "Sink", {}),
        with_step(1, "InvokeFlow", {}),
        with_step(1, "InvokeTask", {"name": "x", "guard": "$[["}),
        with_vector("S", "yesterday", ZEROS),
        with_vector("S", 7, ZEROS),
        with_vector("S", "2026-01-01T00:00:00", [0]),
        with_vector("S", "2026-01-01T00:00:00", [0.5] * 8),
        with_vector("A", "2026-01-01T00:00:00", [10**9] * 8),
        with_vector("A", "2026-01-01T00:00:00"),
    ],
)
def test_what_cannot_be_read_is_said(call: Caller, bad: dict[str, Any]) -> None:
    reply = call("POST", "/workflows/restore", bad)
    assert reply.status == 400 and "cannot be read" in reply.json["detail"]
    assert call("GET", "/workflows").json == []


def test_guards_and_literals(call: Caller) -> None:
    old = copy.deepcopy(document())
    old["T"][1] = ["Source", {"index": 1, "value": {"n": 1}}]
    old["T"][3][1]["guard"] = "`$[?(@.n)]`"
    id = call("POST", "/workflows/restore", old).json["workflow"]
    workflow = call("GET", f"/workflows/{id}").json
    assert workflow["flow"]["steps"][3]["guard"] == "$[?(@.n)]"
    assert workflow["steps"][1]["output"] == {"n": 1}
