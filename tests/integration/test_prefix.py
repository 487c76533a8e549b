"""Two installations on one Redis, of which one has a `redis.prefix`: neither notices the other."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.lifecycle import housekeeper
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.dead_letters import list_dead_letters
from lfr.operations.events import list_buffered_events, list_events, send_event
from lfr.operations.find_workflow import find_workflow_id
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import restart_workflow
from lfr.operations.latches import list_latches, reset_latch
from lfr.operations.list_workflows import count_workflows, list_page
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.redis import RedisTasks
from lfr.roles.simulate import Simulate
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper
from tests.integration.test_leftovers import FLOWS, TASKS, Worker, delete, interfere
from tests.support.redis_contents import read_contents
from tests.support.waiting import eventually

PREFIX = "staging:"


class PrefixedClient:
    """What the worker of test_leftovers needs of a client, under the prefix."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def set(self, key: str, value: str) -> None:
        self._client.set(PREFIX + key, value)


class Installation:
    """All roles of an installation, one pass at a time."""

    def __init__(self, store: Store, client: Any, stepper: Callable[[Consumer], Stepper]) -> None:
        self.store = store
        self.lifecycle = Lifecycle(store)
        consumers = (
            self.lifecycle,
            WaitTasks(store),
            Worker(store, client, *TASKS),
            RedisTasks(store),
            Simulate(store, 0, 0),
            Receipts(store, io.StringIO()),
        )
        self.roles = [stepper(consumer) for consumer in consumers]

    def step(self) -> None:
        self.lifecycle._check_timers_at = 0.0
        for role in self.roles:
            role.step()

    def states(self) -> dict[str, Any]:
        """Return the state of each workflow by id."""
        return {each["id"]: each["state"] for each in list_page(self.store, size=500).workflows}


def values(client: redis.Redis, *, without: str) -> dict[str, Any]:
    """Return everything in Redis but the keys that begin with `without`, those that soon expire, and the
    times to live."""
    contents = read_contents(client, without=without)
    lasting = {key: entry for key, entry in contents.items() if (entry["ttl_ms"] or 10**9) > 600_000}
    return {key: {**entry, "ttl_ms": None} for key, entry in lasting.items()}


def exercise(own: Installation) -> None:
    """Let everything happen that an installation can do."""
    ids = []
    for n, flow in enumerate([*FLOWS, *FLOWS, "redis:set (- args: [users-key, 1] -)"]):
        random = Random(n)
        ids.append(start_workflow(own.store, flow, {"n": n}, f"w-{n}").id)
        for kind in ("early", "late"):
            send_event(own.store, f"{kind}-{n}", {"n": n, "x": 1})
        own.step()
        interfere(own.store, random, random.choice(ids))

    def has_progressed() -> bool:
        own.step()
        return {*own.states().values()} >= {"RUNNING", "FINISHED", "FAILED"}

    eventually(has_progressed)
    states = own.states()
    assert states.keys() == set(ids) and sum(count_workflows(own.store).values()) == len(ids)
    for id, state in states.items():
        archive = archive_workflow(own.store, id)
        assert PREFIX not in str(archive)
        assert inspect_workflow(own.store, id)["id"] == find_workflow_id(own.store, id) == id
        if state == "FAILED":
            restart_workflow(own.store, id)
        delete(own.store, restore_workflow(own.store, archive))
        own.step()
    assert load_status(own.store)["stream"]["key"] == "workflows:run"
    assert list_buffered_events(own.store) and list_events(own.store) and not list_dead_letters(own.store)
    for latch in list_latches(own.store):
        if latch["value"]:
            reset_latch(own.store, latch["name"])
    own.step()


@pytest.fixture
def eager_housekeeper(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_EVERY_SECONDS", "_TIDY_SECONDS", "_RESCAN_SECONDS"):
        monkeypatch.setattr(housekeeper, name, 0)


def test_two_installations_are_separate(
    settings: Settings,
    client: redis.Redis,
    stepper: Callable[[Consumer], Stepper],
    eager_housekeeper: None,
) -> None:
    neighbor = Installation(open_store(settings), client, stepper)
    exercise(neighbor)
    client.delete("users-key")
    contents = values(client, without=PREFIX)
    assert not [*client.scan_iter(f"{PREFIX}*")]

    own = Installation(open_store(replace(settings, redis_prefix=PREFIX)), PrefixedClient(client), stepper)
    assert own.states() == {}
    exercise(own)
    assert client.get("users-key") == "1"  # the key of a `redis:` task is the user's own
    client.delete("users-key")
    assert values(client, without=PREFIX) == contents
    assert len([*client.scan_iter(f"{PREFIX}*")]) > 100

    for id in own.states():
        delete(own.store, id)
    own.step()
    assert own.states() == {}
    assert values(client, without=PREFIX) == contents
