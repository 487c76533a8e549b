"""Runs of one flow beside each other, and two runs compared."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.errors import BadInput, NotFound
from lfr.operations import flow_runs
from lfr.operations.compare_runs import compare_runs
from lfr.operations.flow_runs import describe_runs
from lfr.operations.intervene import fail_task, skip_task
from lfr.operations.start import start_workflow
from lfr.operations.stored_flows import FlowSource, apply_flows, start_stored_flow
from lfr.store.redis.connection import Store

FLOW = "@flow order\ncheck -> pay -> book"


def run(store: Store, name: str, flow: str = FLOW, *, failing: int | None = None, amount: int = 1) -> str:
    """Start a workflow; steps end by hand, up to the one that fails."""
    id = start_workflow(store, flow, {"amount": amount}, workflow_id=name).id
    for index in (1, 2, 3):
        if index == failing:
            fail_task(store, id, index, "no money")
            break
        skip_task(store, id, index, {"step": index})
    return id


def test_runs_stand_beside_each_other(store: Store) -> None:
    first = run(store, "a")
    second = run(store, "b", failing=2)
    other = run(store, "c", "@flow order\ncheck -> pay -> send")
    run(store, "d", "@flow another\ncheck -> pay -> book")
    described = describe_runs(store, "order")
    assert [each["id"] for each in described["runs"]] == [other, second, first]
    assert [each["title"] for each in described["steps"]] == ["check", "pay", "send", "book"]
    cells = [
        [cell and (cell["index"], cell["state"]) for cell in each["steps"]] for each in described["runs"]
    ]
    assert cells == [
        [(1, "SKIPPED"), (2, "SKIPPED"), (3, "SKIPPED"), None],
        [(1, "SKIPPED"), (2, "FAILED"), None, (3, "PENDING")],
        [(1, "SKIPPED"), (2, "SKIPPED"), None, (3, "SKIPPED")],
    ]
    statistics = described["statistics"]
    assert (statistics["finished"], statistics["failed"], statistics["running"]) == (2, 1, 0)
    assert statistics["success"] == 2 / 3
    assert statistics["seconds"]["shortest"] <= statistics["seconds"]["median"]


def test_pages_of_runs(store: Store) -> None:
    ids = [run(store, name) for name in "abc"]
    page = describe_runs(store, "order", count=2)
    rest = describe_runs(store, "order", count=2, after=page["next"])
    assert [each["id"] for each in (*page["runs"], *rest["runs"])] == ids[::-1]
    assert rest["next"] is None
    nobody = describe_runs(store, "nobody")
    assert (nobody["version"], nobody["statistics"]["success"]) == (None, None)
    with pytest.raises(BadInput, match="from 1 to 100"):
        describe_runs(store, "order", count=101)


def test_a_long_history_leaves_its_steps_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_runs, "MAX_ENTRIES", 3)
    run(store, "a")
    run(store, "b", failing=1)
    newest, oldest = describe_runs(store, "order")["runs"]
    assert oldest["steps"] == [None] * len(newest["steps"])
    assert newest["steps"][0]["state"] == "FAILED"


def test_no_more_steps_are_kept_than_are_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred runs of a flow of 111,111 steps took gigabytes, for a table with 300 columns."""
    monkeypatch.setattr(flow_runs, "MAX_STEPS", 3)
    start_workflow(store, "@flow order\nx -> check -> y -> book -> z", workflow_id="a")
    start_workflow(store, "@flow order\ncheck -> book", workflow_id="b")
    kept = []
    original = flow_runs._load_steps

    def counted(*arguments: Any) -> Any:
        kept.append(original(*arguments))
        return kept[-1]

    monkeypatch.setattr(flow_runs, "_load_steps", counted)
    described = describe_runs(store, "order")
    assert [each["title"] for each in described["steps"]] == ["check", "book", "x"]
    assert [[cell and cell["index"] for cell in each["steps"]] for each in described["runs"]] == [
        [1, 2, None],
        [2, 4, 1],
    ]
    assert all(len(cells) <= 3 for cells in kept)


def test_two_runs_of_one_flow(store: Store) -> None:
    comparison = compare_runs(store, run(store, "a"), run(store, "b", failing=2, amount=2))
    assert comparison["changes"] == []
    assert comparison["input"] == [{"path": "$.amount", "first": "1", "second": "2"}]
    assert comparison["output"] == [{"path": "$", "first": '{"step": 3}', "second": "null"}]
    check, pay, book = comparison["steps"]
    assert (check["title"], check["input"], check["output"]) == ("check", False, True)
    assert (pay["first"]["state"], pay["second"]["state"]) == ("SKIPPED", "FAILED")
    assert (pay["second"]["reason"], pay["output"]) == ("no money", None)
    assert (book["second"]["state"], book["input"]) == ("PENDING", None)


def test_two_runs_of_two_versions(store: Store) -> None:
    apply_flows(store, [FlowSource("@flow order\ncheck -> pay")])
    first = start_stored_flow(store, "order").id
    apply_flows(store, [FlowSource("@flow order\ncheck -> send")])
    comparison = compare_runs(store, first, start_stored_flow(store, "order").id)
    assert "- task: pay" in comparison["changes"]
    assert "+ task: send" in comparison["changes"]
    assert [
        (step["title"], step["first"] is None, step["second"] is None) for step in comparison["steps"]
    ] == [
        ("check", False, False),
        ("pay", False, True),
        ("send", True, False),
    ]
    assert (comparison["first"]["version"], comparison["second"]["version"]) == (1, 2)
    assert describe_runs(store, "order")["version"] == 2


def test_large_values_are_cut(store: Store) -> None:
    ids = [start_workflow(store, "A", {"text": letter * 10_000}).id for letter in "xy"]
    (difference,) = compare_runs(store, *ids)["input"]
    assert difference["first"].startswith('"xxx')
    assert len(difference["first"]) == 300


def test_a_run_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        compare_runs(store, run(store, "a"), "nobody")
