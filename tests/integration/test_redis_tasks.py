"""The role that sends commands to Redis for workflows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import BadSettings, Unreachable
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.redis import RedisTasks
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper, events_of
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


def test_commands_of_many_tasks_are_sent_and_answered(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    client.hset("user:7", mapping={"name": "Ann"})
    client.set("note", "before")  # tasks of different workflows come in any order
    for flow in (
        'redis:incr (- {args: ["seen:{input[id]}"], key: seen} -)',
        'redis:hgetall (- {args: ["user:{input[id]}"], key: user} -)',
        "redis:get (- args: [absent] -)",
        "redis:set (- args: [note, é] -)",
        "redis:lpush (- args: [note, 1] -)",
        "redis:get (- args: [] -)",
        "redis:flushall",
        "redis:set (- args: ['workflows:run', 1] -)",
        "redis:hget (- args: ['workflow:secret:outputs', -1] -)",
        "redis:xrange (- args: ['workflows:run', '-', '+'] -)",
        "other:task",
    ):
        start_workflow(store, flow, {"id": 7})
    role = stepper(RedisTasks(store))
    for _ in range(3):
        role.step()
    results = [end.get("output") or end["reason"] for end in events_of(client, "end-task")]
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
                "redis:set: workflows:run is a key of lfr's own: no workflow may use it",
                "redis:hget: workflow:secret:outputs is a key of lfr's own: no workflow may use it",
                "redis:xrange: workflows:run is a key of lfr's own: no workflow may use it",
            ],
        )
    )
    assert client.get("note") == "é"
    assert client.xpending("workflows:tasks:redis", "redis")["pending"] == 0


COMMANDS = [
    ("HEXISTS h a", True),
    ("HEXISTS h b", False),
    ("EXPIRE no 5", False),
    ("SETNX s 1", False),
    ("SMOVE m n 2", False),
    ("SISMEMBER m 1", 1),
    ("ZSCORE z x", 1.5),
    ("ZMSCORE z x no", [1.5, None]),
    ("ZINCRBY z 2 y", 4.0),
    ("ZADD z 7 w", 1),
    ("ZADD z INCR 1 x", 2.5),
    ("INCRBYFLOAT f 0.5", 1.0),
    ("HINCRBYFLOAT h f 0.25", 0.25),
    ("ZRANGE z 0 -1", ["x", "y"]),
    ("ZRANGE z 0 -1 withscores", [["x", 1.5], ["y", 2.0]]),
    ("ZREVRANGE z 0 0 WITHSCORES", [["y", 2.0]]),
    ("ZRANGEBYSCORE z 2 9 WITHSCORES", [["y", 2.0]]),
    ("ZRANK z y", 1),
    ("XRANGE x - +", [["1-0", {"a": "b", "c": "d"}], ["2-0", {"e": "f"}]]),
    ("XREVRANGE x + - COUNT 1", [["2-0", {"e": "f"}]]),
    ("XLEN x", 2),
    ("HGETALL h", {"a": "b"}),
    ("HMGET h a no", ["b", None]),
    ("SMEMBERS m", ["1"]),
    ("TYPE z", "zset"),
    ("LRANGE no 0 -1", []),
]


@pytest.mark.parametrize(("command", "reply"), COMMANDS)
def test_a_reply_has_the_shape_that_redis_py_gives_it(
    store: Store, client: redis.Redis, stepper: Make, command: str, reply: Any
) -> None:
    def fill() -> None:
        client.hset("h", "a", "b")
        client.zadd("z", {"x": 1.5, "y": 2})
        client.xadd("x", {"a": "b", "c": "d"}, id="1-0")
        client.xadd("x", {"e": "f"}, id="2-0")
        client.mset({"s": "1", "f": "0.5"})
        client.sadd("m", "1")

    fill()
    name, *arguments = command.split()
    start_workflow(store, f"redis:{name.lower()} (- {json.dumps({'args': arguments, 'key': 'reply'})} -)")
    stepper(RedisTasks(store)).step()
    (end,) = events_of(client, "end-task")
    assert json.dumps(end["output"]["reply"]) == json.dumps(reply)
    client.delete("h", "z", "x", "s", "f", "m")
    fill()
    if not {"withscores", "incr"} & set(command.lower().split()):  # only redis-py's methods know these
        shaped = client.execute_command(name, *arguments)
        assert json.loads(json.dumps(sorted(shaped) if isinstance(shaped, set) else shaped)) == reply


def test_a_stream_of_another_name_is_safe_too(client: redis.Redis, redis_url: str, stepper: Make) -> None:
    store = open_store(Settings(redis_url=redis_url, stream="events", redis_commands=("usual", "rename")))
    start_workflow(store, "redis:rename (- args: [a, events] -)")
    stepper(RedisTasks(store)).step()
    reasons = [fields["reason"] for _, fields in client.xrange("workflows:ends") if "reason" in fields]
    assert reasons == ['"redis:rename: events is a key of lfr\'s own: no workflow may use it"']


def test_a_command_that_redis_forbids_fails_the_task_and_not_the_role(
    store: Store, client: redis.Redis, redis_url: str, stepper: Make
) -> None:
    client.acl_setuser("small", enabled=True, nopass=True, keys="*", commands=["+@all", "-lpush"])
    small = open_store(Settings(redis_url=redis_url, redis_username="small", redis_password="any"))
    start_workflow(store, "redis:lpush (- args: [a, 1] -)")
    stepper(RedisTasks(small)).step()
    (end,) = events_of(client, "end-task")
    assert end["status"] == "FAILURE"
    assert "no permissions" in end["reason"]
    client.acl_deluser("small")


def test_a_command_is_tried_again_if_the_server_cannot_serve(
    settings: Settings, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A primary that has become a replica, or has lost its replicas, says nothing about the task."""
    store = open_store(replace(settings, redis_commands=("SET",), tasks_lease_seconds=0.2))
    start_workflow(store, "redis:set (- args: [note, 1] -)")
    role = stepper(RedisTasks(store))
    with monkeypatch.context() as patch:
        refused = [redis.ReadOnlyError("You can't write against a read only replica.")]
        patch.setattr(role.connection, "execute_with_raw_keys", lambda words: refused if words else [])
        with pytest.raises(Unreachable, match="read only"):
            eventually(role.step)
    assert events_of(client, "end-task") == []

    def has_ended() -> bool:
        role.step()
        return bool(events_of(client, "end-task"))

    eventually(has_ended)
    assert [event["status"] for event in events_of(client, "end-task")] == ["SUCCESS"]


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
    assert [end["workflow"] for end in events_of(client, "end-task")] == [id]
    assert client.xpending("workflows:tasks:redis", "redis")["pending"] == 0


def test_a_command_that_kills_the_role_fails(store: Store, client: redis.Redis, stepper: Make) -> None:
    ids = [start_workflow(store, "redis:set (- {args: [note, x], key: reply} -)").id for _ in range(2)]
    queue = keys.queue("redis")
    role = stepper(RedisTasks(store))
    start_workflow(store, "redis:get (- {args: [note], key: reply} -)")
    [(_, entries)] = client.xreadgroup("redis", "dead", {queue: ">"})
    for (id, _), count in zip(entries, (5, 4, 1), strict=False):
        client.xclaim(queue, "redis", "dead", 0, [id], idle=100_000, retrycount=count, justid=True)
    role.step()
    ends = {event["workflow"]: event for event in events_of(client, "end-task")}
    assert ends[ids[0]]["reason"].startswith("the worker died 5 times with this task")
    assert ends[ids[1]]["status"] == "SUCCESS" and len(ends) == len(entries)


def test_no_command_makes_a_reply_without_end(store: Store, client: redis.Redis, stepper: Make) -> None:
    """One SRANDMEMBER with a negative count stops Redis for as long as it says; MGET of one key a thousand
    times answers gigabytes."""
    client.sadd("m", "a")
    client.set("big", "x")
    for command in (
        {"redis:srandmember": ["m", "-4000000000"]},
        {"redis:mget": ["big", "other", "big"]},
        {"redis:sunion": ["m"] * 1000},
        {"redis:sinter": ["m", "m"]},
        {"redis:sdiff": ["m", "m"]},
        {"redis:hmget": ["h", "f", "f"]},
    ):
        [(name, arguments)] = command.items()
        start_workflow(store, f"{name} ({json.dumps({'args': arguments})})")
    stepper(RedisTasks(store)).step()
    reasons = sorted(end["reason"] for end in events_of(client, "end-task"))
    assert reasons == [
        "redis:hmget: f stands twice in args: name it once",
        "redis:mget: big stands twice in args: name it once",
        "redis:sdiff: m stands twice in args: name it once",
        "redis:sinter: m stands twice in args: name it once",
        "redis:srandmember: a negative count is not allowed: it repeats members without end",
        "redis:sunion: m stands twice in args: name it once",
    ]


def test_a_long_reply_fails_its_task_and_no_other(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.roles.redis.MAX_REPLY_BYTES", 200_000)
    client.rpush("list", *["x" * 1000] * 300)
    client.set("old", "x" * 300_000)
    flows = [
        "redis:incr (- {args: [seen], key: reply} -)",
        "redis:lrange (- {args: [list, 0, -1], key: reply} -)",
        "redis:set (- {args: [old, new, GET], key: reply} -)",
        "redis:lrange (- {args: [list, 0, 9], key: reply} -)",
        "redis:get (- {args: [seen], key: reply} -)",
    ]
    ids = [start_workflow(store, flow).id for flow in flows]
    stepper(RedisTasks(store)).step()
    ends = {event["workflow"]: event for event in events_of(client, "end-task")}
    outcomes = [ends[id].get("reason") or ends[id]["output"]["reply"] for id in ids]
    too_long = "the reply of Redis has more than 200,000 bytes"
    assert outcomes == [1, f"redis:lrange: {too_long}", f"redis:set: {too_long}", ["x" * 1000] * 10, "1"]
    assert client.get("seen") == "1"
