"""The functions of a file, done by a runner, on a real Redis."""

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
from lfr.runtime import tasks as task_module
from lfr.store.redis.connection import Store
from lfr.store.workflows import attempt_status as attempts
from lfr.worker.context import Context
from lfr.worker.python_tasks import make_executor
from lfr.worker.registry import Task, load_tasks
from tests.integration.conftest import append, events_of
from tests.support.waiting import STALL_SECONDS, eventually


@contextmanager
def running(store: Store, tasks: Mapping[str, Task]) -> Iterator[None]:
    """The runner, in a thread of its own."""
    runner = make_executor(store, "mine", tasks, concurrency=2, grace_seconds=5)
    thread = threading.Thread(target=runner.listen)
    thread.start()
    try:
        yield
    finally:
        runner.stop()
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


def test_that_redis_is_away_for_a_while_is_not_the_tasks_fault(
    store: Store, client: redis.Redis, tasks: Mapping[str, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [Unreachable("no Redis answers"), Unreachable("no Redis answers")]

    def asked(*arguments: Any) -> bool:
        if gone:
            raise gone.pop()
        return attempts.is_current(*arguments)

    monkeypatch.setattr(task_module, "is_current", asked)
    start_workflow(store, "A", {})
    with running(store, tasks):
        (end,) = eventually(lambda: events_of(client, "end-task"))
    assert (gone, end["status"], end["output"]) == ([], "SUCCESS", {"done": True})


def test_what_nobody_waits_for_is_not_begun(
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
    (shown,) = [record.exc_text or "" for record in caplog.records if record.exc_info]
    assert shown.splitlines()[1].strip() == f'File "{file}", line 4, in a'
    assert shown.splitlines()[-1] == "KeyError: 'nothing'"


@pytest.mark.parametrize(("said", "told"), [(0.25, 0.25), (-1, 0.0), (7, 1.0), (float("nan"), 1.0)])
def test_any_number_is_a_progress(store: Store, said: float, told: float) -> None:
    id = start_workflow(store, "A", {}).id
    Context(store, StartTask(id, "A", "A", 1, {}, {}, 1)).progress(said, "so far")
    step = inspect_workflow(store, id)["steps"][1]
    assert (step["progress"]["fraction"], step["progress"]["text"]) == (told, "so far")
