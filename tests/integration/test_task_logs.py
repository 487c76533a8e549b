"""What tasks print and log: it finds its attempt, it is bounded, and it lives as long as its workflow."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import BadInput, NotFound, Unreachable
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_step
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.operations.task_logs import read_task_log, read_whole_task_log
from lfr.roles.lifecycle import Lifecycle
from lfr.store import keys
from lfr.store.redis.connection import Store, open_store
from lfr.store.workflows.task_logs import LogChanges
from lfr.task_log import MAX_EVENT_BYTES
from lfr.worker.attempt_log import AttemptLog
from lfr.worker.capture import capture_logging, capture_streams
from lfr.worker.registry import Task, load_tasks
from tests.integration.conftest import Stepper, append, events_of, settle
from tests.integration.test_python_tasks import running
from tests.support.waiting import eventually

MakeStepper = Callable[[Lifecycle], Stepper]

TASKS = """
import asyncio, logging, sys, threading
from lfr import task

both = threading.Barrier(2)

@task("talk")
def talk(input, *, name: str):
    both.wait(60)
    for number in range(50):
        print(name, number)
        logging.getLogger("mine").warning("%s logs %d", name, number)
    return {}

@task("talk-async")
async def talk_async(input, *, name: str):
    for number in range(20):
        print(name, number, file=sys.stderr)
        await asyncio.sleep(0)
    await asyncio.to_thread(print, name, "in a thread")
    return {}

@task("waits")
def waits(input):
    print("it waits")
    assert both.wait(60) >= 0
    print("it goes on")

@task("breaks")
def breaks(input):
    print("before \\x1b[31mit\\x1b[0m \\x1b]0;breaks\\x07")
    raise ValueError("no such picture")

@task("silent")
def silent(input):
    return {}
"""


@pytest.fixture
def lifecycle(store: Store, stepper: MakeStepper) -> Stepper:
    return stepper(Lifecycle(store))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tasks_that_talk.py"
    file.write_text(TASKS)
    return file


@contextmanager
def working(store: Store, tasks: Mapping[str, Task], *, concurrency: int = 2) -> Iterator[None]:
    """Run the executor of these tasks in a thread, with what they write captured as `lfr tasks` does it.

    Not in a fixture: pytest puts its own stdout in place when the test itself begins.
    """
    root = logging.getLogger()
    former = sys.stdout, sys.stderr, root.handlers[:]
    capture_streams()
    capture_logging()
    try:
        with running(store, tasks, concurrency=concurrency):
            yield
    finally:
        sys.stdout, sys.stderr, root.handlers[:] = former


def finish(lifecycle: Stepper, store: Store, id: str) -> None:
    """Let a workflow end."""

    def has_ended() -> bool:
        lifecycle.step()
        return bool(read_task_log(store, id)["has_ended"])

    eventually(has_ended)


def lines_of(store: Store, id: str, **choice: Any) -> list[dict[str, Any]]:
    return [line for page in read_whole_task_log(store, id, **choice) for line in page]


def texts_of(store: Store, id: str, **choice: Any) -> list[Any]:
    return [line.get("text", line.get("omitted")) for line in lines_of(store, id, **choice)]


def test_threads_and_coroutines_share_stdout_and_each_line_finds_its_attempt(
    store: Store, lifecycle: Stepper, file: Path
) -> None:
    names = ("talk (- name: a -)", "talk (- name: b -)")
    coroutines = ("talk-async (- name: c -)", "talk-async (- name: d -)")
    id = start_workflow(store, f"{{ {' '.join(names + coroutines)} }}", {}).id
    with working(store, load_tasks(str(file)), concurrency=4):
        finish(lifecycle, store, id)
    first = inspect_step(store, id, 2)
    for index, name in enumerate("ab", start=2):
        expected = [text for n in range(50) for text in (f"{name} {n}", f"{name} logs {n}")]
        assert texts_of(store, id, index=index) == expected
        assert [line["number"] for line in lines_of(store, id, index=index)] == list(range(1, 101))
    for index, name in enumerate("cd", start=4):
        assert texts_of(store, id, index=index) == [
            *(f"{name} {n}" for n in range(20)),
            f"{name} in a thread",
        ]
    sources = {line["source"] for line in lines_of(store, id)}
    assert sources == {"stdout", "stderr", "warning"}
    [evidence] = first["evidence"]
    assert (evidence["lines"], evidence["delivery"]) == (100, 1)
    assert evidence["cpu_seconds"] >= 0 and evidence["ended"] >= evidence["started"] and evidence["host"]


def test_lines_come_while_a_task_runs(
    store: Store, lifecycle: Stepper, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.worker.log_sender._SEND_SECONDS", 0.01)
    tasks = load_tasks(str(file))
    id = start_workflow(store, "waits", {}).id
    with working(store, tasks):
        eventually(lambda: lifecycle.step() or texts_of(store, id) == ["it waits"])
        assert inspect_step(store, id, 1)["state"] == "RUNNING"
        cursor = read_task_log(store, id)["cursor"]
        tasks["waits"].function.__globals__["both"].wait(60)
        finish(lifecycle, store, id)
    page = read_task_log(store, id, after=cursor)
    assert [line["text"] for line in page["lines"]] == ["it goes on"]
    assert page["attempts"][0]["ended"] is not None


def test_a_failure_leaves_its_traceback_for_each_attempt(
    store: Store, lifecycle: Stepper, file: Path
) -> None:
    id = start_workflow(store, "silent -> breaks (- lfr: {retry: {times: 1, delay: 0}} -)", {}).id
    with working(store, load_tasks(str(file))):
        finish(lifecycle, store, id)
    for attempt in (1, 2):
        texts = texts_of(store, id, index=2, attempt=attempt)
        assert texts[0] == "before it \x1b]0;breaks\x07"  # without the colour
        assert texts[1] == "Traceback (most recent call last):"
        assert texts[2] == f'  File "{file}", line 32, in breaks'
        assert texts[-1] == "ValueError: no such picture"
        sources = {line["source"] for line in lines_of(store, id, index=2, attempt=attempt)[1:]}
        assert sources == {"traceback"}
    assert texts_of(store, id, index=1) == []
    with pytest.raises(NotFound, match="has no step 9"):
        read_task_log(store, id, index=9)
    with pytest.raises(BadInput):
        read_task_log(store, id, attempt=1)


def test_a_short_task_that_writes_nothing_sends_nothing(
    store: Store, client: redis.Redis, file: Path
) -> None:
    start_workflow(store, "silent", {})
    with working(store, load_tasks(str(file))):
        eventually(lambda: events_of(client, "end-task"))
    assert events_of(client, "task-log") == []


def foreign_log(client: redis.Redis, id: str, **fields: Any) -> None:
    """Send lines as a worker in another language does."""
    append(client, **{"kind": "task-log", "workflow": id, "index": 1, "attempt": 1, **fields})


def test_a_foreign_worker_sends_lines(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start_workflow(store, "A", {}).id
    foreign_log(client, id, lines=["one\ntwo", [1_700_000_000_000, "error", "three"]], host="pi", process=7)
    foreign_log(client, id, lines=["four"])
    foreign_log(client, id, lines=["x" * MAX_EVENT_BYTES])
    foreign_log(client, id, lines=[["no", "line"]])
    foreign_log(client, "workflow:nobody", lines=["lost"])
    foreign_log(client, id, lines=["of another run"], run="00000000")
    lifecycle.step()
    lines = lines_of(store, id)
    assert [line["text"] for line in lines[:4]] == ["one", "two", "three", "four"]
    assert (lines[2]["at"], lines[2]["source"]) == ("2023-11-14T22:13:20.000+00:00", "error")
    assert lines[4]["source"] == "lfr" and "one task-log event may have 65536" in lines[4]["text"]
    assert len(lines) == 5
    [evidence] = inspect_step(store, id, 1)["evidence"]
    assert (evidence["host"], evidence["process"], evidence["version"]) == ("pi", 7, None)
    [(_, letter)] = client.xrange(keys.DEAD_LETTERS)
    assert letter["reason"].startswith("one of its lines is no text")
    settle(client, lifecycle)
    assert client.exists(keys.task_log("workflow:nobody")) == 0


@pytest.fixture
def small_store(settings: Settings) -> Iterator[Store]:
    store = open_store(replace(settings, logs_attempt=2000, logs_workflow=6000))
    yield store
    store.pool.disconnect()


def test_the_bounds_hold_whatever_strangers_send(
    small_store: Store, client: redis.Redis, stepper: MakeStepper
) -> None:
    lifecycle = stepper(Lifecycle(small_store))
    id = start_workflow(small_store, "A", {}).id
    for number in range(60):
        foreign_log(client, id, lines=[f"{number} {'x' * 50}"])
        if number % 7 == 0:
            lifecycle.step()
    lifecycle.step()
    lines = lines_of(small_store, id)
    assert lines[0]["text"].startswith("0 ") and lines[-1]["text"].startswith("59 ")
    assert sum(line.get("omitted", 1) for line in lines) == 60
    assert 1 < len(lines) < 30
    for attempt in range(2, 200):
        foreign_log(client, id, attempt=attempt, lines=["y" * 100], host="h" * 200)
    lifecycle.step()
    total = sum(len(name) + len(value) for name, value in client.hgetall(keys.task_log(id)).items())
    assert total < 2 * 6000
    assert lines_of(small_store, id)[-1]["attempt"] == 199
    assert texts_of(small_store, id, index=1, attempt=1) == []  # the oldest went first


def test_logs_attempt_0_keeps_nothing(
    settings: Settings, client: redis.Redis, stepper: MakeStepper, file: Path
) -> None:
    store = open_store(replace(settings, logs_attempt=0))
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "breaks", {}).id
    with working(store, load_tasks(str(file))):
        finish(lifecycle, store, id)
    foreign_log(client, id, lines=["a"])
    lifecycle.step()
    assert client.exists(keys.task_log(id)) == 0
    store.pool.disconnect()


def test_a_log_goes_with_its_workflow(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start_workflow(store, "A", {}).id
    foreign_log(client, id, lines=["a"])
    lifecycle.step()
    assert client.exists(keys.task_log(id)) == 1
    terminate_workflow(store, id)
    foreign_log(client, id, lines=["late, and kept"])
    lifecycle.step()
    assert texts_of(store, id) == ["a", "late, and kept"]
    delete_workflow(store, id)
    foreign_log(client, id, lines=["too late"])
    lifecycle.step()
    assert list(client.scan_iter(f"{id}*")) == []


def test_a_workflow_that_is_deleted_meanwhile_leaves_no_log(
    store: Store, client: redis.Redis, lifecycle: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = start_workflow(store, "A", {}).id
    terminate_workflow(store, id)
    lifecycle.step()
    drop_oldest = LogChanges.drop_oldest

    def delete_first(*arguments: Any) -> None:
        if client.exists(id):  # it has been loaded, and its lines are about to be written
            delete_workflow(store, id)
        drop_oldest(*arguments)

    monkeypatch.setattr(LogChanges, "drop_oldest", delete_first)
    foreign_log(client, id, lines=["a"])
    lifecycle.step()
    assert list(client.scan_iter(f"{id}*")) == []
    settle(client, lifecycle)


def test_lines_wait_for_the_end_of_an_outage(
    store: Store, lifecycle: Stepper, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.worker.log_sender._SEND_SECONDS", 0.01)
    outages = [Unreachable("no Redis answers"), Unreachable("no Redis answers")]
    unsent = AttemptLog.unsent

    def unsent_after_outages(log: AttemptLog) -> Any:
        if outages:
            raise outages.pop()
        return unsent(log)

    monkeypatch.setattr(AttemptLog, "unsent", unsent_after_outages)
    tasks = load_tasks(str(file))
    id = start_workflow(store, "waits", {}).id
    with working(store, tasks):
        eventually(lambda: lifecycle.step() or texts_of(store, id) == ["it waits"])
        assert outages == []
        tasks["waits"].function.__globals__["both"].wait(60)
        finish(lifecycle, store, id)
    assert texts_of(store, id) == ["it waits", "it goes on"]


def test_an_archive_has_the_logs_of_a_workflow_and_its_items(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "A -> * B", [1, 2]).id
    foreign_log(client, id, lines=["a", 7, "b"], host="pi", delivery=2)
    append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1, output=[1, 2])
    eventually(lambda: lifecycle.step() or len(events_of(client, "start-task")) >= 3)
    [item] = {each["workflow"] for each in events_of(client, "start-task") if each["workflow"].endswith(".1")}
    foreign_log(client, item, index=2, lines=["of an item"])
    lifecycle.step()
    document = json.loads(json.dumps(archive_workflow(store, id)))
    before = lines_of(store, id), lines_of(store, item)
    terminate_workflow(store, id)
    lifecycle.step()
    delete_workflow(store, id)
    assert restore_workflow(store, document) == id
    assert (lines_of(store, id), lines_of(store, item)) == before
    assert texts_of(store, id) == ["a", 7, "b"]
    [evidence] = inspect_step(store, id, 1)["evidence"]
    assert (evidence["host"], evidence["delivery"], evidence["lines"]) == ("pi", 2, 9)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([{"index": 99, "attempt": 1, "lines": []}], "its index is not a whole number from"),
        ([{"index": 1, "attempt": 1, "lines": [[1]]}], "one of its lines is no text"),
        ([{"index": 1, "attempt": 1, "lines": [], "evidence": {"host": 1}}], "its host is not a text"),
        ([{"index": 1, "attempt": 1, "lines": ["a"]}] * 2, "an attempt has written more than once"),
        ({}, "its log is not a list"),
    ],
)
def test_an_archive_with_another_log_is_refused(store: Store, log: Any, message: str) -> None:
    document = archive_workflow(store, start_workflow(store, "A", {}).id)
    with pytest.raises(BadInput, match=message):
        restore_workflow(store, {**document, "log": log})


def test_more_than_one_transaction_can_drop_goes_by_and_by(
    small_store: Store, client: redis.Redis, stepper: MakeStepper
) -> None:
    """An archive may bring any number of attempts, and a pass that takes too long ends a lifecycle."""
    id = start_workflow(small_store, "A", {}).id
    document = archive_workflow(small_store, id)
    log = [{"index": 1, "attempt": number, "lines": ["a"]} for number in range(1, 25_001)]
    id = restore_workflow(small_store, {**document, "log": log})
    lifecycle = stepper(Lifecycle(small_store))
    numbers = []
    for _ in range(3):
        foreign_log(client, id, attempt=25_001, lines=["b"])
        lifecycle.step()
        numbers.append(client.hlen(keys.task_log(id)))
    assert numbers[0] > 25_000 and numbers[1] > 5_000 and numbers[2] < 200
    assert texts_of(small_store, id)[-3:] == ["b", "b", "b"]
