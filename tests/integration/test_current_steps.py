"""Lists say what each running workflow does now, at a cost that does not grow with its history."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import redis

from lfr.operations.list_workflows import list_largest, list_page
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import this_process
from lfr.store import keys
from lfr.store.processes import heartbeat_commands
from lfr.store.queues.claims import claim
from lfr.store.redis.connection import Store
from lfr.store.stream.groups import create_group
from tests.integration.conftest import Stepper

Make = Callable[[Consumer], Stepper]


def end(client: redis.Redis, workflow: str, index: int, **fields: object) -> None:
    event = {"kind": "end-task", "workflow": workflow, "index": index, "name": "x", **fields}
    client.xadd("workflows:run", {name: json.dumps(value) for name, value in event.items()})


def live(store: Store, group: str, claims: Sequence[str] = ()) -> None:
    """Let a process of a role, or of a group of workers with these claims, be alive."""
    process = this_process(group, {group: claims} if claims else {})
    with store.connect() as connection:
        heartbeat = heartbeat_commands(process, 3600)
        if claims:
            create_group(connection, keys.queue(group), group)
            claim(connection, group, claims, heartbeat)
        else:
            connection.execute(heartbeat)


def now_of(store: Store, id: str) -> Any:
    [row] = [row for row in list_page(store).workflows if row["id"] == id]
    return row["now"]


def test_a_step_that_no_worker_does_goes_first(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle, waits = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    live(store, "wait")
    id = start_workflow(store, "{ wait:event (- event: approved -) ; img:resize }").id
    for _ in range(2):
        lifecycle.step()
        waits.step()
    now = now_of(store, id)
    assert now["task"] == "img:resize"
    assert now["text"] == "no live worker does img:resize"
    assert now["since"]
    end(client, id, now["index"])
    lifecycle.step()
    assert now_of(store, id)["task"] == "wait:event"


def test_a_wait_says_for_what(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle, waits = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    live(store, "wait")
    event = start_workflow(store, "wait:event (- event: approved -)").id
    delay = start_workflow(store, "wait:delay (- duration: 1000 -)").id
    latch = start_workflow(store, "wait:acquire (- name: door -) -> wait:countdown (- name: door -)").id
    for _ in range(4):
        lifecycle.step()
        waits.step()
    assert now_of(store, event)["text"] == "waits for the event approved"
    assert now_of(store, delay)["until"] > now_of(store, delay)["since"]
    assert now_of(store, latch)["text"] == "waits for the latch door"


def test_a_retried_step_says_when(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a (- lfr: {retry: {times: 3, delay: 500}} -)").id
    end(client, id, 1, status="FAILURE", reason="no disk")
    lifecycle.step()
    now = now_of(store, id)
    assert now["text"] == "waits for its next attempt"
    assert now["until"] > now["since"]


def test_the_host_of_the_worker_is_said(store: Store, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    live(store, "tasks-img", ["img:resize"])
    with store.connect() as connection:
        id = start_workflow(store, "img:resize").id
        lifecycle.step()
        queue = keys.queue("tasks-img")
        connection.call("XREADGROUP", "GROUP", "tasks-img", "web1-77-1", "STREAMS", queue, ">")
        now = now_of(store, id)
    assert (now["host"], now["text"]) == ("web1", "runs on web1")


def test_an_ended_workflow_does_nothing_now(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    end(client, id, 1)
    lifecycle.step()
    assert now_of(store, id) is None
    assert [row["now"] for row in list_largest(store)] == [None]


def test_a_page_costs_the_same_after_a_long_history(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    ids = [start_workflow(store, "again: a -> again:").id for _ in range(3)]
    lifecycle.step()

    def cost() -> tuple[int, int]:
        before = (
            client.info("stats")["total_commands_processed"],
            client.info("stats")["total_net_output_bytes"],
        )
        assert all(row["now"] for row in list_page(store).workflows)
        after = (
            client.info("stats")["total_commands_processed"],
            client.info("stats")["total_net_output_bytes"],
        )
        return after[0] - before[0], after[1] - before[1]

    for _ in range(40):
        for id in ids:
            end(client, id, 1)
        lifecycle.step()
    commands, size = cost()
    for _ in range(200):
        for id in ids:
            end(client, id, 1)
        lifecycle.step()
    later_commands, later_size = cost()
    assert later_commands <= commands + 2
    assert later_size < 1.3 * size
