"""What a foreign worker has claimed does not keep a workflow from being archived and restored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.operations.task_logs import read_whole_task_log
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, append

MakeStepper = Callable[[Lifecycle], Stepper]


@pytest.fixture
def lifecycle(store: Store, stepper: MakeStepper) -> Stepper:
    return stepper(Lifecycle(store))


DEEP: Any = 1
for _ in range(90):
    DEEP = [DEEP]

LIES: list[list[dict[str, Any]]] = [
    [{"kind": "task-log", "index": 99, "lines": ["a"]}],
    [{"kind": "task-log", "index": 0, "lines": ["a"]}],
    [{"kind": "task-log", "index": 10**9, "lines": ["a"]}],
    [{"kind": "task-log", "attempt": 10**15, "lines": ["a"]}],
    [{"kind": "task-log", "attempt": 2**53, "lines": ["a"]}],
    [{"kind": "task-log", "attempt": 10**9, "lines": ["a"]}],
    [{"kind": "task-log", "lines": [10**12] * 9}],
    [{"kind": "task-log", "lines": [10**12, "x"] * 1500}] * 4,
    [{"kind": "task-log", "lines": ["x" * 4000], "first": 10**12}] * 90,
    [{"kind": "task-log", "lines": ["x" * 4000], "first": 10**12, "delivery": n} for n in range(1, 90)],
    [{"kind": "task-log", "lines": [], "peak_bytes": 2**53, "cpu_seconds": 1e9, "host": "\ud800"}],
    [{"kind": "task-log", "lines": ["\ud800", "\x00", "\x1b]0;a\x07", "\u202e"], "version": "\x00"}],
    [{"kind": "end-task", "name": "A", "attempt": 1, "status": "FAILURE", "reason": "\ud800\x00"}],
    [{"kind": "end-task", "name": "A", "attempt": 1, "output": {"\ud800": "\udfff"}}],
    [{"kind": "end-task", "name": "A", "attempt": 1, "output": DEEP}],
    [{"kind": "end-task", "name": "A", "attempt": 1, "output": 10**300}],
    [{"kind": "end-task", "name": "A", "attempt": 1, "output": [1e308, -0.0, "" * 2**16]}],
    [{"kind": "end-task", "name": "A", "attempt": 1, "output": 1, "simulated": [1]}],
    [{"kind": "end-task", "name": "A", "attempt": 1, "output": 1, "lfr_actor": "x" * 10**5}],
    [{"kind": "progress", "name": "A", "attempt": 1, "progress": 2.5, "text": "x" * 10**5}],
]


@pytest.mark.parametrize("lies", LIES, ids=range(len(LIES)))
def test_a_workflow_with_lies_can_be_archived_and_restored(
    store: Store, client: redis.Redis, lifecycle: Stepper, lies: list[dict[str, Any]]
) -> None:
    id = start_workflow(store, "A -> B", {}).id
    lifecycle.step()
    for fields in lies:
        append(client, **{"workflow": id, "index": 1, "attempt": 1, **fields})
        lifecycle.step()
    before = inspect_workflow(store, id)
    archive = archive_workflow(store, id)
    again = restore_workflow(store, archive)
    assert again != id
    after = inspect_workflow(store, again)
    assert [step["name"] for step in after["steps"]] == [step["name"] for step in before["steps"]]
    lines = [line for page in read_whole_task_log(store, id) for line in page]
    texts = [line["text"] for line in lines if line.get("text") and line["index"] < len(before["steps"])]
    restored = [line for page in read_whole_task_log(store, again) for line in page]
    assert [line["text"] for line in restored if line.get("text")] == texts
