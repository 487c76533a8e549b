"""Waits, events and two wait roles that die and are replaced, in random order; then the documented promises.

tests/unit/engine/test_waits.py checks the decisions in many more orders; here Redis is part of it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.tasks.match_keys import match_key
from lfr.values.stream_id import StreamId
from tests.integration.conftest import Stepper, append, events_of, hold_events, settle
from tests.support.interference import Killed, killed

Make = Callable[[Consumer], Stepper]

FLOW = "A -> wait:event (- {event: ok, match: {id: '{input[id]}'}} -)"
VALUES = 2
TRANSACT = Connection.transact


@dataclass(slots=True)
class Installation:
    """Two wait roles, a lifecycle, the values that workflows wait for, the values of events, by their ids."""

    client: redis.Redis
    store: Store
    make: Make
    monkeypatch: pytest.MonkeyPatch
    random: random.Random
    roles: list[Stepper]
    lifecycle: Stepper
    workflows: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)

    def act(self) -> None:
        """Do something at random."""
        actions = (self.start, self.end_first_task, self.append_event, self.step, self.kill)
        self.random.choices(actions, (2, 4, 2, 4, 3))[0]()

    def start(self) -> None:
        value = self.random.randrange(VALUES)
        self.workflows[start_workflow(self.store, FLOW, {"id": value}).id] = value

    def end_first_task(self) -> None:
        """Let a workflow go on to its wait; a second end-task changes nothing."""
        if self.workflows:
            id = self.random.choice(list(self.workflows))
            values = {"workflow": id, "name": "A", "index": 1, "output": {"id": self.workflows[id]}}
            append(self.client, kind="end-task", **values)
            self.lifecycle.step()

    def append_event(self) -> None:
        value = self.random.randrange(VALUES)
        self.events[append(self.client, kind="ok", id=value)] = value

    def step(self) -> None:
        self.random.choice(self.roles).step()

    def kill(self) -> None:
        """Let a role take a pass in which it may die; then another takes its place."""
        number = self.random.randrange(len(self.roles))
        at, after = self.random.randrange(2), self.random.random() < 0.3
        connection = self.roles[number].connection
        try:
            with killed(connection, writing="", at=at, after=after, may_live=True):
                self.roles[number].step()
        except Killed:
            self.roles[number] = self.make(WaitTasks(self.store))


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_order_each_wait_ends_once_by_an_event_that_is_for_it(
    client: redis.Redis, settings: Settings, stepper: Make, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    store = open_store(replace(settings, lease_seconds=0.1, batch=3))
    hold_events(client)
    roles = [stepper(WaitTasks(store)) for _ in range(2)]
    lifecycle = stepper(Lifecycle(store))
    installation = Installation(client, store, stepper, monkeypatch, random.Random(seed), roles, lifecycle)
    installation.start()
    for _ in range(120):
        installation.act()
    settle(client, *installation.roles, lifecycle)
    check(installation)


def check(installation: Installation) -> None:
    """Check what the documentation promises, by the ids of the stream."""
    client = installation.client
    start_task_ids: dict[str, StreamId] = {}
    for id, fields in client.xrange("workflows:run"):
        if fields["kind"] == '"start-task"' and fields["index"] == "2":
            start_task_ids[fields["workflow"].strip('"')] = StreamId.parse(id)
    ends = Counter(end["workflow"] for end in events_of(client, "end-task") if end["index"] == 2)
    assert set(ends.values()) <= {1}
    completed_later_waits: Counter[int] = Counter()
    for workflow, start_task_id in start_task_ids.items():
        value = installation.workflows[workflow]
        started_ms = int(client.hget(workflow, "started") or 0)
        event_ids = [StreamId.parse(id) for id, each in installation.events.items() if each == value]
        if any(event_id > start_task_id for event_id in event_ids):
            assert ends[workflow] == 1  # an event that came after the wait started has completed it
        elif ends[workflow]:
            assert max(event_ids).ms >= started_ms  # no event before the workflow has completed it
            completed_later_waits[value] += 1
        else:
            unused = client.zrange(f"waits:free:{match_key('ok', {'id': value})}", 0, -1)
            assert all(StreamId.parse(id).ms <= started_ms for id in unused)  # none could have completed it
    for value, count in completed_later_waits.items():
        assert count <= list(installation.events.values()).count(value)  # each completes one at most
    assert client.hvals("waits:counts:ok") in ([], [str(len(start_task_ids) - len(ends))])
