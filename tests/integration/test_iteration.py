"""Iterated steps by a lifecycle: one workflow for each item, on a real server, pass by pass."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.engine.transition import FactKind
from lfr.errors import BadInput, Conflict, NotFound
from lfr.flow import Flow
from lfr.operations.complete_task import complete_task
from lfr.operations.explain.explanation import explain_workflow
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow, list_history
from lfr.operations.intervene import restart_workflow, skip_task, terminate_workflow
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Command, Connection, Store, open_store
from lfr.store.stream.entries import Entry, parse_entries
from lfr.store.stream.groups import create_group
from lfr.store.workflows.history import read_whole_history
from lfr.values.json import Json
from tests.integration.conftest import Stepper, append, hold_events
from tests.support.interference import overtaken

MakeStepper = Callable[[Lifecycle], Stepper]


@pytest.fixture
def store(settings: Settings) -> Store:
    """At most two items at once, so that a few are many."""
    return open_store(replace(settings, iterate_limit=2))


class Worker:
    """Answers tasks; an input that is in `bad` fails."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.answered_ids: set[str] = set()
        self.bad: list[Json] = []
        self.done: list[Json] = []

    def open_tasks(self) -> list[dict[str, Any]]:
        """Return the start-task events that the worker has not answered."""
        tasks = []
        for id, fields in self.client.xrange("workflows:run"):
            task = {name: json.loads(value) for name, value in fields.items()}
            if task["kind"] == "start-task" and task["base"] != "lfr:each" and id not in self.answered_ids:
                tasks.append({**task, "id": id})
        return tasks

    def take(self, task: dict[str, Any]) -> None:
        """Do one task."""
        self.answered_ids.add(task["id"])
        answer = {key: task[key] for key in ("workflow", "name", "index", "attempt")}
        if task["input"] in self.bad:
            append(self.client, kind="end-task", status="FAILURE", reason="bad", **answer)
        else:
            self.done.append(task["input"])
            append(self.client, kind="end-task", output={"was": task["input"]}, **answer)

    def take_all(self) -> bool:
        """Do every open task; return whether there was one."""
        tasks = self.open_tasks()
        for task in tasks:
            self.take(task)
        return bool(tasks)


@pytest.fixture
def worker(client: redis.Redis) -> Worker:
    return Worker(client)


@pytest.fixture
def lifecycle(store: Store, stepper: MakeStepper) -> Stepper:
    return stepper(Lifecycle(store))


def process_all(lifecycle: Stepper) -> None:
    """Run passes until one has read nothing: the streams have no new entries for the lifecycle."""
    read_before = -1
    while read_before < lifecycle.consumer.event_count:
        read_before = lifecycle.consumer.event_count
        lifecycle.step()


def finish(lifecycle: Stepper, worker: Worker) -> None:
    process_all(lifecycle)
    while worker.take_all():
        process_all(lifecycle)


def test_outputs_in_the_order_of_the_items(store: Store, lifecycle: Stepper, worker: Worker) -> None:
    id = start_workflow(store, "* a -> b", [1, 2, 3, 4, 5]).id
    process_all(lifecycle)
    first, second = worker.open_tasks()
    assert [first["workflow"], second["workflow"]] == [f"{id}/1.0", f"{id}/1.1"]
    assert (first["index"], first["input"]) == (1, 1)
    worker.take(second)
    process_all(lifecycle)
    assert [task["input"] for task in worker.open_tasks()] == [1, 3]
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert workflow["state"] == "FINISHED"
    assert workflow["output"] == {"was": [{"was": number} for number in (1, 2, 3, 4, 5)]}
    items = workflow["steps"][1]["items"]
    assert items.pop("latest") == [f"{id}/1.{number}" for number in (4, 3, 2, 0, 1)]
    assert items == {"total": 5, "done": 5, "running": 0, "failed": 0, "open": []}


def test_an_iterated_step_of_a_workflow_that_was_mended_before_a_lifecycle_ran_goes_on(
    store: Store, lifecycle: Stepper, worker: Worker
) -> None:
    """Its start-task is read after the workflow has failed, was restarted and its other step was skipped."""
    text = "* it:x; { <[1]> -> ? `$.no` s  <[2]> -> ? `$.no` s } -> > D"
    id = start_workflow(store, text, [1, 2]).id
    workflow = inspect_workflow(store, id)
    assert workflow["state"] == "FAILED"
    restart_workflow(store, id)
    [failed] = [step["index"] for step in workflow["steps"] if step["state"] == "FAILED"]
    skip_task(store, id, failed, {})
    finish(lifecycle, worker)
    assert worker.done == [1, 2]
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["steps"][1]["state"]) == ("FINISHED", "DONE")


def test_what_an_item_leaves_behind(
    store: Store, lifecycle: Stepper, worker: Worker, client: redis.Redis
) -> None:
    id = start_workflow(store, "* { a -> b }", [1, 2, 3]).id
    finish(lifecycle, worker)
    remaining = {id, f"{id}:outputs", f"{id}:facts"}
    assert set(client.scan_iter(match="workflow:*")) == remaining
    assert client.zcard("workflows:all") == 1
    assert client.xlen("workflows:dead") == 0


def test_an_item_that_has_finished_can_be_looked_at(store: Store, lifecycle: Stepper, worker: Worker) -> None:
    id = start_workflow(store, "@flow many\n* { a -> b }", [{"n": 1}, {"n": 2}, {"n": 3}]).id
    process_all(lifecycle)
    first = next(task for task in worker.open_tasks() if task["workflow"] == f"{id}/1.0")
    worker.take(first)
    process_all(lifecycle)
    worker.take(next(task for task in worker.open_tasks() if task["workflow"] == f"{id}/1.0"))
    process_all(lifecycle)
    item = inspect_workflow(store, f"{id}/1.0", history=True, flow=True)
    assert (item["state"], item["parent"], item["name"], item["steps"]) == ("FINISHED", id, "many", [])
    assert (item["input"], item["output"]) == ({"n": 1}, {"was": {"was": {"n": 1}}})
    fact = next(fact for fact in list_history(store, id) if fact["event"] == "ended" and fact["item"] == 0)
    assert item["started"] <= item["ended"] == fact["at"]
    assert item["warning"].startswith(f"item 0 of step 1 of {id} finished at {item['ended'][:19]}Z; ")
    assert [fact["event"] for fact in item["history"]] == ["finished"]
    assert list_history(store, f"{id}/1.0") == item["history"]
    assert [step.get("name") for step in item["flow"]["steps"]][2:4] == ["a", "b"]
    for look in (lambda: inspect_step(store, f"{id}/1.0", 2), lambda: explain_workflow(store, f"{id}/1.0")):
        with pytest.raises(NotFound, match=f"item 0 of step 1 of {id} finished at .*were deleted then"):
            look()
    with pytest.raises(NotFound, match="there is no workflow"):
        inspect_workflow(store, f"{id}/1.7")
    terminate_workflow(store, id)
    process_all(lifecycle)
    assert inspect_workflow(store, f"{id}/1.0")["output"] == {"was": {"was": {"n": 1}}}
    restart_workflow(store, id)
    finish(lifecycle, worker)
    assert inspect_workflow(store, id)["steps"][1]["items"]["latest"][-1] == f"{id}/1.0"
    for number in range(3):
        item = inspect_workflow(store, f"{id}/1.{number}")
        assert item["input"] == {"n": number + 1}
        assert item["output"] == inspect_workflow(store, id)["output"][number]


def test_items_of_items(store: Store, lifecycle: Stepper, worker: Worker) -> None:
    id = start_workflow(store, "* { x -> * { a } } -> b", [[1, 2, 3]]).id
    process_all(lifecycle)
    worker.take_all()
    process_all(lifecycle)
    assert [task["workflow"] for task in worker.open_tasks()] == [f"{id}/1.0/3.0"]
    finish(lifecycle, worker)
    assert inspect_workflow(store, id)["state"] == "FINISHED"


@pytest.mark.parametrize("input", [[], {"x": 1}])
def test_no_items_and_one_that_is_no_list(
    store: Store, lifecycle: Stepper, worker: Worker, input: Json
) -> None:
    id = start_workflow(store, "* {a}", input).id
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["output"]) == ("FINISHED", [] if input == [] else [{"was": input}])


def test_a_failing_item_and_a_restart_after_it(store: Store, lifecycle: Stepper, worker: Worker) -> None:
    id = start_workflow(store, "* { a -> b }", [1, 2, 3, 4]).id
    worker.bad = [2]
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["reason"]) == ("FAILED", "item 1: bad")
    step = workflow["steps"][1]
    assert (step["state"], step["items"]["failed"]) == ("FAILED", 1)
    assert step["items"]["open"] == [{"id": f"{id}/1.1", "state": "FAILED"}]
    item = inspect_workflow(store, f"{id}/1.1")
    assert (item["state"], item["reason"], [step["index"] for step in item["steps"]]) == (
        "FAILED",
        "bad",
        [1, 2, 3, 4],
    )
    before = list(worker.done)
    worker.bad = []
    restart_workflow(store, id)
    finish(lifecycle, worker)
    assert inspect_workflow(store, id)["output"] == [{"was": {"was": n}} for n in (1, 2, 3, 4)]
    again = worker.done[len(before) :]
    assert [value for value in again if value in before] == []


def test_failed_items_are_listed_before_running_items(
    store: Store, stepper: Callable[[Lifecycle], Stepper], worker: Worker
) -> None:
    lifecycle = stepper(Lifecycle(open_store(replace(store.settings, iterate_limit=6))))
    worker.bad = [5]
    id = start_workflow(store, "* a", list(range(6))).id
    process_all(lifecycle)
    for task in worker.open_tasks():
        if task["input"] == 5:
            worker.take(task)
    process_all(lifecycle)
    opened = inspect_workflow(store, id)["steps"][1]["items"]["open"]
    numbers = [int(item["id"].rpartition(".")[2]) for item in opened]
    assert (numbers, opened[0]["state"]) == ([5, 0, 1, 2, 3, 4], "FAILED")


def test_terminate_and_restart_reach_the_items(store: Store, lifecycle: Stepper, worker: Worker) -> None:
    id = start_workflow(store, "* { * a }", [[1, 2, 3], [4, 5, 6]]).id
    process_all(lifecycle)
    late = worker.open_tasks()
    assert len(late) == 2
    terminate_workflow(store, id)
    process_all(lifecycle)
    for item in (f"{id}/1.0", f"{id}/1.1", f"{id}/1.0/2.0", f"{id}/1.1/2.0"):
        assert inspect_workflow(store, item)["state"] == "TERMINATED"
    for task in late:
        worker.take(task)  # too late: of no effect
    finish(lifecycle, worker)
    assert inspect_workflow(store, id)["state"] == "TERMINATED"
    restart_workflow(store, id)
    finish(lifecycle, worker)
    output = [[{"was": number} for number in numbers] for numbers in ([1, 2, 3], [4, 5, 6])]
    assert inspect_workflow(store, id)["output"] == output


def test_steps_inside_an_iterated_subflow_are_not_counted_in_the_workflow(
    store: Store, lifecycle: Stepper, worker: Worker
) -> None:
    id = start_workflow(store, "* { a -> b } -> c", [1, 2]).id
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert workflow["state"] == "FINISHED"
    assert (workflow["counts"]["total"], workflow["counts"]["done"]) == (5, 5)
    assert [step["name"] for step in workflow["steps"] if step["of_items"]] == ["a", "b"]
    [listed] = list_workflows(store)
    assert listed["counts"]["total"] == 5


def test_what_ran_when_its_workflow_was_terminated_is_stopped_and_has_an_end(
    store: Store, lifecycle: Stepper, worker: Worker
) -> None:
    id = start_workflow(store, "a -> b", {"n": 1}).id
    process_all(lifecycle)
    terminate_workflow(store, id)
    process_all(lifecycle)
    workflow = inspect_workflow(store, id)
    stopped = workflow["steps"][1]
    assert (stopped["state"], stopped["ended"]) == ("STOPPED", workflow["ended"])
    assert (stopped["input"], stopped["output"]) == ({"n": 1}, None)
    assert workflow["steps"][2]["state"] == "PENDING"
    restart_workflow(store, id)
    process_all(lifecycle)
    again = inspect_workflow(store, id)["steps"][1]
    assert (again["state"], again["ended"], again["attempt"]) == ("RUNNING", None, 2)
    finish(lifecycle, worker)
    assert inspect_workflow(store, id)["state"] == "FINISHED"


def test_a_parent_that_is_terminated_in_between_restarts_no_item(
    store: Store, lifecycle: Stepper, worker: Worker
) -> None:
    """It is terminated after the lifecycle has looked at it, before it restarts the item."""
    id = start_workflow(store, "* a", [1]).id
    worker.bad = [1]
    finish(lifecycle, worker)
    assert inspect_workflow(store, f"{id}/1.0")["state"] == "FAILED"
    restart_workflow(store, id)
    restarted: list[str] = []

    def terminate_once() -> None:
        if not restarted and inspect_workflow(store, id)["state"] == "RUNNING":
            restarted.append(id)
            terminate_workflow(store, id)

    with overtaken(lifecycle.connection, terminate_once, writing=f"RPUSH {id}/1.0:facts"):
        process_all(lifecycle)
    assert restarted
    history = read_whole_history(lifecycle.connection, f"{id}/1.0").entries
    assert FactKind.RESTARTED not in [fact.kind for entry in history for fact in entry.facts]


def test_items_go_on_when_a_workflow_does_that_failed_elsewhere(
    store: Store, lifecycle: Stepper, worker: Worker
) -> None:
    id = start_workflow(store, "* a  b", [1, 2, 3, 4]).id
    process_all(lifecycle)
    worker.bad = [[1, 2, 3, 4]]
    finish(lifecycle, worker)
    assert inspect_workflow(store, id)["state"] == "FAILED"
    assert sorted(worker.done) == [1, 2]
    worker.bad = []
    restart_workflow(store, id)
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert workflow["output"] == [[{"was": n} for n in (1, 2, 3, 4)], {"was": [1, 2, 3, 4]}]


def test_an_item_is_terminated_with_its_parent_alone(
    store: Store, lifecycle: Stepper, worker: Worker
) -> None:
    id = start_workflow(store, "* a", [1]).id
    process_all(lifecycle)
    with pytest.raises(Conflict, match="is a child of"):
        terminate_workflow(store, f"{id}/1.0")


def test_events_that_come_twice_change_nothing(
    store: Store, lifecycle: Stepper, worker: Worker, client: redis.Redis
) -> None:
    hold_events(client)
    id = start_workflow(store, "* a -> b", [1, 2, 3]).id
    finish(lifecycle, worker)
    whole = client.xrange("workflows:run")
    done = list(worker.done)
    again = Counter[str]()
    for _, fields in whole:
        if json.loads(fields["kind"]) in ("end-task", "end-workflow", "start-task"):
            stream = "workflows:run" if fields.pop("copy_of", None) is None else "workflows:ends"
            client.xadd(stream, fields)
            again[stream] += 1
    assert again == {"workflows:run": 9, "workflows:ends": 4}  # the latter: lfr:each, the ends of the items
    worker.answered_ids |= {id for id, _ in client.xrange("workflows:run")}
    finish(lifecycle, worker)
    assert worker.done == done
    assert client.xlen("workflows:dead") == 0
    assert inspect_workflow(store, id)["state"] == "FINISHED"


def test_of_two_lifecycles_each_item_is_collected_once(
    store: Store, stepper: MakeStepper, worker: Worker
) -> None:
    one, two = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    id = start_workflow(store, "* { a }", list(range(20))).id
    while inspect_workflow(store, id)["state"] == "RUNNING":
        one.step()
        worker.take_all()
        two.step()
        worker.take_all()
    assert inspect_workflow(store, id)["output"] == [{"was": n} for n in range(20)]
    assert sorted(worker.done) == list(range(20))


@pytest.mark.parametrize("turns", range(14))
def test_a_stream_that_was_lost_is_made_up_for_by_a_restart(
    store: Store, client: redis.Redis, lifecycle: Stepper, worker: Worker, turns: int
) -> None:
    id = start_workflow(store, "* { a -> b } -> c", [{"n": 1}, {"n": 2}, {"n": 3}]).id
    for number in range(turns):
        if number % 2:
            worker.take_all()
        else:
            lifecycle.step()
    for consumer in lifecycle.consumer.ids:
        client.delete(consumer.stream)
        create_group(lifecycle.connection, consumer.stream, consumer.group)
    terminate_workflow(store, id)
    process_all(lifecycle)
    restart_workflow(store, id)
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["reason"]) == ("FINISHED", None)
    assert workflow["output"]["was"] == [{"was": {"was": {"n": n}}} for n in (1, 2, 3)]


def test_the_history_tells_of_a_restart_step_by_step(
    store: Store, lifecycle: Stepper, worker: Worker, client: redis.Redis
) -> None:
    id = start_workflow(store, "{ * x * y }", [1, 2, 3]).id
    process_all(lifecycle)
    tasks = {(task["name"], task["input"]): task for task in worker.open_tasks()}
    worker.bad = [1]
    worker.take(tasks["x", 1])
    process_all(lifecycle)
    assert inspect_workflow(store, id)["state"] == "FAILED"
    worker.take(tasks["y", 2])  # makes room for an item, which begins after the restart
    process_all(lifecycle)
    restart_workflow(store, id)
    process_all(lifecycle)
    assert client.lindex(f"{id}:facts", -1).partition(" ")[2] == "+2/0 +3/2"
    worker.bad = []
    finish(lifecycle, worker)
    assert inspect_workflow(store, id)["state"] == "FINISHED"


def test_items_of_a_workflow_that_has_failed_before_they_began(
    store: Store, lifecycle: Stepper, worker: Worker, client: redis.Redis
) -> None:
    id = start_workflow(store, "* a; b", [1, 2, 3]).id
    append(client, kind="end-task", workflow=id, name="b", index=2, attempt=1, status="FAILURE")
    process_all(lifecycle)
    assert worker.open_tasks() == worker.open_tasks()[:1]  # only b
    worker.take_all()
    restart_workflow(store, id)
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["steps"][1]["output"]) == (
        "FINISHED",
        [{"was": n} for n in (1, 2, 3)],
    )


def test_a_start_and_a_restart_of_a_step_in_one_pass(
    store: Store, lifecycle: Stepper, worker: Worker, client: redis.Redis
) -> None:
    """The start of a restart has no items: it does not replace the start that has them."""
    id = start_workflow(store, "a -> * b; c").id
    append(client, kind="end-task", workflow=id, name="a", index=1, attempt=1, output=[1, 2, 3])
    append(client, kind="end-task", workflow=id, name="c", index=3, attempt=1, status="FAILURE")
    lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "FAILED"
    restart_workflow(store, id)
    finish(lifecycle, worker)
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["steps"][2]["output"]) == (
        "FINISHED",
        [{"was": n} for n in (1, 2, 3)],
    )


@pytest.mark.parametrize("item_field", ["i1", "o0"])
def test_a_lifecycle_that_is_overtaken_between_two_looks(
    store: Store,
    client: redis.Redis,
    stepper: MakeStepper,
    worker: Worker,
    item_field: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another lifecycle has begun the items, or ended the step, between two reads."""
    one, two = (
        stepper(Lifecycle(store)),
        stepper(Lifecycle(open_store(replace(store.settings, iterate_limit=1)))),
    )
    id = start_workflow(store, "* a", [1, 2]).id
    execute, times = Connection.execute, [0]

    def overtaken(self: Connection, commands: Sequence[Command], **more: Any) -> Any:
        is_read = any(command[0] == "HMGET" and item_field in command for command in commands)
        if self is two.connection and is_read and not times[0]:
            times[0] = 1
            entries: list[Entry] = []
            for stream, group, _ in one.consumer.ids:
                pending = client.xpending_range(stream, group, "-", "+", 10)
                for id in (each["message_id"] for each in pending):
                    client.xclaim(stream, group, one.consumer.id.name, 0, [id])
                entries += parse_entries(one.connection.call("XRANGE", stream, "-", "+"), stream)
            one.consumer.process_batch(one.connection, entries)
        return execute(self, commands, **more)

    monkeypatch.setattr(Connection, "execute", overtaken)
    while not times[0]:
        two.step()
        worker.take_all()
    finish(one, worker)
    assert inspect_workflow(store, id)["state"] == "FINISHED"


def test_an_item_that_fails_at_once_when_it_goes_on(store: Store, lifecycle: Stepper) -> None:
    id = start_workflow(store, "* { > a }", [[1]]).id
    for _ in range(3):
        process_all(lifecycle)
        workflow = inspect_workflow(store, id)
        assert (workflow["state"], workflow["reason"]) == (
            "FAILED",
            "item 0: cannot merge 1: only objects can be merged",
        )
        restart_workflow(store, id)


@pytest.mark.parametrize(("limit", "running"), [(3, 3), (4, 4), (5, 4), (1_000_000, 4)])
def test_the_setting_is_the_ceiling_of_the_limit_of_a_step(
    store: Store, stepper: Callable[[Lifecycle], Stepper], worker: Worker, limit: int, running: int
) -> None:
    lifecycle = stepper(Lifecycle(open_store(replace(store.settings, iterate_limit=4))))
    start_workflow(store, f"* a (- lfr: {{limit: {limit}}} -)", list(range(9)))
    start_workflow(store, f"@task X {{ a }} * X (- lfr: {{limit: {limit}}} -)", list(range(9)))
    process_all(lifecycle)
    assert len(worker.open_tasks()) == 2 * running
    assert all(task["parameters"] == {} for task in worker.open_tasks())


@pytest.mark.parametrize(
    ("text", "running"),
    [
        ("* { * a }", 9),  # 9 run, each of them 1
        ("* { * { * a } }", 9),
        ("@task X { * { * a } } * X (- lfr: {limit: 3} -)", 12),  # 3, each of them 4, each of them 1
        ("@task X { * a } * X (- lfr: {limit: 5} -)", 10),  # 5, each of them 2
        ("* { a; * a (- lfr: {limit: 9} -) }", 18),
    ],
)
def test_iterations_within_each_other_share_the_limit(
    store: Store, stepper: Callable[[Lifecycle], Stepper], worker: Worker, text: str, running: int
) -> None:
    lifecycle = stepper(Lifecycle(open_store(replace(store.settings, iterate_limit=12))))
    start_workflow(store, text, [[[1] * 5] * 5] * 9)
    process_all(lifecycle)
    assert len(worker.open_tasks()) == running
    finish(lifecycle, worker)


def test_what_runs_for_an_item_is_made_once_of_the_flow(
    store: Store, lifecycle: Stepper, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    part = Flow.part

    def counted(flow: Flow, index: int) -> Flow:
        made.append(index)
        return part(flow, index)

    monkeypatch.setattr(Flow, "part", counted)
    start_workflow(store, "* { a -> * b }", [[1, 2, 3], [4, 5], [6]])
    finish(lifecycle, worker)
    assert sorted(made) == [1, 3]


def test_what_only_a_whole_workflow_or_an_item_takes(store: Store, lifecycle: Stepper) -> None:
    id = start_workflow(store, "* a", [1]).id
    process_all(lifecycle)
    with pytest.raises(BadInput, match="is iterated"):
        complete_task(store, id, "a", 1)
    assert complete_task(store, f"{id}/1.0", "a", 1)
    with pytest.raises(BadInput, match="is the id of an item"):
        start_workflow(store, "a", workflow_id=f"{id}/1.0")
