"""Values and events that one part accepts and another may not: they stop no role."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import BadInput
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from lfr.store.workflows.load import advance_workflows
from lfr.values.stream_id import StreamId
from tests.integration.conftest import Stepper, append, events_of, started_tasks
from tests.support.listening import listening
from tests.support.waiting import eventually_equal

Make = Callable[[Consumer], Stepper]

WAITS: dict[str, dict[str, Any]] = {
    "wait:delay": {"duration": 1},
    "wait:event": {"event": "ok"},
    "wait:acquire": {"name": "n"},
    "wait:release": {"name": "n"},
    "wait:countdown": {"name": "n"},
}


FAN = "A -> { " + " ".join(f"b{n}" for n in range(50)) + " } -> z"


def deep(levels: int) -> Any:
    """Return 1 in so many nested lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def acquire_latches(client: redis.Redis, wait: Stepper, store: Store, *names: str) -> None:
    for name in names:
        start_workflow(store, f"wait:acquire (- name: {name} -)")
    wait.step()
    assert all(client.get(f"workflow:latch:{name}") == "1" for name in names)


@pytest.mark.parametrize("base", WAITS)
def test_a_start_task_that_names_another_key_as_its_workflow_stops_no_wait_role(
    store: Store, client: redis.Redis, stepper: Make, base: str
) -> None:
    wait = stepper(WaitTasks(store))
    acquire_latches(client, wait, store, "steps", "latched", "n")
    id = start_workflow(store, "A").id
    tasks = []
    for workflow in (f"{id}:facts", f"{id}:outputs", "workflow:latch:n", "workflow:latch"):
        task = {"workflow": workflow, "name": base, "base": base, "index": 1, "attempt": 1}
        tasks.append(append(client, kind="start-task", input={}, parameters=WAITS[base], **task))
    wait.step()
    wait.step()  # foreign entries are acknowledged with the next read
    assert client.xpending_range("workflows:run", "wait", tasks[0], tasks[-1], 10) == []
    last_read = client.xinfo_groups("workflows:run")[0]["last-delivered-id"]
    assert StreamId.parse(last_read) >= StreamId.parse(tasks[-1])
    assert client.get("workflow:latch:n") == "1"


def test_an_input_as_deep_as_inputs_may_be_is_tried_again_after_a_delay(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A -> B (- lfr: {retry: {times: 1, delay: 0.001}} -)").id
    append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1, output=deep(200))
    lifecycle.step()
    append(client, kind="end-task", workflow=id, name="B", index=2, attempt=1, status="FAILURE")
    for _ in range(100):
        lifecycle.step()
        if len(started_tasks(client)) == 3:
            break
    first, again = started_tasks(client)[1:]
    assert json.loads(again["input"]) == json.loads(first["input"]) == deep(200)


def test_a_group_whose_name_is_not_utf_8_stops_no_receipts_role_and_misses_nothing(
    store: Store, settings: Settings, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.lifecycle.housekeeper._EVERY_SECONDS", 0)
    raw = redis.Redis.from_url(settings.redis_url, protocol=2)
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, io.StringIO()))
    raw.xgroup_create(store.stream, b"\xff\r\n\xfe", id="0")
    start_workflow(store, "? `$.never` A")
    raw.xreadgroup(b"\xff\r\n\xfe", "c", {store.stream: ">"}, count=1)

    def step() -> int:
        for _ in range(5):
            lifecycle.step()
            receipts.step()
        return int(raw.xlen(store.stream))

    assert step()  # the group has not read them
    while entries := raw.xreadgroup(b"\xff\r\n\xfe", "c", {store.stream: ">"}):
        raw.xack(store.stream, b"\xff\r\n\xfe", *(id for id, _ in entries[0][1]))
    assert step()  # the first is still pending
    raw.xack(
        store.stream,
        b"\xff\r\n\xfe",
        raw.xpending_range(store.stream, b"\xff\r\n\xfe", "-", "+", 1)[0]["message_id"],
    )
    assert step() == 0
    raw.close()


def test_the_id_of_a_workflow_is_never_the_prefix_of_latches(store: Store) -> None:
    with pytest.raises(BadInput):
        start_workflow(store, "A", workflow_id="latch")
    assert inspect_workflow(store, start_workflow(store, "A", workflow_id="latches").id)


def test_an_event_that_meets_a_defect_stops_no_other_and_is_tried_again(
    settings: Settings, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(replace(settings, lease_seconds=0.2))
    failing, *others = (start_workflow(store, "A").id for _ in range(20))
    for id in (*others[:10], failing, *others[10:]):
        append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1)
    tries: list[int] = []

    def advance(connection: Any, loaded: Any, results_by_id: Any, *more: Any) -> Any:
        if failing in results_by_id and len(tries) < 4:
            tries.append(len(results_by_id))
            raise KeyError("a defect")
        return advance_workflows(connection, loaded, results_by_id, *more)

    monkeypatch.setattr("lfr.roles.lifecycle.advance_workflows", advance)
    with listening(Lifecycle(store)):
        eventually_equal(lambda: client.zcard("workflows:state:FINISHED"), 20)
    assert tries[:2] == [20, 1]
    assert client.xlen("workflows:dead") == 0


@pytest.mark.parametrize(
    ("flow", "workflows", "letters", "started"),
    [
        ("A -> B", 40, 100_000, 80),
        (FAN, 40, 4_000, 40 * 51),
        ("{ " + "; ".join([FAN] * 10) + " } -> z", 1, 4_000, 10 * 51),
    ],
)
def test_a_batch_that_is_too_large_for_one_transaction_is_committed_in_parts(
    settings: Settings,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    flow: str,
    workflows: int,
    letters: int,
    started: int,
) -> None:
    """Redis closes the connection of a client that sends a larger transaction than its limit."""
    monkeypatch.setattr("lfr.roles.lifecycle._MAX_TRANSACTION_BYTES", 500_000)
    default_limit = str(client.config_get("client-query-buffer-limit")["client-query-buffer-limit"])
    store = open_store(replace(settings, lease_seconds=0.2))
    for _ in range(workflows):
        start_workflow(store, flow)
    for task in events_of(client, "start-task"):
        step = {name: task[name] for name in ("workflow", "name", "index", "attempt")}
        append(client, kind="end-task", output=["x" * letters], **step)
    client.config_set("client-query-buffer-limit", 2**20)
    try:
        with listening(Lifecycle(store)):
            eventually_equal(lambda: len(started_tasks(client)), started)
    finally:
        client.config_set("client-query-buffer-limit", default_limit)
