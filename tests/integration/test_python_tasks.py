"""The task functions of a file, run by an executor on a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr.errors import Unreachable
from lfr.events import StartTask
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.store import keys
from lfr.store.queues.claims import claim
from lfr.store.redis.connection import Store
from lfr.store.workflows.attempt_status import are_current, save_task_progress
from lfr.worker import context as context_module
from lfr.worker import executor as executor_module
from lfr.worker.context import Context
from lfr.worker.python_tasks import make_executor
from lfr.worker.registry import Task, load_tasks
from tests.integration.conftest import append_to, events_of
from tests.support.listening import listening
from tests.support.waiting import STALL_SECONDS, eventually


@contextmanager
def running(store: Store, tasks: Mapping[str, Task], *, concurrency: int = 2) -> Iterator[None]:
    """Run the executor of these tasks in a thread."""
    executor = make_executor(store, "mine", tasks, concurrency=concurrency, grace_seconds=5)
    with listening(executor):
        yield


TASKS = """
from lfr import task

done = []

@task("A")
def a(input):
    done.append(input)
    return {"done": True}
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Mapping[str, Task]:
    file = tmp_path / "some_tasks_to_do.py"
    file.write_text(TASKS)
    return load_tasks(str(file))


def test_an_outage_of_redis_does_not_fail_a_task(
    store: Store, client: redis.Redis, tasks: Mapping[str, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    outages = [Unreachable("no Redis answers"), Unreachable("no Redis answers")]

    def are_current_after_outages(*arguments: Any) -> list[bool]:
        if outages:
            raise outages.pop()
        return are_current(*arguments)

    monkeypatch.setattr(executor_module, "are_current", are_current_after_outages)
    start_workflow(store, "A", {})
    with running(store, tasks):
        (end,) = eventually(lambda: events_of(client, "end-task"))
    assert (outages, end["status"], end["output"]) == ([], "SUCCESS", {"done": True})


def test_a_task_that_is_not_current_is_not_begun(
    store: Store, client: redis.Redis, tasks: Mapping[str, Task]
) -> None:
    queue = keys.queue("mine")
    with store.connect() as connection:
        claim(connection, "mine", ["A"])
    terminate_workflow(store, start_workflow(store, "A", {}).id)
    other = "workflow:of-something-else"
    client.set(other, 1)
    append_to(client, queue, kind="start-task", workflow=other, name="A", base="A", index=1, input={})
    assert client.xlen(queue) == 2
    with running(store, tasks):
        eventually(lambda: client.xlen(queue) == 0)
    assert client.xpending(queue, "mine")["pending"] == 0
    done = tasks["A"].function.__globals__["done"]
    assert (done, events_of(client, "end-task")) == ([], [])


def test_the_log_shows_where_in_the_file_a_task_has_failed(
    store: Store, client: redis.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "some_tasks_that_break.py"
    file.write_text("from lfr import task\n@task('A')\nasync def a(input):\n    input['nothing']\n")
    start_workflow(store, "A", {})
    with running(store, load_tasks(str(file))):
        eventually(lambda: events_of(client, "end-task"))
    (traceback,) = [record.exc_text or "" for record in caplog.records if record.exc_info]
    assert traceback.splitlines()[1].strip() == f'File "{file}", line 4, in a'
    assert traceback.splitlines()[-1] == "KeyError: 'nothing'"


@pytest.mark.parametrize(("reported", "saved"), [(0.25, 0.25), (-1, 0.0), (7, 1.0), (float("nan"), 1.0)])
def test_any_number_is_a_progress(store: Store, reported: float, saved: float) -> None:
    id = start_workflow(store, "A", {}).id
    with store.connect() as connection:
        run = connection.call("HGET", id, "run").decode()
    Context(store, StartTask(id, "A", "A", 1, {}, {}, 1, run=run)).progress(reported, "so far")
    step = inspect_workflow(store, id)["steps"][1]
    assert (step["progress"]["fraction"], step["progress"]["text"]) == (saved, "so far")


ASYNC_TASKS = """
import asyncio, threading
from lfr import Context, task

everyone = asyncio.Semaphore(0)
lock = asyncio.Lock()
arrived, loops, threads = [], set(), set()
sending = threading.Event()

@task("A")
async def a(input):
    loops.add(asyncio.get_running_loop())
    arrived.append(input)
    if len(arrived) == 20:  # all are here at once
        for _ in range(20):
            everyone.release()
    await everyone.acquire()
    async with lock:
        await asyncio.sleep(0.001)
    threads.update(thread.name for thread in threading.enumerate())
    return {"done": True}

@task("exit")
async def leave(input):
    exiting = asyncio.get_running_loop().create_task(raise_exit())
    await asyncio.wait([exiting])
    return {"raised": repr(exiting.exception())}

async def raise_exit():
    raise SystemExit(3)

@task("later")
def later(input):
    return a(input)  # a sync function that returns an awaitable

@task("reports")
def reports(input, *, context: Context):
    context.progress(0.5)

@task("asks-and-reports")
async def asks_and_reports(input, *, context: Context):
    context.progress(0.5)
    while not sending.is_set():
        await asyncio.sleep(0.001)
    return {"cancelled": context.cancelled}
"""


@pytest.fixture
def async_tasks(tmp_path: Path) -> Mapping[str, Task]:
    file = tmp_path / "some_async_tasks.py"
    file.write_text(ASYNC_TASKS)
    return load_tasks(str(file))


def statuses(client: redis.Redis) -> list[str]:
    return [event["status"] for event in events_of(client, "end-task")]


def test_async_tasks_share_one_event_loop_and_take_no_thread(
    store: Store, client: redis.Redis, async_tasks: Mapping[str, Task]
) -> None:
    for number in range(20):
        start_workflow(store, "later" if number == 7 else "A", {})
    before = {thread.name for thread in threading.enumerate()}
    with running(store, async_tasks, concurrency=20):
        eventually(lambda: len(events_of(client, "end-task")) == 20)
    names = async_tasks["A"].function.__globals__
    assert statuses(client) == ["SUCCESS"] * 20
    assert len(names["loops"]) == 1
    pool_threads = {name for name in names["threads"] - before if name.startswith("tasks-")}
    assert len(pool_threads) <= 2, pool_threads  # that of `later`, and one that sends


def test_a_system_exit_in_the_event_loop_does_not_stop_it(
    store: Store, client: redis.Redis, async_tasks: Mapping[str, Task]
) -> None:
    for _ in range(3):
        start_workflow(store, "exit", {})
    with running(store, async_tasks):
        eventually(lambda: len(events_of(client, "end-task")) == 3)
    assert statuses(client) == ["SUCCESS"] * 3


def test_progress_is_deleted_in_the_transaction_that_completes_the_task(
    store: Store, client: redis.Redis, async_tasks: Mapping[str, Task]
) -> None:
    id = start_workflow(store, "reports", {}).id
    client.config_resetstat()
    with running(store, async_tasks):
        eventually(lambda: events_of(client, "end-task"))
    assert client.exists(keys.task_progress(id, 1)) == 0
    assert client.info("commandstats")["cmdstat_del"]["calls"] == 1


def test_without_progress_nothing_is_deleted(
    store: Store, client: redis.Redis, tasks: Mapping[str, Task]
) -> None:
    start_workflow(store, "A", {})
    client.config_resetstat()
    with running(store, tasks):
        eventually(lambda: events_of(client, "end-task"))
    assert "cmdstat_del" not in client.info("commandstats")


def test_redis_that_answers_late_does_not_hold_up_the_event_loop(
    store: Store, client: redis.Redis, async_tasks: Mapping[str, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report arrives after the end of the task, and is deleted nevertheless."""
    answer = threading.Event()
    sending = async_tasks["A"].function.__globals__["sending"]

    def save_late(*arguments: Any) -> None:
        sending.set()
        assert answer.wait(STALL_SECONDS)
        save_task_progress(*arguments)

    monkeypatch.setattr(context_module, "save_task_progress", save_late)
    id = start_workflow(store, "asks-and-reports", {}).id
    client.config_resetstat()
    with running(store, async_tasks):
        (end,) = eventually(lambda: events_of(client, "end-task"))
        answer.set()
        eventually(lambda: client.info("commandstats")["cmdstat_del"]["calls"] == 2)
    assert end["output"] == {"cancelled": False}
    assert client.exists(keys.task_progress(id, 1)) == 0


def test_a_failure_that_a_retry_cannot_mend_says_so(
    store: Store, client: redis.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "fatal_tasks.py"
    file.write_text(
        "from lfr import Fatal, task\n"
        '@task("fatal")\ndef fatal(input): raise Fatal("there is no such customer")\n'
        '@task("busy")\ndef busy(input, *, times: int = 1): raise OSError("busy")\n'
    )
    start_workflow(store, "fatal; busy; busy (- times: many -)", {})
    with running(store, load_tasks(str(file))):
        eventually(lambda: len(events_of(client, "end-task")) == 3)
    ends = {
        end["index"]: (end["reason"].partition(":")[0], end.get("retry"))
        for end in events_of(client, "end-task")
    }
    assert ends == {1: ("Fatal", False), 2: ("OSError", None), 3: ("busy", False)}
    assert "there is no such customer" not in caplog.text  # no traceback for what is said on purpose
