"""Calls by a lifecycle: a stored flow as the child of a step, on a real server, pass by pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import BadInput, Conflict
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.bulk import plan_bulk
from lfr.operations.complete_task import complete_task
from lfr.operations.explain.explanation import explain_workflow
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow, read_flow_text
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.list_workflows import list_page, list_workflows, make_filter
from lfr.operations.select_workflows import select_workflows
from lfr.operations.start import start_workflow
from lfr.operations.stored_flows import FlowSource, apply_flows, start_stored_flow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper, append, events_of, settle
from tests.support.waiting import eventually

MakeStepper = Callable[[Lifecycle], Stepper]

PAY = "@flow pay (- inputs: {amount: {type: integer, required: true}, currency: {default: EUR}} -) card"
ID = "workflow:w"


class Bench:
    """A lifecycle, and tasks that the test ends by hand."""

    def __init__(self, store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
        self.store = store
        self.client = client
        self.lifecycle = lifecycle

    def apply(self, *texts: str) -> None:
        apply_flows(self.store, [FlowSource(text) for text in texts])

    def start(self, text: str, input: Any = None) -> str:
        id = start_workflow(self.store, text, input, ID).id
        self.settle()
        return id

    def settle(self) -> None:
        settle(self.client, self.lifecycle)

    def open_tasks(self) -> dict[str, dict[str, Any]]:
        """Return the start-tasks of ordinary tasks that may still end, by workflow."""
        tasks = events_of(self.client, "start-task")
        return {task["workflow"]: task for task in tasks if not task["base"].startswith(("flow:", "lfr:"))}

    def end(self, workflow: str, output: Any = None, *, reason: str = "") -> None:
        task = self.open_tasks()[workflow]
        names = {name: task[name] for name in ("workflow", "name", "index", "attempt", "run")}
        if reason:
            append(self.client, kind="end-task", status="FAILURE", reason=reason, **names)
        else:
            append(self.client, kind="end-task", output=output, **names)
        self.settle()

    def call(self, id: str = ID, index: int = 1) -> dict[str, Any]:
        call: dict[str, Any] = inspect_step(self.store, id, index)["call"]
        return call

    def workflow(self, id: str = ID) -> dict[str, Any]:
        return inspect_workflow(self.store, id)

    def references(self) -> dict[str, int]:
        return {name: int(count) for name, count in self.client.hgetall("flows:refs").items()}

    def children(self) -> list[str]:
        return sorted(
            key
            for key in self.client.scan_iter(f"{ID}/*")
            if self.client.type(key) == "hash" and self.client.hexists(key, "state")
        )


@pytest.fixture
def bench(store: Store, client: redis.Redis, stepper: MakeStepper) -> Iterator[Bench]:
    client.xgroup_create("workflows:run", "listener", "0", mkstream=True)  # so that no event leaves the bus
    yield Bench(store, client, stepper(Lifecycle(store)))


def test_the_input_of_the_step_is_that_of_the_child_and_its_output_is_that_of_the_step(bench: Bench) -> None:
    bench.apply(PAY)
    before = bench.references()
    bench.start("flow:pay -> after", {"amount": 7})
    child = f"{ID}/1.0"
    assert bench.call() == {"flow": "pay", "id": child, "version": 1, "state": "RUNNING"}
    assert bench.open_tasks()[child]["input"] == {"amount": 7, "currency": "EUR"}
    described = bench.workflow(child)
    assert (described["parent"], described["name"], described["version"]) == (ID, "pay", 1)
    assert read_flow_text(bench.store, child) == PAY
    assert [each["id"] for each in list_workflows(bench.store)] == [ID]

    bench.end(child, {"paid": True})
    assert bench.open_tasks()[ID]["input"] == {"paid": True}
    step = inspect_step(bench.store, ID, 1)
    assert (step["state"], step["output"]) == ("DONE", {"paid": True})
    assert step["call"] == {"flow": "pay", "id": None, "version": None, "state": None}
    bench.end(ID, 1)
    assert bench.workflow()["state"] == "FINISHED"
    assert bench.children() == []
    delete_workflow(bench.store, ID)
    assert bench.references() == before


def test_a_child_that_fails_fails_the_step_with_its_task_its_reason_and_its_id(bench: Bench) -> None:
    bench.apply(PAY)
    bench.start("flow:pay", {"amount": 7})
    bench.end(f"{ID}/1.0", reason="no money")
    workflow = bench.workflow()
    assert workflow["state"] == "FAILED"
    assert workflow["reason"] == f"{ID}/1.0 of the flow pay failed: step 1, card: no money"
    assert bench.call()["state"] == "FAILED"

    restart_workflow(bench.store, ID)
    bench.settle()
    assert bench.call() == {"flow": "pay", "id": f"{ID}/1.0.2", "version": 1, "state": "RUNNING"}
    assert bench.children() == [f"{ID}/1.0.2"]  # the former one is gone
    bench.end(f"{ID}/1.0.2", 1)
    assert bench.workflow()["state"] == "FINISHED"


@pytest.mark.parametrize(
    ("text", "input", "reason"),
    [
        ("flow:pya", {}, "flow:pya: no flow is stored under the name pya (did you mean pay?)"),
        (
            "flow:pay (- version: 9 -)",
            {},
            "the stored flow pay has no version 9 (the latest are 1)",
        ),
        ("flow:pay", {"amount": "x"}, 'input.amount is "x", but must be a whole number'),
        ("flow:pay", {}, "input.amount is missing: a whole number"),
    ],
)
def test_what_cannot_begin_fails_the_step(bench: Bench, text: str, input: Any, reason: str) -> None:
    bench.apply(PAY)
    bench.start(text, input)
    assert bench.workflow()["state"] == "FAILED"
    assert reason in bench.workflow()["reason"]
    assert bench.children() == []


def test_the_version_is_that_of_the_time_when_the_child_starts(bench: Bench) -> None:
    bench.apply("@flow sub A", "@flow main wait:event (- event: go -) -> flow:sub")
    start_stored_flow(bench.store, "main", workflow_id=ID)
    bench.settle()
    bench.apply("@flow sub B", "@flow main X")
    complete = complete_task(bench.store, ID, None, 1)
    assert complete
    bench.settle()
    assert bench.call(index=2)["version"] == 2
    bench.apply("@flow sub C")
    assert bench.open_tasks()[f"{ID}/2.0"]["name"] == "B"


def test_a_version_can_be_fixed(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.apply("@flow sub B")
    bench.start("@task old = flow:sub (- version: 1 -) old")
    assert bench.call()["version"] == 1


def test_a_child_goes_on_when_its_flow_is_removed(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub")
    apply_flows(bench.store, [], prune=True)
    assert bench.references()
    bench.end(f"{ID}/1.0", 5)
    assert bench.workflow()["output"] == 5
    delete_workflow(bench.store, ID)
    assert bench.references() == {}
    assert not list(bench.client.scan_iter("flow:*"))


def test_the_end_of_a_parent_terminates_the_child(bench: Bench) -> None:
    bench.apply("@flow inner A", "@flow outer flow:inner")
    bench.start("flow:outer")
    terminate_workflow(bench.store, ID)
    bench.settle()
    assert bench.workflow(f"{ID}/1.0")["state"] == "TERMINATED"
    assert bench.workflow(f"{ID}/1.0/1.0")["state"] == "TERMINATED"
    restart_workflow(bench.store, ID)
    bench.settle()
    assert bench.children() == [f"{ID}/1.0.2", f"{ID}/1.0.2/1.0"]
    terminate_workflow(bench.store, ID)
    bench.settle()
    delete_workflow(bench.store, ID)
    assert not list(bench.client.scan_iter(f"{ID}*"))


def test_a_deletion_releases_the_flows_of_children(bench: Bench) -> None:
    bench.apply("@flow inner A", "@flow outer; { flow:inner; flow:inner }")
    before = bench.references()
    bench.start("flow:outer; B")
    bench.end(ID, reason="bad")  # the workflow has failed, and its call still runs
    assert bench.workflow()["state"] == "FAILED"
    delete_workflow(bench.store, ID)
    bench.settle()
    assert not list(bench.client.scan_iter(f"{ID}*"))
    assert bench.references() == before


def test_a_step_may_be_retried_skipped_and_failed_by_hand(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub -> flow:sub -> flow:sub")
    retry_task(bench.store, ID, 1)
    bench.settle()
    assert bench.children() == [f"{ID}/1.0.2"]
    skip_task(bench.store, ID, 1, {"by": "hand"})
    bench.settle()
    assert bench.workflow(f"{ID}/1.0.2")["state"] == "TERMINATED"
    assert bench.open_tasks()[f"{ID}/2.0"]["input"] == {"by": "hand"}
    fail_task(bench.store, ID, 2, "enough")
    bench.settle()
    assert bench.workflow()["reason"] == "enough"
    assert bench.workflow(f"{ID}/2.0")["state"] == "TERMINATED"
    delete_workflow(bench.store, ID)
    assert not list(bench.client.scan_iter(f"{ID}*"))


def test_a_failed_call_is_retried_with_a_new_child(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub (- lfr: {retry: {times: 1, delay: 0}} -)")
    bench.end(f"{ID}/1.0", reason="once")
    eventually(lambda: (bench.settle(), bench.children() == [f"{ID}/1.0.2"])[1])
    bench.end(f"{ID}/1.0.2", 1)
    assert bench.workflow()["state"] == "FINISHED"


def test_the_deadline_of_the_step_ends_the_child(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub (- lfr: {timeout: 1h} -)")
    (member,) = bench.client.zrange("waits:deadlines", 0, -1)
    bench.client.zadd("waits:deadlines", {member: 0})
    eventually(lambda: (bench.settle(), bench.workflow()["state"] == "FAILED")[1])
    assert "timeout" in bench.workflow()["reason"]
    bench.settle()
    assert bench.workflow(f"{ID}/1.0")["state"] == "TERMINATED"


def test_the_timeout_of_the_flow_that_is_called_holds(bench: Bench) -> None:
    bench.apply("@flow sub (- lfr: {timeout: 10ms} -) A")
    bench.start("flow:sub")
    eventually(lambda: (bench.settle(), bench.workflow()["state"] == "FAILED")[1])
    assert "of the flow sub failed: timeout: " in bench.workflow()["reason"]
    assert bench.client.zcard("waits:workflows") == 0


def test_a_flow_that_calls_itself_ends_at_the_depth(settings: Settings, bench: Bench) -> None:
    bench.lifecycle.consumer = Lifecycle(open_store(replace(settings, calls_depth=3)))  # type: ignore[assignment]
    bench.apply("@flow again flow:again")
    bench.start("flow:again")
    reason = bench.workflow()["reason"]
    assert "flow:again would run in 4 workflows, one within the other" in reason
    assert "the setting calls.depth allows 3" in reason
    assert reason.startswith(f"{ID}/1.0/1.0/1.0 of the flow again failed: step 1, flow:again: ")
    delete_workflow(bench.store, ID)
    assert not list(bench.client.scan_iter(f"{ID}*"))


def test_a_flow_that_calls_itself_in_many_steps_ends_at_the_number(settings: Settings, bench: Bench) -> None:
    """Two calls in each of 16 levels would be 130,000 workflows, and the events of others behind them."""
    bench.lifecycle.consumer = Lifecycle(open_store(replace(settings, calls_total=20)))  # type: ignore[assignment]
    bench.apply("@flow bomb; { flow:bomb flow:bomb }")
    bench.start("flow:bomb")
    assert (
        "more than the 20 called flows of one workflow that the setting calls.total allows"
        in (bench.workflow()["reason"])
    )
    assert len(list(bench.client.scan_iter(f"{ID}*:steps"))) <= 25
    (count,) = bench.client.scan_iter("workflows:calls:*")
    assert 0 < bench.client.ttl(count) <= 86_400
    delete_workflow(bench.store, ID)
    assert not list(bench.client.scan_iter(f"*{ID}*"))


def test_nothing_begins_in_a_workflow_that_is_terminated(settings: Settings, bench: Bench) -> None:
    """Children that begin faster than they are terminated would never end."""
    bench.lifecycle.consumer = Lifecycle(open_store(replace(settings, calls_total=200)))  # type: ignore[assignment]
    bench.apply("@flow bomb; { flow:bomb flow:bomb flow:bomb }")
    start_workflow(bench.store, "flow:bomb", None, ID)
    for _ in range(4):
        bench.lifecycle.step()
    begun = [int(bench.client.get(key) or 0) for key in bench.client.scan_iter("workflows:calls:*")]
    assert begun and begun[0] > 1
    terminate_workflow(bench.store, ID)
    bench.settle()
    assert [int(bench.client.get(key) or 0) for key in bench.client.scan_iter("workflows:calls:*")] == begun
    assert bench.workflow()["state"] == "TERMINATED"
    running = [key for key in bench.client.scan_iter(f"{ID}/*") if bench.client.type(key) == "hash"]
    assert not [key for key in running if bench.client.hget(key, "state") == "RUNNING"]


def test_calls_in_iterations_and_boxes(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("* flow:sub -> { flow:sub }", [1, 2])
    children = [f"{ID}/1.0/1.0", f"{ID}/1.1/1.0"]
    for number, child in enumerate(children):
        assert bench.open_tasks()[child]["input"] == number + 1
        bench.end(child, number)
    (child,) = bench.children()
    assert bench.open_tasks()[child]["input"] == [0, 1]
    bench.end(child, "end")
    assert bench.workflow()["output"] == "end"
    assert bench.children() == []


def test_a_filter_finds_the_children_of_a_workflow_page_by_page(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("* B -> { flow:sub }", [{}] * 12)
    bench.end(f"{ID}/1.4", "done")  # its workflow is deleted
    bench.end(f"{ID}/1.11", reason="broken")
    stored = [f"{ID}/1.{number}" for number in range(12) if number != 4]

    def find(where: str, size: int = 50) -> list[str]:
        filter = make_filter(bench.store, where=where)
        ids: list[str] = []
        page = list_page(bench.store, filter, size=size)
        while True:
            ids += [each["id"] for each in page.workflows]
            if page.next is None:
                return ids
            page = list_page(bench.store, filter, size=size, after=page.next)

    assert find("parent=w") == find(f"parent={ID}", 5) == stored[::-1]
    assert find("parent=w state=FAILED") == find("parent=w reason~broken") == [f"{ID}/1.11"]
    assert find("parent=w text~1.7") == [f"{ID}/1.7"]
    assert find("parent=nobody") == find(f"parent={ID}/1.7") == []
    with bench.store.connect() as connection:
        oldest = select_workflows(
            connection, make_filter(bench.store, where="parent=w"), count=3, max_cost=1, newest_first=False
        )
    assert oldest.next is not None
    assert [record.id for record in oldest.records] == stored[:3]
    with pytest.raises(BadInput, match="no child is changed by itself"):
        plan_bulk(bench.store, "terminate", "parent=w")


def test_what_a_skipped_call_leaves_goes_with_the_item(bench: Bench) -> None:
    bench.apply("@flow sub A")
    before = bench.references()
    bench.start("* flow:sub", [1])
    skip_task(bench.store, f"{ID}/1.0", 1, "hand")
    bench.settle()
    assert bench.workflow()["output"] == ["hand"]
    assert not list(bench.client.scan_iter(f"{ID}/*"))
    delete_workflow(bench.store, ID)
    assert bench.references() == before


def test_a_loop_calls_anew_in_each_turn(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub -> B -> :start")
    for child in (f"{ID}/1.0", f"{ID}/1.0.2", f"{ID}/1.0.3"):
        assert bench.children() == [child]
        bench.end(child, "output")
        assert bench.open_tasks()[ID]["input"] == "output"
        bench.end(ID)


def test_a_stranger_cannot_end_a_call(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub")
    append(bench.client, kind="end-task", workflow=ID, name="flow:sub", index=1, output="forged")
    bench.settle()
    assert bench.workflow()["state"] == "RUNNING"
    letter = bench.client.xrevrange("workflows:dead", count=1)[0][1]
    assert letter["reason"] == f"step 1 of {ID} ends with its children"
    with pytest.raises(BadInput, match="ends with the flow that it calls"):
        complete_task(bench.store, ID, None, 1)
    with pytest.raises(Conflict, match="is a child of"):
        terminate_workflow(bench.store, f"{ID}/1.0")


def test_the_end_of_an_attempt_that_is_over_changes_nothing(bench: Bench) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub")
    task = bench.open_tasks()[f"{ID}/1.0"]
    names = {name: task[name] for name in ("workflow", "name", "index", "attempt", "run")}
    append(bench.client, kind="end-task", output="late", **names)
    retry_task(bench.store, ID, 1)  # before the lifecycle has read that the child has ended
    bench.settle()
    assert bench.workflow()["state"] == "RUNNING"
    assert bench.children() == [f"{ID}/1.0.2"]


def test_an_archive_has_the_child_and_its_flow(bench: Bench) -> None:
    bench.apply("@flow sub A -> B")
    bench.start("flow:sub -> C", {"n": 1})
    document = json.loads(json.dumps(archive_workflow(bench.store, ID)))
    terminate_workflow(bench.store, ID)
    bench.settle()
    delete_workflow(bench.store, ID)
    apply_flows(bench.store, [], prune=True)
    assert bench.references() == {}
    assert restore_workflow(bench.store, document) == ID
    child = bench.workflow(f"{ID}/1.0")
    assert (child["state"], child["name"], child["version"]) == ("TERMINATED", "sub", 1)
    assert read_flow_text(bench.store, f"{ID}/1.0") == "@flow sub A -> B"
    bench.apply("@flow sub D")
    restart_workflow(bench.store, ID)
    bench.settle()
    assert bench.children() == [f"{ID}/1.0.2"]
    assert bench.call()["version"] == 2
    bench.end(f"{ID}/1.0.2", 3)
    bench.end(ID, 4)
    delete_workflow(bench.store, ID)
    apply_flows(bench.store, [], prune=True)
    assert bench.references() == {}
    assert not list(bench.client.scan_iter("flow:*"))


@pytest.mark.parametrize("damage", ["no flow", "two children", "bad flow"])
def test_an_archive_with_a_bad_child_is_refused(bench: Bench, damage: str) -> None:
    bench.apply("@flow sub A")
    bench.start("flow:sub")
    document = json.loads(json.dumps(archive_workflow(bench.store, ID)))
    items = document["items"]["1"]
    if damage == "no flow":
        del items["open"]["0"]["flow"]
    elif damage == "two children":
        items["total"] = items["begun"] = 2
        items["open"]["1"] = items["open"]["0"]
    else:
        items["open"]["0"]["flow"]["edges"] = [[0, 99]]
    with pytest.raises(BadInput, match="no archive of a workflow"):
        restore_workflow(bench.store, document, "workflow:other")


def test_why_says_what_the_child_waits_for(bench: Bench) -> None:
    bench.apply("@flow sub wait:event (- event: paid -)")
    bench.start("flow:sub")
    (step,) = explain_workflow(bench.store, ID)["steps"]
    assert step["cause"] == "call"
    assert step["text"].startswith(f"the flow sub that it calls, {ID}/1.0, is RUNNING; its step 1: ")


def test_a_call_that_starts_while_a_termination_is_taken_back_begins(bench: Bench) -> None:
    bench.apply("@flow inner A", "@flow outer flow:inner")
    start_workflow(bench.store, "* flow:outer", [1], ID)
    while f"{ID}/1.0/1.0" not in bench.children():
        bench.lifecycle.step()
    terminate_workflow(bench.store, ID)
    bench.client.xtrim("workflows:run", maxlen=0, approximate=False)  # no lifecycle has read of it yet
    bench.lifecycle.step()  # it reads the start of the inner call
    assert f"{ID}/1.0/1.0/1.0" not in bench.children()
    restart_workflow(bench.store, ID)
    append(bench.client, kind="terminated-workflow", workflow=ID)
    bench.settle()
    bench.end(f"{ID}/1.0/1.0/1.0", "output")
    assert bench.workflow()["output"] == ["output"]


def test_a_termination_reaches_what_a_failed_child_still_runs(bench: Bench) -> None:
    bench.apply("@flow inner A", "@flow outer B; flow:inner")
    bench.start("flow:outer")
    bench.end(f"{ID}/1.0", reason="bad")
    assert (bench.workflow()["state"], bench.workflow(f"{ID}/1.0/2.0")["state"]) == ("FAILED", "RUNNING")
    terminate_workflow(bench.store, ID)
    bench.settle()
    assert bench.workflow(f"{ID}/1.0/2.0")["state"] == "TERMINATED"


def test_a_failed_item_goes_on_with_the_call_that_it_still_runs(bench: Bench) -> None:
    bench.apply("@flow inner A")
    bench.start("* { B  flow:inner }", [1])
    bench.end(f"{ID}/1.0", reason="bad")
    assert (bench.workflow()["state"], bench.workflow(f"{ID}/1.0/3.0")["state"]) == ("FAILED", "RUNNING")
    restart_workflow(bench.store, ID)
    bench.settle()
    bench.end(f"{ID}/1.0/3.0", "a")
    bench.end(f"{ID}/1.0", "b")
    assert bench.workflow()["output"] == [["b", "a"]]
