"""Waits while wait roles are killed with SIGKILL: each ends once, and none too early."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import redis

from lfr import Client
from tests.support.processes import lfr, role
from tests.support.waiting import STALL_SECONDS, eventually, eventually_equal

WORKFLOWS = 1000
FLOW = """
@flow waits;
{
  wait:delay (- duration: 2 -)
  wait:event (- {event: answer, match: {id: '{input[id]}'}} -)
  wait:event (- {event: never, timeout: 2s, on_timeout: continue} -)
  wait:event (- event: all -)
}
"""
QUICK = {"LFR_LEASE": "1"}


class WaitRoles:
    """Wait roles, of which one after the other is killed and replaced until the block ends."""

    def __init__(self, url: str, stack: ExitStack, count: int) -> None:
        self._client = stack.enter_context(redis.Redis.from_url(url, decode_responses=True, protocol=2))
        self._start: Callable[[], Any] = lambda: stack.enter_context(role("wait", url=url, more=QUICK))
        self._roles = [self._start() for _ in range(count)]
        self._stop = threading.Event()
        self.kills = 0
        self._killer = threading.Thread(target=self._kill)
        self._killer.start()
        stack.callback(self.stop_killing)

    def _kill(self) -> None:
        """Kill each role after a second or two of work, however long it takes to start."""
        working: set[int] = set()
        while not self._stop.wait(1):
            number = self.kills % len(self._roles)
            victim = self._roles[number]
            if victim.pid in working:
                victim.kill()
                victim.wait()
                self._roles[number] = self._start()
                self.kills += 1
            elif self._reads(victim.pid):
                working.add(victim.pid)

    def _reads(self, pid: int) -> bool:
        with suppress(redis.ResponseError):  # there is no such group yet
            consumers = self._client.xinfo_consumers("workflows:run", "wait")
            return any(f"-{pid}-" in consumer["name"] for consumer in consumers)
        return False

    def stop_killing(self) -> None:
        """Leave the roles alone from now on."""
        self._stop.set()
        self._killer.join()


def keep_all_events(client: redis.Redis) -> None:
    """Create a foreign group that reads nothing: so the bus keeps all events, and a copy of each end of a
    task that lifecycles have taken in."""
    client.xgroup_create("workflows:run", "witness", id="0", mkstream=True)


def events_of(client: redis.Redis, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind on the bus, in order."""
    entries = [fields for _, fields in client.xrange("workflows:run") if fields["kind"] == json.dumps(kind)]
    return [{name: json.loads(value) for name, value in fields.items()} for fields in entries]


def test_waits_end_once_and_none_early(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)
    lfr_client = Client(redis_url)
    keep_all_events(client)
    with ExitStack() as stack:
        stack.enter_context(role("lifecycle", url=redis_url, more=QUICK))
        roles = WaitRoles(redis_url, stack, 2)
        ids = []
        for n in range(WORKFLOWS):
            ids.append(lfr_client.run(FLOW, {"id": n}))
            if n % 2:
                lfr_client.event("answer", {"id": n - n % 4 // 2})
                lfr_client.event("answer", {"id": n // 2})
        for n in range(WORKFLOWS):
            lfr_client.event("answer", {"id": n, "output": {"n": n}})
        lfr_client.event("all")
        eventually_equal(lambda: client.zcard("workflows:state:FINISHED"), WORKFLOWS)
        roles.stop_killing()
        assert roles.kills > 0
    ends = Counter((end["workflow"], end["index"]) for end in events_of(client, "end-task"))
    assert len(ends) == 4 * WORKFLOWS
    assert set(ends.values()) == {1}
    started = {id: int(client.hget(id, "started") or 0) for id in ids}
    for end in events_of(client, "end-task"):
        if end["index"] in (2, 4):  # "copy_of": the id with which the wait role appended it
            assert int(end["copy_of"].partition("-")[0]) >= started[end["workflow"]] + 2000
    assert client.keys("*:wait:*") + client.keys("waits:place:*") == []
    assert client.zcard("waits:timers") == client.zcard("waits:delays") == 0
    assert client.keys("waits:kind:*") == []
    client.close()


def test_a_latch_that_many_steps_hold_becomes_zero_once_for_all_countdowns(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)
    lfr_client = Client(redis_url)
    keep_all_events(client)
    hold = "wait:acquire (- name: all -) -> wait:delay (- duration: 4 -) -> wait:release (- name: all -)"
    with ExitStack() as stack:
        stack.enter_context(role("lifecycle", url=redis_url, more=QUICK))
        roles = WaitRoles(redis_url, stack, 1)
        for _ in range(50):
            lfr_client.run(hold)
        countdowns = [lfr_client.run("wait:countdown (- name: all -)") for _ in range(20)]
        eventually_equal(lambda: client.zcard("workflows:state:FINISHED"), 70)
        roles.stop_killing()
        assert roles.kills > 0
    assert client.get("workflow:latch:all") == "0"
    ends = [event for event in events_of(client, "end-task") if event["name"] == "wait:countdown"]
    assert sorted(event["workflow"] for event in ends) == sorted(countdowns)
    names = [(fields["kind"], fields.get("name")) for _, fields in client.xrange("workflows:run")]
    assert names.index(('"countdown-latch-zero"', '"all"')) < names.index(('"end-task"', '"wait:countdown"'))
    client.close()


def test_latches_are_listed_and_reset(redis_url: str) -> None:
    lfr_client = Client(redis_url)
    with role("worker", url=redis_url):
        lfr_client.wait(lfr_client.run("wait:acquire (- name: 'house 12' -)"))
        id = lfr_client.run("wait:countdown (- name: 'house 12' -)")
        eventually(lambda: json.loads(lfr("latches", "--json", url=redis_url).stdout)[0]["waiters"] == 1)
        lines = lfr("latches", url=redis_url).stdout.splitlines()
        assert lines[1].split()[:4] == ["1", "1", "house", "12"]
        assert lfr("latches", "reset", url=redis_url).returncode == 65
        assert lfr("latches", "reset", "house 13", url=redis_url).returncode == 66
        reset = lfr("latches", "reset", "house 12", url=redis_url)
        assert (reset.returncode, reset.stdout) == (0, "house 12 was 1, and is 0; 1 went on\n")
        assert lfr_client.wait(id)["state"] == "FINISHED"


def test_who_waits_is_listed_and_each_gets_its_event(redis_url: str) -> None:
    lfr_client = Client(redis_url)
    assert lfr("waiting", url=redis_url).stderr == "nobody waits\n"
    with role("worker", url=redis_url):
        flow = "@flow order; wait:event (- {event: paid, timeout: 1h, match: {order: '{input[n]}'}} -)"
        ids = [lfr_client.run(flow, {"n": n}) for n in range(3)]
        eventually_equal(lambda: len(lfr_client.waits(kind="event", name="paid")), 3)
        listed = lfr("waiting", "--event", "paid", "--limit", "2", url=redis_url)
        _, first, _ = listed.stdout.splitlines()
        assert first.startswith('the event paid with {"order"') and "  in 59 m " in first
        assert listed.stderr == "the first 2; --limit shows more. In all: 3 for the event paid\n"
        assert lfr("waiting", "--latch", "x", "--event", "y", url=redis_url).returncode == 65
        assert lfr("event", "paid", "--flow", "order", url=redis_url).returncode == 65
        sent = lfr("event", "paid", "--each", "--where", "flow=order", "--json", url=redis_url)
        assert len(json.loads(sent.stdout)["ids"]) == 3
        assert {lfr_client.wait(id)["state"] for id in ids} == {"FINISHED"}
        assert lfr("event", "paid", "--each", url=redis_url).stdout == ""


def test_a_workflow_that_takes_too_long_fails_whoever_was_away(redis_url: str) -> None:
    """No lifecycle runs when the time is over; the next one fails the workflow. A restart has new time."""
    client = Client(redis_url)
    id = client.run("@flow f (- lfr: {timeout: 100ms} -); nobody-does-it -> after")
    assert "  deadline " in lfr("inspect", id, url=redis_url).stdout
    with role("lifecycle", url=redis_url):
        failed = client.wait(id, STALL_SECONDS)
        assert failed["reason"] == "timeout: the workflow has not ended within 0.1 s"
        assert failed["state"] == "FAILED"
        assert lfr("restart", id, url=redis_url).returncode == 0
        eventually(
            lambda: (
                [fact["event"] for fact in client.inspect(id, history=True)["history"]].count("timed-out")
                == 2
            )
        )
