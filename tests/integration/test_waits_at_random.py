"""Waits, events, two roles that die and take over, in random order; then what must hold in any order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.tasks.matching import match_key
from lfr.values.stream_id import StreamId
from tests.integration.conftest import Stepper, append, events_of
from tests.support.interference import Killed, kill
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

FLOW = "A -> wait:event (- {event: ok, match: {id: '{input[id]}'}} -)"
VALUES = 2
TRANSACT = Connection.transact


@dataclass(slots=True)
class World:
    """Two wait roles and a lifecycle; the workflows with what each waits for; the events by their ids."""

    client: redis.Redis
    store: Store
    make: Make
    monkeypatch: pytest.MonkeyPatch
    chance: random.Random
    roles: list[Stepper]
    lifecycle: Stepper
    workflows: dict[str, int]
    events: dict[str, int]

    def act(self) -> None:
        """Do something."""
        acts = (self.start, self.end_first_task, self.event, self.step, self.kill)
        self.chance.choices(acts, (2, 4, 2, 4, 3))[0]()

    def start(self) -> None:
        value = self.chance.randrange(VALUES)
        self.workflows[start_workflow(self.store, FLOW, {"id": value}).id] = value

    def end_first_task(self) -> None:
        """So that the wait begins; perhaps a second time, which does nothing."""
        if self.workflows:
            id = self.chance.choice(list(self.workflows))
            values = {"workflow": id, "name": "A", "index": 1, "output": {"id": self.workflows[id]}}
            append(self.client, kind="end-task", **values)
            self.lifecycle.step()

    def event(self) -> None:
        value = self.chance.randrange(VALUES)
        self.events[append(self.client, kind="ok", id=value)] = value

    def step(self) -> None:
        self.chance.choice(self.roles).step()

    def kill(self) -> None:
        """A role dies somewhere, or comes through; another takes its place."""
        number = self.chance.randrange(len(self.roles))
        at, after = self.chance.randrange(2), self.chance.random() < 0.3
        kill(self.monkeypatch, self.roles[number].connection, at=at, after=after)
        try:
            self.roles[number].step()
        except Killed:
            self.roles[number] = self.make(WaitTasks(self.store))
        self.monkeypatch.setattr(Connection, "transact", TRANSACT)

    def settle(self) -> None:
        """Until nothing is unread or pending."""

        def step() -> bool:
            for each in (*self.roles, self.lifecycle):
                each.step()
            (last, _), *_ = self.client.xrevrange("workflows:run", count=1)
            groups = self.client.xinfo_groups("workflows:run")
            return all(each["pending"] == 0 and each["last-delivered-id"] == last for each in groups)

        eventually(step)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_order_each_wait_ends_once_by_an_event_that_is_for_it(
    client: redis.Redis, settings: Settings, stepper: Make, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    store = open_store(replace(settings, lease_seconds=0.1, batch=3))
    roles = [stepper(WaitTasks(store)) for _ in range(2)]
    lifecycle = stepper(Lifecycle(store))
    world = World(client, store, stepper, monkeypatch, random.Random(seed), roles, lifecycle, {}, {})
    world.start()
    for _ in range(120):
        world.act()
    world.settle()
    check(world)


def check(world: World) -> None:
    """What the documentation promises, by the ids of the stream."""
    client = world.client
    since = {}
    for id, fields in client.xrange("workflows:run"):
        if fields["kind"] == '"start-task"' and fields["index"] == "2":
            since[fields["workflow"].strip('"')] = StreamId.parse(id)
    ends = Counter(end["workflow"] for end in events_of(client, "end-task") if end["index"] == 2)
    assert set(ends.values()) <= {1}
    younger: Counter[int] = Counter()
    for workflow, began in since.items():
        value = world.workflows[workflow]
        started = int(client.hget(workflow, "started") or 0)
        theirs = [StreamId.parse(id) for id, its in world.events.items() if its == value]
        if any(came > began for came in theirs):
            assert ends[workflow] == 1  # an event that came after the wait began has ended it
        elif ends[workflow]:
            assert any(started <= came[0] for came in theirs)  # no event of another time has
            younger[value] += 1
        else:
            free = client.zrange(f"waits:free:{match_key('ok', {'id': value})}", 0, -1)
            assert all(StreamId.parse(id).ms <= started for id in free)  # nor is there one that could have
    for value, count in younger.items():
        assert count <= sum(its == value for its in world.events.values())  # each ends one at most
    assert client.hvals("waits:counts:ok") in ([], [str(len(since) - len(ends))])
