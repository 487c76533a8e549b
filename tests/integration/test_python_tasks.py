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
from lfr.runtime import tasks as runtime_tasks
from lfr.store.redis.connection import Store
from lfr.store.workflows.attempt_status import is_current
from lfr.worker.context import Context
from lfr.worker.python_tasks import make_executor
from lfr.worker.registry import Task, load_tasks
from tests.integration.conftest import append, events_of
from tests.support.waiting import STALL_SECONDS, eventually


@contextmanager
def running(store: Store, tasks: Mapping[str, Task]) -> Iterator[None]:
    """Run the executor of these tasks in a thread."""
    executor = make_executor(store, "mine", tasks, concurrency=2, grace_seconds=5)
    thread = threading.Thread(target=executor.listen)
    thread.start()
    try:
        yield
    finally:
        executor.stop()
        thread.join(STALL_SECONDS)
        assert not thread.is_alive()


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


def receipts(client: redis.Redis) -> list[str]:
    return [event["for"] for event in events_of(client, "receipt")]


def test_an_outage_of_redis_does_not_fail_a_task(
    store: Store, client: redis.Redis, tasks: Mapping[str, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    outages = [Unreachable("no Redis answers"), Unreachable("no Redis answers")]

    def is_current_after_outages(*arguments: Any) -> bool:
        if outages:
            raise outages.pop()
        return is_current(*arguments)

    monkeypatch.setattr(runtime_tasks, "is_current", is_current_after_outages)
    start_workflow(store, "A", {})
    with running(store, tasks):
        (end,) = eventually(lambda: events_of(client, "end-task"))
    assert (outages, end["status"], end["output"]) == ([], "SUCCESS", {"done": True})


def test_a_task_that_is_not_current_is_not_begun(
    store: Store, client: redis.Redis, tasks: Mapping[str, Task]
) -> None:
    terminate_workflow(store, start_workflow(store, "A", {}).id)
    other = "workflow:of-something-else"
    client.set(other, 1)
    garbage = append(client, kind="start-task", workflow=other, name="A", base="A", index=1, input={})
    with running(store, tasks):
        eventually(lambda: garbage in receipts(client))
        eventually(lambda: client.xpending("workflows:run", "mine")["pending"] == 0)
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
    Context(store, StartTask(id, "A", "A", 1, {}, {}, 1)).progress(reported, "so far")
    step = inspect_workflow(store, id)["steps"][1]
    assert (step["progress"]["fraction"], step["progress"]["text"]) == (saved, "so far")
