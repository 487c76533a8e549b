"""Consumers of dead processes: their pending entries go to others, then they are removed from the group."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.wait import WaitTasks
from lfr.runtime import consumer as module
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper, append
from tests.support.interference import overtaken

Make = Callable[[Consumer], Stepper]

GROUP = "lifecycle"


def consumers(client: redis.Redis) -> dict[str, int]:
    """Return how many entries each consumer of the group has pending."""
    return {each["name"]: each["pending"] for each in client.xinfo_consumers("workflows:run", GROUP)}


def test_a_consumer_that_died_long_ago_is_removed(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_CONSUMER_SECONDS", 2.0)
    lifecycle = stepper(Lifecycle(store))
    start_workflow(store, "A")
    client.xreadgroup(GROUP, "dead and pending", {"workflows:run": ">"}, count=1)
    client.xgroup_createconsumer("workflows:run", GROUP, "dead")
    client.xgroup_createconsumer("workflows:run", GROUP, b"dead \xff")
    time.sleep(2.1)  # for longer than _IDLE_CONSUMER_SECONDS
    client.xgroup_createconsumer("workflows:run", GROUP, "alive")
    lifecycle.step()
    lifecycle.step()
    assert consumers(client).keys() == {"dead and pending", "alive", lifecycle.consumer.id.name}
    assert consumers(client)["dead and pending"] == 1


def test_a_consumer_that_is_idle_for_a_while_stays(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    client.xgroup_createconsumer("workflows:run", GROUP, "idle")
    lifecycle.step()
    lifecycle.step()
    assert "idle" in consumers(client)
    assert lifecycle.consumer._remove_idle_at > 0  # it has looked for consumers to remove


def test_a_consumer_that_reads_while_it_is_removed_loses_no_entry(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_CONSUMER_SECONDS", 0.0)
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A").id
    client.xgroup_createconsumer("workflows:run", GROUP, "frozen")
    append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1)
    time.sleep(0.01)

    def thaw() -> None:
        assert client.xreadgroup(GROUP, "frozen", {"workflows:run": ">"})

    with overtaken(lifecycle.connection, thaw, writing="XGROUP DELCONSUMER workflows:run"):
        lifecycle.step()
    assert "frozen" not in consumers(client)
    lifecycle.consumer._reclaim_at = 0.0  # instead of waiting for it
    lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "FINISHED"


def test_an_expired_entry_is_reclaimed_behind_many_that_are_in_work(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    """Redis looks at ten times as many entries as it is asked for, and no further."""
    store = open_store(replace(settings, batch=2, lease_seconds=60))
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "A").id
    for _ in range(50):
        append(client, kind="mine")
    client.xreadgroup(GROUP, "alive", {"workflows:run": ">"}, count=1000)
    end = append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1)
    client.xreadgroup(GROUP, "dead", {"workflows:run": ">"})
    client.xclaim("workflows:run", GROUP, "dead", 0, [end], idle=100_000)
    for _ in range(10):
        lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "FINISHED"
    assert consumers(client)["alive"] == 52


def test_a_role_whose_passes_take_longer_than_the_lease_reads_on(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    """It acknowledges what it has read before it looks for entries whose lease has ended."""
    lifecycle = stepper(Lifecycle(open_store(replace(settings, lease_seconds=0.0))))
    for number in range(3):
        append(client, kind="mine", number=number)
        lifecycle.step()
    id = start_workflow(lifecycle.consumer.store, "A").id
    append(client, kind="end-task", workflow=id, name="A", index=1, attempt=1)
    for _ in range(2):
        lifecycle.step()
    assert inspect_workflow(lifecycle.consumer.store, id)["state"] == "FINISHED"


def test_a_consumer_that_stops_reads_nothing_more(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    append(client, kind="mine")
    lifecycle.step()
    append(client, kind="mine")
    lifecycle.consumer.leave(lifecycle.connection)
    assert client.xpending("workflows:run", GROUP)["pending"] == 0
    assert consumers(client) == {}
    assert (
        client.xinfo_groups("workflows:run")[0]["last-delivered-id"] == client.xrange("workflows:run")[0][0]
    )


def test_a_role_lets_events_gather_while_nobody_waits_for_it(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, receipts = stepper(WaitTasks(store)), stepper(Receipts(store, io.StringIO()))
    pauses: list[tuple[object, float]] = []
    for role in (wait.consumer, receipts.consumer):
        monkeypatch.setattr(role, "sleep", lambda seconds, role=role: pauses.append((role, seconds)))
    for role in (wait, receipts):
        role.step()  # it makes its group
    append(client, kind="start-workflow", workflow="w")  # not for the wait role
    for _ in range(3):
        wait.step()
        receipts.step()
    assert [role for role, _ in pauses] == [wait.consumer, receipts.consumer]
    append(client, kind="mine")
    for _ in range(2):
        wait.step()
    assert len(pauses) == 2  # an event that ends waits is processed at once, and so is the next
