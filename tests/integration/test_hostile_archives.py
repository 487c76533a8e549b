"""Attacks by whoever hands in an archive: none stops a role, takes long, or leaves what cannot be deleted."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.engine import advance as engine
from lfr.errors import BadInput, NotFound
from lfr.events import MAX_REASON
from lfr.language import compile_flow
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.archive.parse import parse_archive
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, append, events_of
from tests.support.waiting import eventually

MakeStepper = Callable[[Lifecycle], Stepper]

HUGE = 2**53 - 1


def archive(text: str, **changes: Any) -> dict[str, Any]:
    """Return the archive of a terminated workflow of which nothing has ended but the start."""
    record = {"state": "TERMINATED", "started": 1_790_000_000_000, "ended": 1_790_000_000_001}
    document = {
        "format": "lfr-workflow",
        "version": 1,
        "id": "hostile",
        "flow": compile_flow(text).to_dict(),
        "record": record,
        "counts": [0, 1, 0, 0],
        "steps": {"1": [1, 0, 1]},
        "outputs": {"-1": {}, "0": {}},
        "history": [],
        "items": {},
    }
    return {**document, **changes}


def with_edges(text: str, edges: list[list[int]], **changes: Any) -> dict[str, Any]:
    document = archive(text, **changes)
    document["flow"]["edges"] = sorted(edges)
    return document


def with_step(text: str, index: int, **fields: Any) -> dict[str, Any]:
    document = archive(text)
    document["flow"]["steps"][index].update(fields)
    return document


def items(**changes: Any) -> dict[str, Any]:
    counts = {"total": 1, "begun": 1, "done": 0, "round": 1}
    return {"1": {**counts, "values": {}, "outputs": {}, "open": {"0": item()}, **changes}}


def item(**changes: Any) -> dict[str, Any]:
    document = archive("A", steps={"1": [1, 0, 1]}, outputs={"-1": {}}, counts=[0, 0, 0, 0])
    return {
        **{name: document[name] for name in ("record", "counts", "steps", "outputs", "history", "items")},
        **changes,
    }


FORBIDDEN = {
    "a circle without a task through step 0": with_edges("A", [[0, 0], [0, 1], [1, 2]]),
    "a task that leads into such a circle": with_edges("A", [[0, 0], [0, 1], [1, 0], [1, 2]]),
    "a circle through a subflow": with_edges("A; { B }", [[0, 1], [0, 2], [1, 5], [2, 4], [4, 0]]),
    "a circle through a step that is skipped": with_edges("A ? `$.x` B", [[0, 1], [0, 2], [1, 3], [2, 0]]),
    "an edge out of a subflow": with_edges("{ A } B", [[0, 1], [1, 2], [2, 4], [3, 4], [4, 5]]),
    "an edge into a subflow": with_edges("A { B }", [[0, 1], [1, 3], [3, 4], [4, 5]]),
    "an edge back to the start of an iterated subflow": with_edges(
        "* { A }", [[0, 1], [1, 1], [1, 2], [2, 3], [3, 4]]
    ),
    "an edge from the end": with_edges("A", [[0, 1], [1, 2], [2, 0]]),
    "an edge beyond the last step": with_edges("A", [[0, 1], [1, 7]]),
    "an edge before the first step": with_edges("A", [[-1, 1], [0, 1], [1, 2]]),
    "a second start": with_step("A B", 1, kind="start"),
    "an end in the middle": with_step("A B", 1, kind="end"),
    "a subflow that ends outside of the one around it": with_step("{ { A } B }", 2, end=6),
    "an end of no subflow": with_step("A B", 1, kind="subflow-end"),
    "activations without end": archive("A", steps={"1": [HUGE, 0, 1]}),
    "more activations than edges": archive("A", steps={"1": [2, 0, 1]}),
    "activations of a step that waits for itself": with_edges(
        "A; B; C", [[0, 1], [1, 4], [2, 3], [3, 2]], steps={"2": [1, 0, 0]}
    ),
    "invocations without end": archive("A", steps={"1": [0, HUGE, 1]}, counts=[HUGE, 1, 0, 0]),
    "invocations that the record does not count": archive("A", steps={"1": [0, 1, 1]}),
    "invocations that no step has": archive("A", counts=[1, 1, 0, 0]),
    "a literal that runs": archive("<[1]> -> A", steps={"1": [0, 1, 1]}, counts=[1, 1, 0, 0]),
    "turns of a loop without end": archive("A -> :start", steps={"1": [HUGE, 0, 1]}),
    "invocations of a loop without end": archive(
        "A -> :start", steps={"1": [0, 10**6, 10**6]}, counts=[10**6, 1, 0, 0]
    ),
    "an attempt that no number follows": archive("A", steps={"1": [1, 0, HUGE]}),
    "fewer attempts than retries": archive("A", steps={"1": [1, 0, 1, 2]}),
    "fewer attempts than those that are over": archive("A", steps={"1": [1, 0, 1, 0, 2]}),
    "a count of steps beyond what JSON holds": archive("A", counts=[0, HUGE, 0, 0]),
    "a start at the end of time": archive("A", record={"state": "FINISHED", "started": HUGE, "ended": 0}),
    "a history of steps that do not exist": archive("A", history=[{"at": 1, "facts": "+3"}]),
    "a latch with a name without end": archive("A", latched={"1": "1 " + "x" * 1001}),
    "a latch with a name that is no text": archive("A", latched={"1": "1 \ud800"}),
    "items of a round that never began": archive("* A", items=items(round=2)),
    "items without end": archive("* A", items=items(total=HUGE)),
    "an item with a step of its parent": archive(
        "* A", items=items(open={"0": item(steps={"0": [1, 0, 1]})})
    ),
    "an item with an output of its parent": archive("* A", items=items(open={"0": item(outputs={"2": 1})})),
    "an item with a history of its parent": archive(
        "* A", items=items(open={"0": item(history=[{"at": 1, "facts": "=0"}])})
    ),
    "an item with activations without end": archive(
        "* A", items=items(open={"0": item(steps={"1": [HUGE, 0, 1]})})
    ),
    "an item with invocations without end": archive(
        "* A", items=items(open={"0": item(steps={"1": [0, HUGE, 1]}, counts=[HUGE, 0, 0, 0])})
    ),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_no_run_can_have_archived_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="this is no archive of a workflow"):
        parse_archive(FORBIDDEN[name])


def test_what_a_run_can_have_archived_is_accepted() -> None:
    parse_archive(archive("A"))
    parse_archive(archive("* A", items=items()))
    parse_archive(archive("A -> :start", steps={"1": [7, 3, 12]}, counts=[3, 9, 0, 0]))


def test_long_reasons_of_an_archive_are_cut() -> None:
    document = archive("A", history=[{"at": 1_790_000_000_000, "facts": "!1", "reason": "R" * 10_000}])
    document["record"]["reason"] = "R" * 10_000
    parsed = parse_archive(document)
    reasons = re.findall("R{99,}…?", repr(parsed))
    assert len(reasons) == 2 and {len(reason) for reason in reasons} == {MAX_REASON}


def test_a_loop_is_archived_in_each_turn(store: Store, client: redis.Redis, stepper: MakeStepper) -> None:
    lifecycle = stepper(Lifecycle(store))
    options = "(- lfr: {retry: {times: 1, delay: 0}} -)"
    id = start_workflow(store, f"* A {options} -> {{ B; C ? `$.never` D }} -> :start; E", [1, 2]).id
    failed: set[tuple[str, int, int]] = set()
    for turn in range(30):
        for task in events_of(client, "start-task"):
            attempt = (task["workflow"], task["index"], task["attempt"])
            if task["base"] != "lfr:each" and attempt not in failed:
                failed.add(attempt)
                end = {name: task[name] for name in ("workflow", "name", "index", "attempt")}
                is_failure = task["attempt"] % 2 and turn < 20
                append(
                    client,
                    kind="end-task",
                    **end,
                    **({"status": "FAILURE", "reason": "x"} if is_failure else {}),
                )
        lifecycle.step()
        document = archive_workflow(store, id)
        parse_archive(document)
        if document["record"]["state"] == "FAILED":
            restart_workflow(store, id)
        if turn == 25:
            terminate_workflow(store, id)
    assert max(attempt for _, _, attempt in failed) > 2
    restart_workflow(store, restore_workflow(store, archive_workflow(store, id)))


def test_the_parts_for_many_items_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part takes time that grows with the whole flow: 4,000 of them would take minutes."""
    flow = "; ".join(["* A"] * 4000)
    all_items = {str(index): items()["1"] for index in range(1, 4001)}
    for index in all_items:
        all_items[index] = copy.deepcopy(all_items[index])
        all_items[index]["open"]["0"]["steps"] = {index: [1, 0, 1]}
    document = archive(flow, items=all_items, steps={index: [1, 0, 1] for index in all_items})
    with pytest.raises(BadInput, match="the parts of its flow have more than 5,000,000 steps"):
        parse_archive(document)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let archives in that an earlier version let in."""
    monkeypatch.setattr("lfr.operations.archive.parse.check_graph", lambda flow: None)
    monkeypatch.setattr("lfr.operations.archive.parse.progress_error", lambda *arguments: None)


@pytest.mark.parametrize(
    "document",
    [
        with_edges("A", [[0, 0], [0, 1], [1, 0], [1, 2]]),
        archive("A", steps={"1": [10**9, 0, 1]}),
        archive("A", steps={"1": [0, 10**9, 1]}, counts=[10**9, 1, 0, 0]),
        archive("A -> :start", steps={"0": [10**9, 0, 1]}),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_one_that_got_in_stops_no_lifecycle_and_is_deleted(
    store: Store, client: redis.Redis, stepper: MakeStepper, document: dict[str, Any]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = restore_workflow(store, document)
    state = restart_workflow(store, id)
    innocent = start_workflow(store, "A").id
    for each in (id, innocent):
        append(client, kind="end-task", workflow=each, index=1, output={})
    eventually(lambda: lifecycle.step() or client.hget(innocent, "state") == "FINISHED")
    workflow = inspect_workflow(store, id)
    assert workflow["state"] == "FAILED" or state == "FAILED"
    assert "than a run of this flow can start without a task" in workflow["reason"]
    assert len(client.lrange(f"{id}:facts", 0, -1)) < 50  # of 250 facts each: at most 10,000 starts
    assert client.xlen("workflows:run") < 2 * engine.MAX_STARTS
    assert {each["id"] for each in list_workflows(store)} == {id, innocent}
    delete_workflow(store, id)
    with pytest.raises(NotFound):
        inspect_workflow(store, id)


def test_one_that_got_in_and_runs_is_terminated_and_deleted(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A").id
    client.hset(f"{id}:steps", "1", f"0 {HUGE} 1")
    client.hset(id, mapping={"counts": f"{HUGE} 1 0 0", "started": HUGE})
    assert [each["id"] for each in list_workflows(store)] == [id]
    inspect_workflow(store, id, history=True)
    archive_workflow(store, id)
    terminate_workflow(store, id)
    delete_workflow(store, id)
    assert list_workflows(store) == []
