"""Receipts: each is logged with its event; both are cleared once no group needs them any more."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles import receipts as module
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from lfr.store.stream.entries import ConsumerId, NoGroup
from lfr.store.stream.groups import renew_claims
from tests.integration.conftest import Stepper, append
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


@pytest.fixture(autouse=True)
def clear_at_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CLEAR_EVERY_SECONDS", 0)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_receipt_and_its_event_are_logged_and_cleared(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    id = start_workflow(store, "A").id
    append(client, kind="end-task", workflow=id, name="A", index=1, output={"a": 1})
    lifecycle.step()
    receipts.step()
    lifecycle.step()
    receipts.step()
    lines_by_kind = {line["target"]["kind"]: line for line in lines(log)}
    assert lines_by_kind.keys() == {"start-workflow", "end-task", "end-workflow"}
    assert lines_by_kind["end-task"]["target"]["output"] == {"a": 1}
    for _ in range(3):
        lifecycle.step()
        receipts.step()
    kinds = [fields["kind"] for _, fields in client.xrange("workflows:run")]
    assert kinds == ['"start-task"']  # no worker has processed it


def test_entries_stay_until_a_group_that_lags_has_acknowledged_them(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, io.StringIO()))
    client.xgroup_create("workflows:run", "mine", "0")
    client.xreadgroup("mine", "me", {"workflows:run": ">"})
    event = append(client, kind="approved", order=7)
    append(client, kind="receipt", **{"for": event, "action": "processed"})
    for _ in range(3):
        lifecycle.step()
        receipts.step()
    assert client.xrange("workflows:run", event, event)
    client.xreadgroup("mine", "me", {"workflows:run": ">"})
    receipts.step()
    assert client.xrange("workflows:run", event, event)  # read, but pending: it may be read again
    client.xack("workflows:run", "mine", *[row["message_id"] for row in pending(client, "mine")])
    receipts.step()
    assert client.xlen("workflows:run") == 0


def test_a_group_without_an_active_consumer_holds_nothing_back(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    store = open_store(replace(settings, receipts_forget_seconds=0.05))
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, io.StringIO()))
    client.xgroup_create("workflows:run", "mine", "0")
    event = append(client, kind="approved")
    append(client, kind="receipt", **{"for": event, "action": "processed"})

    def cleared() -> bool:
        lifecycle.step()
        receipts.step()
        return client.xlen("workflows:run") == 0

    eventually(cleared)


def test_a_receipt_without_an_event_is_cleared(store: Store, client: redis.Redis, stepper: Make) -> None:
    log = io.StringIO()
    receipts = stepper(Receipts(store, log))
    append(client, kind="receipt", **{"for": "9999999999999-0", "action": "processed"})
    receipts.step()
    receipts.step()
    assert [line["target"] for line in lines(log)] == [None]
    assert client.xlen("workflows:run") == 0


def test_an_event_without_a_receipt_is_cleared_when_it_is_old_and_every_group_has_read_it(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    store = open_store(replace(settings, events_retain_seconds=0.1))
    log = io.StringIO()
    receipts, lifecycle = stepper(Receipts(store, log)), stepper(Lifecycle(store))
    client.xgroup_create("workflows:run", "mine", "0")
    start_workflow(store, "A")
    event = append(client, kind="approved", order=7)

    def step() -> bool:
        lifecycle.step()
        receipts.step()
        return bool(client.zscore("receipts:logged", f"{event} {event}"))

    eventually(step)
    assert client.xrange("workflows:run", event, event)  # one group has not read it
    client.xreadgroup("mine", "me", {"workflows:run": ">"})
    client.xack("workflows:run", "mine", *[row["message_id"] for row in pending(client, "mine")])
    eventually(lambda: step() or client.xlen("workflows:run") == 1)
    assert [fields["kind"] for _, fields in client.xrange("workflows:run")] == ['"start-task"']
    assert [line["target"]["kind"] for line in lines(log)] == ["start-workflow"]


def test_a_young_event_without_a_receipt_stays(store: Store, client: redis.Redis, stepper: Make) -> None:
    receipts = stepper(Receipts(store, io.StringIO()))
    append(client, kind="approved")
    for _ in range(3):
        receipts.step()
    assert client.xlen("workflows:run") == 1
    assert client.zcard("receipts:logged") == 0
    receipts.consumer._retain_ms = 0  # type: ignore[attr-defined]
    receipts.step()
    assert client.xlen("workflows:run") == 0


def test_a_stream_that_is_deleted_while_receipts_are_queued_is_a_missing_group(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    receipts = stepper(Receipts(store, io.StringIO()))
    client.xgroup_create("workflows:run", "mine", "0")
    append(client, kind="receipt", **{"for": "9999999999999-0", "action": "processed"})
    receipts.step()
    client.delete("workflows:run")
    with pytest.raises(NoGroup):
        receipts.step()


def test_renewing_a_claim_in_a_group_that_does_not_exist_is_a_missing_group(store: Store) -> None:
    with store.connect() as connection, pytest.raises(NoGroup):
        renew_claims(connection, ConsumerId("workflows:run", "nobody", "me"), ["1-1"])


def test_garbage_is_logged_as_text(store: Store, client: redis.Redis, stepper: Make) -> None:
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    client.xadd("workflows:run", {"foo": "bar\n", b"\xff": b"\xff"})
    lifecycle.step()
    receipts.step()
    (line,) = lines(log)
    assert line["action"] == "buried"
    assert line["target"] == {"foo": "bar\n", "\\xff": "\\xff"}


def pending(client: redis.Redis, group: str) -> list[dict[str, Any]]:
    return list(client.xpending_range("workflows:run", group, "-", "+", 100))


def test_a_task_without_a_worker_is_cleared_once_it_is_not_current(
    settings: Settings, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RESCAN_SECONDS", 0)
    store = open_store(replace(settings, events_retain_seconds=0.001))
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, io.StringIO()))
    first, second = (start_workflow(store, "nobody").id for _ in range(2))
    terminate_workflow(store, first)

    def workflows_on_stream() -> list[str]:
        lifecycle.step()
        receipts.step()
        return [fields.get("workflow", "") for _, fields in client.xrange("workflows:run")]

    eventually(lambda: workflows_on_stream() == [json.dumps(second)])
    terminate_workflow(store, second)
    eventually(lambda: workflows_on_stream() == [])
    assert client.zcard("receipts:logged") == 0
