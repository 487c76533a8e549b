"""`lfr doctor` finds what was damaged on purpose, mends what is safe, and leaves what is healthy as it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.doctor.examine import examine
from lfr.operations.doctor.finding import Finding
from lfr.operations.doctor.redis_findings import examine_clocks
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.processes import Heartbeat, Process
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper, append, settle
from tests.support.redis_contents import Contents, read_contents

Make = Callable[[Consumer], Stepper]

FLOW = """A -> * { B -> wait:delay (- duration: 1h -) } -> C;
wait:acquire (- name: house -) -> wait:event (- {event: ok, timeout: 3600} -);
img:resize (- lfr: {timeout: 1h} -)"""


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(replace(settings, lease_seconds=0.1))
    yield store
    store.pool.disconnect()


def beat(client: redis.Redis, role: str, claims: dict[str, list[str]] | None = None) -> None:
    process = Process(f"{role} {os.getpid()}", role, role, "here", 1, "1.0", "", claims=claims or {})
    client.set(keys.process(process.id), json.dumps(asdict(process)), ex=600)
    client.sadd(keys.PROCESSES, process.id)
    for group, names in (claims or {}).items():
        client.set(keys.group_life(group), 1, ex=3600)
        client.hset(keys.CLAIMS, mapping=dict.fromkeys(names, group))
        client.set(keys.CLAIMS_VERSION, os.urandom(4).hex())


@pytest.fixture
def healthy(store: Store, client: redis.Redis, stepper: Make) -> str:
    """A workflow that runs and waits in several ways, and the processes for it; one that has finished."""
    client.config_set("appendonly", "yes")
    for role in ("lifecycle", "wait", "simulate"):
        beat(client, role)
    beat(client, "tasks", {"images": ["img:resize"]})
    lifecycle, wait = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    id = start_workflow(store, FLOW, workflow_id="healthy").id
    start_workflow(store, "<[1]> -> ? `$[?(@.x)]` A", workflow_id="finished")
    append(client, kind="end-task", workflow=id, name="A", index=1, output=[1, 2])
    settle(client, lifecycle, wait)
    return id


def contents(client: redis.Redis) -> Contents:
    """Return every key with its value, without what time changes."""
    found = read_contents(client, without="workflows:process")
    return {key: {name: entry[name] for name in entry if name != "ttl_ms"} for key, entry in found.items()}


def findings(store: Store, idle_seconds: float = 600.0) -> dict[str, Finding]:
    """Return the findings but for notes."""
    return {each.check: each for each in examine(store, idle_seconds=idle_seconds) if each.severity != "note"}


def test_a_healthy_system_has_no_finding_and_stays_as_it_is(
    store: Store, client: redis.Redis, healthy: str
) -> None:
    before = contents(client)
    assert findings(store) == {}
    for finding in examine(store):
        if finding.mend is not None:
            finding.mend()
    assert contents(client) == before


def leaked_latch(store: Store, client: redis.Redis, make: Make) -> None:
    id = start_workflow(store, "wait:acquire (- name: mine -)", workflow_id="holder").id
    settle(client, make(Lifecycle(store)), make(WaitTasks(store)))
    delete_workflow(store, id)


def orphaned_keys(store: Store, client: redis.Redis, make: Make) -> None:
    client.hset("workflow:gone:outputs", "1", "5")
    client.rpush("workflow:gone:facts", "1 *")


def recordless(store: Store, client: redis.Redis, make: Make) -> None:
    client.zadd(keys.ALL, {"workflow:nothing": 1})
    client.zadd(keys.state("RUNNING"), {"workflow:nothing": 1})


def misplaced(store: Store, client: redis.Redis, make: Make) -> None:
    client.zrem(keys.state("FINISHED"), "workflow:finished")
    client.zadd(keys.state("RUNNING"), {"workflow:finished": 1})


def dead_consumer(store: Store, client: redis.Redis, make: Make) -> None:
    client.xgroup_createconsumer(keys.ENDS, "lifecycle", "elsewhere-99-01234567")
    client.xreadgroup("lifecycle", "elsewhere-99-01234567", {keys.ENDS: ">"})


def lapsed_claims(store: Store, client: redis.Redis, make: Make) -> None:
    client.hset(keys.CLAIMS, "old:task", "old")
    client.xadd(keys.queue("old"), {"kind": '"end-task"'})


def endless_claims(store: Store, client: redis.Redis, make: Make) -> None:
    client.hset(keys.CLAIMS, "old:task", "old")
    client.set(keys.group_life("old"), 1)


def unread_queue(store: Store, client: redis.Redis, make: Make) -> None:
    beat(client, "tasks", {"old": ["old:task"], "images": ["img:resize"]})
    start_workflow(store, "old:task", workflow_id="waits")
    beat(client, "tasks", {"images": ["img:resize"]})
    client.hdel(keys.CLAIMS, "old:task")
    client.delete(keys.group_life("old"))


def stale_index(store: Store, client: redis.Redis, make: Make) -> None:
    client.sadd(keys.UNCLAIMED, "b:c")
    client.zadd(keys.unclaimed("b:c"), {"workflow:gone 1 1": 5})


def stale_timers(store: Store, client: redis.Redis, make: Make) -> None:
    for key in (keys.TIMERS, keys.DELAYED_STARTS, keys.COUNTDOWNS):
        client.zadd(key, {"workflow:gone 1 1": 4e12})
    client.zadd(keys.DEADLINES, {'workflow:gone 1 1 5 ["A","A"]': 4e12})
    client.zadd(keys.WORKFLOW_DEADLINES, {"workflow:gone": 4e12})


def endless_housekeeper(store: Store, client: redis.Redis, make: Make) -> None:
    client.set(keys.HOUSEKEEPER, "one that is gone")


def endless_receipts(store: Store, client: redis.Redis, make: Make) -> None:
    client.set(keys.RECEIPTS_ROLE, 1)


@pytest.mark.parametrize(
    "damage,check",
    [
        (leaked_latch, "leaked-latches"),
        (orphaned_keys, "orphaned-keys"),
        (recordless, "recordless"),
        (misplaced, "misplaced"),
        (dead_consumer, "dead-consumers"),
        (lapsed_claims, "lapsed-claims"),
        (endless_claims, "endless-claims"),
        (unread_queue, "unread-queues"),
        (stale_index, "stale-index"),
        (stale_timers, "stale-timers"),
        (endless_housekeeper, "endless-housekeeper"),
        (endless_receipts, "endless-receipts"),
    ],
)
def test_it_mends_what_is_damaged(
    store: Store,
    client: redis.Redis,
    healthy: str,
    stepper: Make,
    damage: Callable[[Store, redis.Redis, Make], None],
    check: str,
) -> None:
    before = contents(client)
    damage(store, client, stepper)
    idle_seconds = 0.0 if damage is dead_consumer else 600.0
    finding = findings(store, idle_seconds)[check]
    assert finding.text and finding.matters and finding.mend is not None
    damaged = contents(client)
    assert finding.mend()
    assert check not in findings(store, idle_seconds)
    own = f"{healthy}:"
    after = contents(client)
    assert {key: after[key] for key in after if key.startswith(own)} == {
        key: damaged[key] for key in damaged if key.startswith(own)
    }
    if damage in (orphaned_keys, recordless, misplaced, stale_index, stale_timers):
        assert _without_scores(after) == _without_scores(before)


def _without_scores(found: Contents) -> dict[str, object]:
    unclaimed = {key: entry for key, entry in found.items() if not key.startswith("workflows:unclaimed")}
    return {
        key: sorted(member for member, _ in entry["value"]) if entry["type"] == "zset" else entry["value"]
        for key, entry in unclaimed.items()
    }


def half_lost(store: Store, client: redis.Redis) -> None:
    client.delete("workflow:healthy")


def flowless(store: Store, client: redis.Redis) -> None:
    client.delete(f"flow:{client.hget('workflow:healthy', 'flow')}")


def idle(store: Store, client: redis.Redis) -> None:
    client.hset("workflow:healthy", "counts", "0 1 0 0")


def lost_task(store: Store, client: redis.Redis) -> None:
    client.delete(keys.queue("images"))


def latch_of_the_terminated(store: Store, client: redis.Redis) -> None:
    terminate_workflow(store, "workflow:healthy")


def no_append_only_file(store: Store, client: redis.Redis) -> None:
    client.config_set("appendonly", "no")


def eviction(store: Store, client: redis.Redis) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")


def full(store: Store, client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")


@pytest.mark.parametrize(
    "damage,check,text",
    [
        (half_lost, "half-lost", "the record of workflows is gone: workflow:healthy"),
        (flowless, "flowless", "the flow of workflows is gone: workflow:healthy"),
        (idle, "idle", "workflows run of which no step does: workflow:healthy"),
        (lost_task, "lost", "the task of a step stands in no queue: workflow:healthy "),
        (
            latch_of_the_terminated,
            "latch-of-ended",
            "the latch house is at 1, and all its holders have ended",
        ),
        (no_append_only_file, "no-append-only-file", "Redis keeps no append-only file"),
        (eviction, "status", "Redis deletes keys when its memory is full"),
        (full, "refused-writes", "Redis refuses writes: "),
    ],
)
def test_what_only_people_can_mend_is_found_and_left_alone(
    store: Store,
    client: redis.Redis,
    healthy: str,
    damage: Callable[[Store, redis.Redis], None],
    check: str,
    text: str,
) -> None:
    damage(store, client)
    try:
        finding = findings(store)[check]
        assert finding.text.startswith(text)
        assert finding.mend is None
    finally:
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")


def test_a_latch_that_was_acquired_anew_is_not_reset(
    store: Store, client: redis.Redis, healthy: str, stepper: Make
) -> None:
    leaked_latch(store, client, stepper)
    finding = findings(store)["leaked-latches"]
    start_workflow(store, "wait:acquire (- name: mine -)", workflow_id="later")
    settle(client, stepper(Lifecycle(store)), stepper(WaitTasks(store)))
    assert finding.mend is not None and finding.mend()
    assert client.get(keys.latch("mine")) == "2"


def test_clocks_are_compared_by_the_heartbeats() -> None:
    now_ms = round(1000 * time.time())
    ahead = Process("a", "wait", "wait", "fast", 1, "1.0", "", clock_ms=now_ms + 60_000)
    right = Process("b", "wait", "wait", "right", 1, "1.0", "", clock_ms=now_ms - 3_000)
    old = Process("c", "wait", "wait", "old", 1, "1.0", "")
    beats = [Heartbeat(ahead, 1.0), Heartbeat(right, 3.0), Heartbeat(old, 1.0)]
    [finding] = examine_clocks(now_ms, now_ms, beats)
    assert finding.text == "clocks differ from that of Redis: fast by +61.0 s"
    assert list(examine_clocks(now_ms, now_ms, beats[1:])) == []
