"""Archive, delete, restore, restart: nothing is lost, and a deletion leaves nothing behind."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.events import send_event
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, restart_workflow, skip_task, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Command, Connection, Store
from lfr.values.json import MAX_DEPTH, MAX_DOCUMENT_DEPTH, decode_json, encode_json
from lfr.values.times import iso_time
from tests.integration.conftest import Stepper, append, events_of
from tests.support.waiting import eventually

MakeStepper = Callable[[Lifecycle], Stepper]

FLOW = "@flow big\na -> { b ?`$.never` c } -> <[[1, 2], [3]]> -> * { d -> * e } -> f".replace(
    "-> <[[1, 2], [3]]> ->", ";\n<[[1, 2], [3]]> ->"
)


@pytest.fixture
def lifecycle(store: Store, stepper: MakeStepper) -> Stepper:
    return stepper(Lifecycle(store))


IDLE_KEYS = {
    "workflows:run",
    "workflows:ends",
    "workflows:flows",
    "workflows:foreign",
    "workflows:housekeeper",
    "workflows:indexed",
    "workflows:searchable",
    "workflows:stream",
    "workflows:unclaimed",
    "receipts:logged",
}


class Worker:
    """Completes tasks with their name and input as output, except those that are held."""

    def __init__(self, client: redis.Redis, lifecycle: Stepper) -> None:
        self.client = client
        self.lifecycle = lifecycle
        self.completed: set[tuple[Any, ...]] = set()

    def work(self, *held: str) -> None:
        """Complete tasks until there are no more."""
        idle = 0
        while idle < 5:
            tasks = [
                task
                for task in events_of(self.client, "start-task")
                if task["base"] != "lfr:each"
                and task["name"] not in held
                and self.identity(task) not in self.completed
            ]
            for task in tasks:
                self.completed.add(self.identity(task))
                identity = {key: task[key] for key in ("workflow", "name", "index", "attempt")}
                append(self.client, kind="end-task", output={task["name"]: task["input"]}, **identity)
            self.lifecycle.step()
            idle = 0 if tasks else idle + 1

    def identity(self, task: dict[str, Any]) -> tuple[Any, ...]:
        """Return what identifies an attempt."""
        return tuple(task[key] for key in ("workflow", "index", "attempt"))


@pytest.fixture
def worker(client: redis.Redis, lifecycle: Stepper) -> Worker:
    return Worker(client, lifecycle)


def workflow_keys(client: redis.Redis) -> set[str]:
    """Return all keys except those that stay in an idle installation."""
    return {key for key in client.scan_iter() if key not in IDLE_KEYS}


def document_time(document: dict[str, Any]) -> str | None:
    """Return the time of the latest history entry of an archive."""
    return iso_time(document["history"][-1]["at"])


@pytest.mark.parametrize("held", ["a", "b", "d", "e", "f", "nothing"])
def test_an_archive_of_any_time_is_restored_elsewhere_and_continues(
    store: Store, client: redis.Redis, worker: Worker, held: str
) -> None:
    uninterrupted_id = start_workflow(store, FLOW).id
    worker.work()
    expected = inspect_workflow(store, uninterrupted_id)
    delete_workflow(store, uninterrupted_id)

    id = start_workflow(store, FLOW).id
    worker.work(held)
    document = json.loads(json.dumps(archive_workflow(store, id)))
    client.flushall()
    worker.completed.clear()
    worker.lifecycle = Stepper(worker.lifecycle.consumer, worker.lifecycle.connection)

    assert restore_workflow(store, document) == id
    restored = inspect_workflow(store, id)
    if held == "nothing":
        assert restored["state"] == "FINISHED"
    else:
        assert restored["state"] == "TERMINATED"
        last = inspect_workflow(store, id, history=True)["history"][-1]
        assert (last["index"], last["event"]) == (None, "terminated")
        assert restored["ended"] == last["at"] == document_time(document)
        restart_workflow(store, id)
        worker.work()
    ended = inspect_workflow(store, id)
    assert (ended["state"], ended["output"]) == ("FINISHED", expected["output"])
    assert [step["state"] for step in ended["steps"]] == [step["state"] for step in expected["steps"]]


@pytest.mark.parametrize("held", ["a", "e", "nothing"])
def test_a_deletion_leaves_nothing(store: Store, client: redis.Redis, worker: Worker, held: str) -> None:
    other = start_workflow(store, FLOW).id
    id = start_workflow(store, FLOW).id
    worker.work(held)
    for each in (id, other):
        if inspect_workflow(store, each)["state"] == "RUNNING":
            with pytest.raises(Conflict, match="terminate it first"):
                delete_workflow(store, each)
            terminate_workflow(store, each)
    delete_workflow(store, id)
    with pytest.raises(NotFound):
        inspect_workflow(store, id)
    assert inspect_workflow(store, other)["name"] == "big"
    delete_workflow(store, other)
    worker.work(held)
    assert workflow_keys(client) == set()


def test_a_failed_workflow_is_deleted_with_what_still_runs(
    store: Store, client: redis.Redis, worker: Worker
) -> None:
    id = start_workflow(store, "a (- lfr: {timeout: 1h} -) b").id
    append(client, kind="end-task", workflow=id, name="b", index=2, status="FAILURE", reason="no", attempt=1)
    eventually(lambda: worker.lifecycle.step() or inspect_workflow(store, id)["state"] == "FAILED")
    delete_workflow(store, id)
    assert [event["name"] for event in events_of(client, "cancel-task")] == ["a"]
    assert workflow_keys(client) == set()


def test_items_that_still_run_are_stopped_before_they_are_deleted(
    store: Store, client: redis.Redis, worker: Worker
) -> None:
    id = start_workflow(store, "* { * a (- lfr: {timeout: 1h} -) }", [[1], [2]]).id
    worker.work("a")
    append(
        client, kind="end-task", workflow=f"{id}/1.0/2.0", name="a", index=2, status="FAILURE", reason="no"
    )
    worker.work("a")
    assert inspect_workflow(store, id)["state"] == "FAILED"
    delete_workflow(store, id)
    cancelled = [(event["name"], event["workflow"]) for event in events_of(client, "cancel-task")]
    assert cancelled == [("a", f"{id}/1.1/2.0")]
    worker.work("a")
    assert workflow_keys(client) == set()
    assert client.xlen("workflows:dead") == 0


def test_ids(store: Store, worker: Worker) -> None:
    id = start_workflow(store, "a").id
    document = archive_workflow(store, id)
    copied = restore_workflow(store, document)
    assert copied != id
    with pytest.raises(Conflict, match="already exists"):
        restore_workflow(store, document, id)
    assert restore_workflow(store, document, "mine") == "workflow:mine"
    with pytest.raises(Conflict, match="is a child of"):
        delete_workflow(store, f"{id}/1.0")


def wrong_values(document: Any) -> list[tuple[tuple[str | int, ...], Any]]:
    """Return every path in a document with each of some values that are wrong there."""
    changes: list[tuple[tuple[str | int, ...], Any]] = []

    def visit(value: Any, path: tuple[str | int, ...]) -> None:
        changes.extend((path, wrong) for wrong in (None, -5, "x", [], {"q": 1}, [1, "z"], 10**30))
        if isinstance(value, dict):
            for key in value:
                visit(value[key], (*path, key))
        elif isinstance(value, list):
            for index in range(min(2, len(value))):
                visit(value[index], (*path, index))

    visit(document, ())
    return changes


def test_any_change_of_an_archive_is_refused_or_harmless(
    store: Store, client: redis.Redis, worker: Worker
) -> None:
    id = start_workflow(store, FLOW).id
    worker.work("e")
    document = json.loads(json.dumps(archive_workflow(store, id)))
    refused = restored = 0
    for path, wrong in wrong_values(document):
        changed = copy.deepcopy(document)
        parent: Any = changed
        for key in path[:-1]:
            parent = parent[key]
        if path:
            parent[path[-1]] = wrong
        else:
            changed = wrong
        try:
            copied = restore_workflow(store, changed)
        except (BadInput, Conflict):
            refused += 1
            continue
        restored += 1
        inspect_workflow(store, copied, history=True)
        archive_workflow(store, copied)
        if inspect_workflow(store, copied)["state"] == "TERMINATED":
            restart_workflow(store, copied)
            worker.lifecycle.step()
            terminate_workflow(store, copied)
        delete_workflow(store, copied)
    assert refused > 500 and restored > 100


@pytest.mark.parametrize("is_late", [False, True])
def test_items_that_end_while_they_are_archived(
    store: Store, lifecycle: Stepper, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """Items end before they are read, or after: the archive is consistent."""
    id = start_workflow(store, "* { a -> b }", [1, 2]).id
    lifecycle.step()
    running = [f"{id}/1.0", f"{id}/1.1"]
    execute = Connection.execute

    def execute_and_end_items(self: Connection, commands: Sequence[Command], **options: Any) -> Any:
        reads_item = self is not lifecycle.connection and ("WATCH", f"{id}/1.0") in commands
        reads_item = reads_item and bool(running)
        if reads_item and not is_late:
            complete_task(store, running.pop(0), "a", 2)
            lifecycle.step()
            complete_task(store, f"{id}/1.0", "b", 3)
            for _ in range(2):
                lifecycle.step()
        replies = execute(self, commands, **options)
        if reads_item and is_late:
            complete_task(store, running.pop(0), "a", 2)
            lifecycle.step()
        return replies

    monkeypatch.setattr(Connection, "execute", execute_and_end_items)
    document = archive_workflow(store, id)
    items = document["items"]["1"]
    now = inspect_workflow(store, id)["steps"][1]["items"]
    assert (items["done"], len(items["open"])) == ((0, 2) if is_late else (1, 1))
    assert now["done"] == items["done"]
    if is_late:
        assert items["open"]["0"]["outputs"].keys() == {"-1", "1", "2"}


@pytest.mark.parametrize("name", ["two words", "a\nb", " ", "\u2003", '["'])
def test_a_deadline_of_a_task_with_any_name(
    store: Store, client: redis.Redis, lifecycle: Stepper, name: str
) -> None:
    id = start_workflow(store, "a (- lfr: {timeout: 0.001} -)").id
    document = archive_workflow(store, id)
    terminate_workflow(store, id)
    document["flow"]["steps"][1]["name"] = name
    restored = restore_workflow(store, document)
    restart_workflow(store, restored)
    eventually(lambda: lifecycle.step() or client.hget(restored, "state") == "FAILED")
    assert "timeout" in inspect_workflow(store, restored)["reason"]
    assert client.zcard("waits:deadlines") == 0


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def reread(document: Any) -> Any:
    """Return a document as `lfr archive` writes it and `lfr restore` and the API read it."""
    return decode_json(encode_json(document).encode(), MAX_DOCUMENT_DEPTH)


@pytest.mark.parametrize(
    "flow", ["A -> B", "* A -> B", "* { A -> * B } -> C", "@task x { * { * y } -> B }\n@task y { * A }\n* x"]
)
def test_values_that_are_nested_to_the_limit_are_archived_and_restored(
    store: Store, client: redis.Redis, lifecycle: Stepper, flow: str
) -> None:
    value = nested(MAX_DEPTH)
    id = start_workflow(store, flow, value).id
    eventually(lambda: lifecycle.step() or events_of(client, "start-task")[-1]["name"] == "A")
    task = events_of(client, "start-task")[-1]
    answer = {name: task[name] for name in ("workflow", "name", "index", "attempt")}
    append(client, kind="end-task", output=value, **answer)
    for _ in range(9):
        lifecycle.step()
    before = inspect_workflow(store, id)
    document = reread(archive_workflow(store, id))
    if before["state"] == "RUNNING":
        terminate_workflow(store, id)
        for _ in range(9):
            lifecycle.step()
    delete_workflow(store, id)
    assert restore_workflow(store, document) == id
    after = inspect_workflow(store, id)
    assert after["input"] == before["input"] == value
    assert [step["output"] for step in after["steps"]] == [step["output"] for step in before["steps"]]
    assert reread(archive_workflow(store, id))["outputs"] == document["outputs"]


def test_items_of_items_many_times_are_archived_and_restored(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "* { " * 30 + "* A" + " }" * 30, [nested(MAX_DEPTH - 1)]).id
    eventually(lambda: lifecycle.step() or events_of(client, "start-task")[-1]["name"] == "A")
    document = reread(archive_workflow(store, id))
    terminate_workflow(store, id)
    eventually(lambda: lifecycle.step() or not client.keys("*TERMINATING*"))
    delete_workflow(store, id)
    assert restore_workflow(store, document) == id
    assert reread(archive_workflow(store, id))["items"].keys() == document["items"].keys()


def test_a_value_that_nobody_could_read_again_is_refused(store: Store, worker: Worker) -> None:
    id = start_workflow(store, "a -> b").id
    worker.work("b")
    document = archive_workflow(store, id)
    document["outputs"]["1"] = nested(MAX_DEPTH + 1)
    with pytest.raises(BadInput, match="nested more than 200 levels deep"):
        restore_workflow(store, document)
    for act in (
        skip_task,
        lambda *arguments: complete_task(*arguments[:2], None, arguments[2], output=arguments[3]),
    ):
        with pytest.raises(
            BadInput, match="the output cannot be written as JSON: it is nested more than 200"
        ):
            act(store, id, 2, nested(MAX_DEPTH + 1))
    with pytest.raises(BadInput, match="the field a cannot be written as JSON"):
        send_event(store, "ok", {"a": nested(MAX_DEPTH + 1)})
    with pytest.raises(BadInput, match="the input cannot be written as JSON"):
        start_workflow(store, "a", nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("name", ["started", "ended"])
def test_a_time_that_cannot_be_shown_is_refused(store: Store, worker: Worker, name: str) -> None:
    id = start_workflow(store, "a").id
    worker.work()
    document = archive_workflow(store, id)
    document["record"][name] = 253_402_300_800_000
    with pytest.raises(BadInput, match=f"its {name} is not a whole number"):
        restore_workflow(store, document)
    document["record"][name] = 253_402_300_799_999
    restored = inspect_workflow(store, restore_workflow(store, document))
    assert restored[name].startswith("9999-12-31T23:59:59.99")


def test_whole_numbers_of_an_archive_may_be_written_in_any_form_of_json(store: Store, worker: Worker) -> None:
    id = start_workflow(store, "a -> b").id
    worker.work("b")
    expected = inspect_workflow(store, id)["counts"]
    document = archive_workflow(store, id)
    document["counts"] = [float(count) for count in document["counts"]]
    document["steps"] = {
        index: [float(number) for number in step] for index, step in document["steps"].items()
    }
    document["record"]["started"] = float(document["record"]["started"])
    copy = restore_workflow(store, json.loads(json.dumps(document)), "copy")
    assert inspect_workflow(store, copy)["counts"] == {**expected, "running": 0}
    restart_workflow(store, copy)
    worker.work()
    assert inspect_workflow(store, copy)["state"] == "FINISHED"
