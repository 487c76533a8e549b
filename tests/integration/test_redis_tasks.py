"""The role that sends commands to Redis for workflows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.redis import RedisTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper

Make = Callable[[Consumer], Stepper]


def ends(client: redis.Redis) -> list[dict[str, Any]]:
    return [
        {name: json.loads(value) for name, value in fields.items()}
        for _, fields in client.xrange("workflows:run")
        if fields["kind"] == '"end-task"'
    ]


def test_commands_of_many_tasks_are_sent_and_answered(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    client.hset("user:7", mapping={"name": "Ann"})
    for flow in (
        'redis:incr (- {args: ["seen:{input[id]}"], key: seen} -)',
        'redis:hgetall (- {args: ["user:{input[id]}"], key: user} -)',
        "redis:get (- args: [absent] -)",
        "redis:set (- args: [note, é] -)",
        "redis:lpush (- args: [note, 1] -)",
        "redis:get (- args: [] -)",
        "redis:flushall",
        "redis:set (- args: ['workflows:run', 1] -)",
        "other:task",
    ):
        start_workflow(store, flow, {"id": 7})
    role = stepper(RedisTasks(store))
    for _ in range(3):
        role.step()
    results = [end.get("output") or end["reason"] for end in ends(client)]
    assert sorted(map(str, results)) == sorted(
        map(
            str,
            [
                {"id": 7, "seen": 1},
                {"id": 7, "user": {"name": "Ann"}},
                {"id": 7},
                {"id": 7},
                "redis:lpush: Redis refuses LPUSH: WRONGTYPE Operation against a key holding the wrong kind"
                " of value",
                "redis:get: Redis refuses GET: wrong number of arguments for 'get' command",
                "redis:flushall: the configuration (redis.commands) does not allow FLUSHALL",
                "redis:set: workflows:run is a key of lfr's own: no workflow may write it",
            ],
        )
    )
    assert client.get("note") == "é"
    assert client.xpending("workflows:run", "redis")["pending"] == 0


def test_a_stream_of_another_name_is_safe_too(client: redis.Redis, redis_url: str, stepper: Make) -> None:
    store = open_store(Settings(redis_url=redis_url, stream="events", redis_commands=("usual", "rename")))
    start_workflow(store, "redis:rename (- args: [a, events] -)")
    stepper(RedisTasks(store)).step()
    reasons = [fields["reason"] for _, fields in client.xrange("events") if "reason" in fields]
    assert reasons == ['"redis:rename: events is a key of lfr\'s own: no workflow may write it"']


def test_a_command_that_redis_forbids_fails_the_task_and_not_the_role(
    store: Store, client: redis.Redis, redis_url: str, stepper: Make
) -> None:
    client.acl_setuser("small", enabled=True, nopass=True, keys="*", commands=["+@all", "-get"])
    small = open_store(Settings(redis_url=redis_url, redis_username="small", redis_password="any"))
    start_workflow(store, "redis:get (- args: [a] -)")
    stepper(RedisTasks(small)).step()
    (end,) = ends(client)
    assert end["status"] == "FAILURE"
    assert "no permissions" in end["reason"]
    client.acl_deluser("small")


def test_commands_that_cannot_be_allowed_stop_the_role(settings: Settings) -> None:
    with pytest.raises(BadSettings, match=r"redis\.commands: EVAL cannot be allowed"):
        RedisTasks(open_store(Settings(redis_url=settings.redis_url, redis_commands=("eval",))))


def test_commands_that_nobody_waits_for_are_not_sent(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    for name in ("one", "two"):
        id = start_workflow(store, f"redis:set (- args: [{name}, 1] -)").id
        if name == "one":
            terminate_workflow(store, id)
    role = stepper(RedisTasks(store))
    for _ in range(3):  # foreign entries are acknowledged with the next read
        role.step()
    assert (client.get("one"), client.get("two")) == (None, "1")
    assert [end["workflow"] for end in ends(client)] == [id]
    assert client.xpending("workflows:run", "redis")["pending"] == 0
