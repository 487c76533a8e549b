"""Receipts: each is logged with its event. The streams are cleared once no group needs an entry any more."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import Refused, Unreachable
from lfr.lifecycle import housekeeper
from lfr.operations.complete_task import complete_task
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from lfr.store.stream.cleanup import queue_old_entries
from lfr.store.stream.entries import ConsumerId, NoGroup
from lfr.store.stream.groups import renew_claims
from lfr.store.stream.read_size import ReadSize
from tests.integration.conftest import (
    Stepper,
    append,
    append_to,
    events_of,
    hold_events,
    joined_receipts,
    run_receipts_role,
    settle,
)
from tests.support.waiting import eventually, eventually_equal

Make = Callable[[Consumer], Stepper]


@pytest.fixture(autouse=True)
def clear_at_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeper, "_EVERY_SECONDS", 0)
    # A role counts as alive between its passes, however slow the machine is.
    monkeypatch.setattr("lfr.roles.receipts._LIFE_SECONDS", 3600)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_receipt_and_its_event_are_logged_and_cleared(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    receipts.step()  # it tells that it runs
    id = start_workflow(store, "A").id
    append(client, kind="end-task", workflow=id, name="A", index=1, output={"a": 1})
    for _ in range(2):
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


def test_entries_of_other_streams_have_joined_receipts_and_are_deleted_when_these_are_logged(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    receipts.step()  # it tells that it runs
    ids = [start_workflow(store, "A").id for _ in range(3)]
    for id in ids:
        complete_task(store, id, "A", 1, output={"of": id})
    lifecycle.step()
    entries = client.xrange("workflows:ends")
    assert joined_receipts(client, "workflows:ends") == [entry for entry, _ in entries]
    receipts.step()
    logged = [line for line in lines(log) if line["target"]["kind"] == "end-task"]
    assert [line["for"] for line in logged] == [entry for entry, _ in entries]
    assert [line["target"]["output"] for line in logged] == [{"of": id} for id in ids]
    assert {line["action"] for line in logged} == {"processed"}
    assert client.xlen("workflows:ends") == client.xlen("workflows:receipts") == 0


def test_entries_of_two_streams_with_the_same_id_are_both_logged(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    """Each stream counts for itself: within a millisecond, both have an entry 0."""
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    receipts.step()  # it tells that it runs
    workflow = start_workflow(store, "A").id
    [(id, _)] = [each for each in client.xrange("workflows:run") if each[1]["kind"] == '"start-workflow"']
    end = {"kind": "end-task", "workflow": workflow, "name": "A", "index": 1, "output": {"a": 1}}
    client.xadd("workflows:ends", {name: json.dumps(value) for name, value in end.items()}, id=id)
    lifecycle.step()
    receipts.step()
    both = {line["target"]["kind"] for line in lines(log) if line["for"] == id}
    assert both == {"start-workflow", "end-task"}


def test_entries_of_the_bus_have_joined_receipts_and_stay_until_they_are_logged(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    receipts.step()  # it tells that it runs
    terminated = [start_workflow(store, "A").id for _ in range(3)]
    for id in terminated:
        terminate_workflow(store, id)
    news = [id for id, fields in client.xrange("workflows:run") if fields["kind"] != '"start-task"']
    for _ in range(3):
        lifecycle.step()
    assert sorted(joined_receipts(client, "workflows:run")) == sorted(news)
    assert events_of(client, "receipt") == []
    assert set(news) <= {id for id, _ in client.xrange("workflows:run")}
    settle(client, receipts)
    assert sorted(line["for"] for line in lines(log)) == sorted(news)
    assert {line["target"]["workflow"] for line in lines(log)} == set(terminated)
    assert client.xlen("workflows:receipts") == 0
    eventually_equal(
        lambda: lifecycle.step() or {id for id, _ in client.xrange("workflows:run")} & {*news}, set()
    )


def test_a_foreign_group_on_the_bus_sees_a_receipt_for_each_entry(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    hold_events(client)
    receipts.step()  # it tells that it runs
    terminate_workflow(store, start_workflow(store, "A").id)
    lifecycle.step()
    news = [id for id, fields in client.xrange("workflows:run") if "start-task" not in fields["kind"]]
    news = [id for id in news if client.xrange("workflows:run", id, id)[0][1]["kind"] != '"receipt"']
    assert [event["for"] for event in events_of(client, "receipt")] == news
    assert joined_receipts(client, "workflows:run") == []
    settle(client, receipts)
    assert [line["for"] for line in lines(log)] == news


def test_without_the_role_and_foreign_groups_there_is_no_receipt_and_nothing_stays(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    append(client, kind="end-task", workflow=start_workflow(store, "A").id, name="A", index=1)
    complete_task(store, start_workflow(store, "A").id, "A", 1)
    for _ in range(5):
        lifecycle.step()
        assert events_of(client, "receipt") == joined_receipts(client) == []
    kinds = [fields["kind"] for _, fields in client.xrange("workflows:run")]
    assert kinds == ['"start-task"'] * 2  # no worker has processed them
    assert client.xlen("workflows:ends") == 0


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
    lifecycle.step()
    assert client.xrange("workflows:run", event, event)  # read, but pending: it may be read again
    client.xack("workflows:run", "mine", *[row["message_id"] for row in pending(client, "mine")])
    lifecycle.step()
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
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    append(client, kind="receipt", **{"for": "9999999999999-0", "action": "processed"})
    for _ in range(2):
        receipts.step()
        lifecycle.step()
    lifecycle.step()
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


@pytest.mark.parametrize(
    ("at", "is_old"), [("2026-01-31T12:00:00.000Z", True), ("9999-01-31T12:00:00.000Z", False), (None, True)]
)
def test_of_events_whose_ids_are_ahead_of_the_clock_their_own_time_counts(
    store: Store, client: redis.Redis, at: str | None, is_old: bool
) -> None:
    fields = {"kind": '"approved"', **({} if at is None else {"at": json.dumps(at)})}
    ids = [client.xadd("workflows:run", fields, id=f"4000000000000-{number}") for number in range(3)]
    with store.connect() as connection:
        last = queue_old_entries(connection, "workflows:run", "0-0", 1000, ReadSize())
        assert queue_old_entries(connection, "workflows:run", last, 1000, ReadSize()) == last
    assert client.zrange("receipts:logged", 0, -1) == ([f"{id} {id}" for id in ids] if is_old else [])
    assert last == (ids[-1] if is_old else "0-0")


def test_a_young_event_without_a_receipt_stays(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    append(client, kind="approved")
    for _ in range(3):
        lifecycle.step()
    assert client.xlen("workflows:run") == 1
    assert client.zcard("receipts:logged") == 0
    lifecycle.consumer._housekeeper._retain_ms = 0  # type: ignore[attr-defined]
    lifecycle.step()
    assert client.xlen("workflows:run") == 0


def test_a_stream_that_is_deleted_while_receipts_are_queued_is_a_missing_group(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    client.xgroup_create("workflows:run", "mine", "0")
    append(client, kind="receipt", **{"for": "9999999999999-0", "action": "processed"})
    lifecycle.step()
    lifecycle.step()
    assert client.zcard("receipts:logged") == 1
    client.delete("workflows:run")
    with pytest.raises(NoGroup):
        lifecycle.step()


def test_renewing_a_claim_in_a_group_that_does_not_exist_is_a_missing_group(store: Store) -> None:
    with store.connect() as connection, pytest.raises(NoGroup):
        renew_claims(connection, ConsumerId("workflows:run", "nobody", "me"), ["1-1"])


def test_garbage_is_logged_as_text(store: Store, client: redis.Redis, stepper: Make) -> None:
    log = io.StringIO()
    lifecycle, receipts = stepper(Lifecycle(store)), stepper(Receipts(store, log))
    receipts.step()  # it tells that it runs
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
    monkeypatch.setattr(housekeeper, "_RESCAN_SECONDS", 0)
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


@pytest.mark.parametrize("stream", ["workflows:run", "workflows:ends"])
def test_what_redis_refuses_for_lack_of_memory_is_cleared_later(
    settings: Settings, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    store = open_store(replace(settings, lease_seconds=0.1))
    lifecycle = stepper(Lifecycle(store))
    run_receipts_role(client)
    lifecycle.step()
    id = append_to(client, stream, kind="noise")
    append(client, kind="receipt", action="processed", **{"for": id})
    lifecycle.step()  # what it has processed goes with the next read
    client.config_set("maxmemory", 1)
    try:
        with monkeypatch.context() as patch, pytest.raises((Unreachable, Refused)):
            patch.setattr(lifecycle.consumer, "on_pass", lambda connection: 0.0)  # it would be refused, too
            lifecycle.step()
    finally:
        client.config_set("maxmemory", 0)

    def has_been_noted() -> bool:
        lifecycle.step()
        return client.xlen("workflows:run") == 0 and (
            stream == "workflows:run" or joined_receipts(client, stream) == [id]
        )

    eventually(has_been_noted)


class LittleflowWorker:
    """A worker in a group of its own, on the bus, which leaves the tasks of others pending."""

    def __init__(self, client: redis.Redis, task: str) -> None:
        self._client, self._task = client, task
        client.xgroup_create("workflows:run", task, "0", mkstream=True)

    def step(self) -> None:
        """Read all events. Complete own tasks, and acknowledge all other events but the tasks of others."""
        ((_, entries),) = self._client.xreadgroup(self._task, "me", {"workflows:run": ">"}) or [("", [])]
        pipeline = self._client.pipeline(transaction=False)
        for id, fields in entries:
            is_task = fields["kind"] == '"start-task"'
            if is_task and fields["name"] == json.dumps(self._task):
                names = ("workflow", "name", "index")
                pipeline.xadd(
                    "workflows:run", {"kind": '"end-task"', **{name: fields[name] for name in names}}
                )
                pipeline.xadd(
                    "workflows:run", {"kind": '"receipt"', "for": f'"{id}"', "action": '"processed"'}
                )
            if not is_task or fields["name"] == json.dumps(self._task):
                pipeline.xack("workflows:run", self._task, id)
        pipeline.execute()


@pytest.mark.parametrize("order", [1, -1])
def test_events_are_found_however_their_receipt_names_them(
    store: Store, client: redis.Redis, stepper: Make, order: int
) -> None:
    """Ids of one millisecond do not stand in the order of their texts, and others may stand between them."""
    ids = [f"{ms}-{number}" for ms in (998, 1000, 1001) for number in range(8, 12)]
    for id in ids:
        client.xadd("workflows:ends", {"kind": '"end-task"', "id": json.dumps(id)}, id=id)
    named = [*ids[2:5], ids[-1]][::order]
    fields = {"kind": "receipt", "for": [*named, "2000-1"], "stream": "workflows:ends"}
    client.xadd("workflows:receipts", {name: json.dumps(value) for name, value in fields.items()})
    log = io.StringIO()
    settle(client, stepper(Receipts(store, log)))
    assert [line["for"] for line in lines(log)] == [*named, "2000-1"]
    assert [line["target"] and line["target"]["id"] for line in lines(log)] == [*named, None]
    assert [id for id, _ in client.xrange("workflows:ends")] == [id for id in ids if id not in named]


@pytest.mark.parametrize("has_receipts", [True, False])
def test_tasks_that_workers_leave_pending_do_not_pile_up(
    settings: Settings, client: redis.Redis, stepper: Make, has_receipts: bool
) -> None:
    """As a worker for littleflow_redis does with what is not for it. It looks through all of it again and
    again, so each task would take longer than the one before."""
    store = open_store(replace(settings, tasks_lease_seconds=0.5))
    workers = [LittleflowWorker(client, name) for name in ("resize", "print")]
    roles = [stepper(Lifecycle(store))]
    roles += [stepper(Receipts(store, io.StringIO()))] if has_receipts else []

    def step() -> None:
        for each in (*roles, *workers):
            each.step()

    def count_commands() -> int:
        return int(client.info("stats")["total_commands_processed"])

    commands: list[int] = []
    for _ in range(50):
        before = count_commands()
        for _ in range(100):
            start_workflow(store, "resize -> print")
        for _ in range(6):
            step()
        commands.append(count_commands() - before)
    assert client.zcard("workflows:state:FINISHED") == 5000
    assert max(commands[-10:]) < 2 * max(commands[:10])

    def counts() -> tuple[int, int, int]:
        step()
        groups = {group["name"]: group["pending"] for group in client.xinfo_groups("workflows:run")}
        return client.xlen("workflows:run"), groups["resize"], groups["print"]

    eventually_equal(counts, (0, 0, 0))


def test_what_a_dead_consumer_has_read_stays_for_another(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    """It has not left the events: it may have died while it processed them."""
    store = open_store(replace(settings, tasks_lease_seconds=0.1))
    lifecycle = stepper(Lifecycle(store))
    client.xgroup_create("workflows:run", "audit", "0")
    terminate_workflow(store, start_workflow(store, "A").id)
    client.xreadgroup("audit", "dead", {"workflows:run": ">"})
    left = [row["message_id"] for row in pending(client, "audit")]
    eventually(lambda: client.xinfo_consumers("workflows:run", "audit")[0]["idle"] > 200)

    def step() -> int:
        lifecycle.step()
        for _, entries in client.xreadgroup("audit", "alive", {"workflows:run": ">"}):
            client.xack("workflows:run", "audit", *(id for id, _ in entries))
        return int(client.xlen("workflows:run"))

    for _ in range(5):
        step()
    assert left and [row["message_id"] for row in pending(client, "audit")] == left
    assert all(client.xrange("workflows:run", id, id) for id in left)
    client.xack("workflows:run", "audit", *left)
    eventually_equal(step, 1)  # the start-task, which may still find a worker
