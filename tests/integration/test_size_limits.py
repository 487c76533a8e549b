"""Values larger than Redis takes fail their step, or refuse the start, and are not tried for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import redis

from lfr import events
from lfr.config.settings import Settings
from lfr.errors import TooLarge
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.redis import RedisTasks
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Store, open_store
from lfr.store.redis.size_limits import SizeLimits, parse_limits
from lfr.values.json import Json
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import Stepper, append, settle
from tests.support.listening import listening
from tests.support.waiting import eventually, eventually_equal

Make = Callable[[Consumer], Stepper]

LIMIT = 2**20
"""The least that Redis accepts as its limit."""


@pytest.fixture(autouse=True)
def small_limit(client: redis.Redis) -> Iterator[None]:
    before = client.config_get("proto-max-bulk-len")["proto-max-bulk-len"]
    client.config_set("proto-max-bulk-len", LIMIT)
    yield
    client.config_set("proto-max-bulk-len", before)


def test_an_input_that_is_too_large_refuses_the_start(store: Store, client: redis.Redis) -> None:
    with pytest.raises(TooLarge, match=r"a value of 1,\d+,\d+ bytes is more than Redis takes: 1,048,576"):
        start_workflow(store, "a", "x" * LIMIT)
    assert client.keys("workflow:*") == []


@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_output_that_is_too_large_fails_its_step_alone(
    store: Store, client: redis.Redis, concurrency: int
) -> None:
    def work(task: events.StartTask) -> Json:
        return "x" * LIMIT if task.name == "large" else 7

    executor = TaskExecutor(
        store, "worker", work, claims=("large", "small"), concurrency=concurrency, grace_seconds=1.0
    )
    client.set(keys.group_life("worker"), 1)  # no heartbeats tell that its group is alive
    with listening(executor, Lifecycle(store)):
        eventually(lambda: client.hexists(keys.CLAIMS, "large"))
        flow = "large (- lfr: {retry: {times: 3}} -)"
        small, large, other = (start_workflow(store, each).id for each in ("small", flow, "small"))
        ids = (small, large, other)
        eventually_equal(lambda: [client.hget(id, "state") for id in ids], ["FINISHED", "FAILED", "FINISHED"])
        reason = str(client.hget(large, "brief"))
        assert "its output cannot be stored: a value of" in reason
        assert "proto-max-bulk-len" in reason
        assert client.hget(f"{large}:steps", 1).split()[2] == "1"  # another attempt would fail as well


def test_one_redis_task_that_is_too_large_does_not_repeat_the_others(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    store = open_store(replace(settings, redis_commands=("INCR", "LRANGE", "SET"), lease_seconds=0.0))
    lifecycle, role = stepper(Lifecycle(store)), stepper(RedisTasks(store))
    client.rpush("words", *["x" * (LIMIT // 2)] * 3)
    reply = start_workflow(store, "redis:lrange (- {args: [words, 0, -1]} -)").id
    argument = start_workflow(
        store, "redis:set (- {args: [k, '{input[t]}{input[t]}']} -)", {"t": "x" * (LIMIT * 2 // 3)}
    ).id
    innocent = start_workflow(store, "redis:incr (- {args: [n]} -)").id
    for _ in range(3):
        role.step()
    settle(client, lifecycle, role)
    states = {id: client.hget(id, "state") for id in (reply, argument, innocent)}
    assert states == {reply: "FAILED", argument: "FAILED", innocent: "FINISHED"}
    assert client.get("n") == "1"
    assert "its output cannot be stored" in str(client.hget(reply, "brief"))
    assert "proto-max-bulk-len" in str(client.hget(argument, "brief"))


def test_an_input_that_is_made_of_outputs_and_too_large_fails_the_workflow(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id, other = start_workflow(store, "{ a b } -> c").id, start_workflow(store, "a").id
    for name, index in (("a", 2), ("b", 3)):
        append(client, kind="end-task", workflow=id, name=name, index=index, output="x" * (LIMIT * 2 // 3))
    append(client, kind="end-task", workflow=other, name="a", index=1, output=7)
    settle(client, lifecycle)
    assert client.hget(other, "state") == "FINISHED"
    assert client.hget(id, "state") == "FAILED"
    assert "what follows from it cannot be stored: a value of" in str(client.hget(id, "brief"))


def test_outputs_of_items_that_are_too_large_together_fail_their_step(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "* a", [1, 2, 3]).id
    settle(client, lifecycle)
    for item in sorted(client.scan_iter(f"{id}/*:steps")):
        workflow = item.removesuffix(":steps")
        index = client.hkeys(item)[0]
        append(
            client, kind="end-task", workflow=workflow, name="a", index=int(index), output="x" * (LIMIT // 2)
        )
    settle(client, lifecycle)
    assert client.hget(id, "state") == "FAILED"
    assert "its items cannot be stored: a value of" in str(client.hget(id, "brief"))


def test_the_limits_are_those_of_redis_where_they_cannot_be_read() -> None:
    denied = redis.exceptions.NoPermissionError("no permission")
    assert parse_limits([denied, denied]) == SizeLimits()
    assert parse_limits([[b"proto-max-bulk-len", b"7"], []]) == SizeLimits(value=7)


def test_a_transaction_counts_as_a_whole_and_other_commands_by_themselves() -> None:
    limits = SizeLimits(value=100, query=150)
    set_commands = [("SET", "k", "x" * 90)] * 3
    assert limits.find_excess(set_commands) == ""
    assert "a transaction of" in limits.find_excess([("MULTI",), *set_commands, ("EXEC",)])
    assert "a value of 101 bytes" in limits.find_excess([("SET", "k", "x" * 101)])
    assert "a value of 180 bytes" in limits.find_excess([("SET", "k", "é" * 90)])
