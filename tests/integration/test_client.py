"""The Python client: every method, against Redis."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from lfr import Client, FlowError, TimedOut
from lfr.errors import BadInput, Conflict, NotFound
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper

MakeStepper = Callable[[Lifecycle], Stepper]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lfr(store: Store) -> Client:
    return Client(store.settings.redis_url)


def test_workflows_from_their_start_to_their_end(lfr: Client, lifecycle: Stepper) -> None:
    with pytest.raises(FlowError):
        lfr.run("a -> ->")
    id = lfr.run("a (- k: 1 -) -> b", {"n": 1}, "build-1", name="build")
    assert lfr.run("a (- k: 1 -) -> b", {"n": 1}, "build-1") == id == "workflow:build-1"
    assert (lfr.find("bu"), lfr.flow_text(id)) == (id, "a (- k: 1 -) -> b")
    assert [workflow["name"] for workflow in lfr.list(state="RUNNING", name="build")] == ["build"]
    assert lfr.inspect_step(id, 1)["parameters"] == {"k": 1}
    assert list(lfr.logs(id, 1)) == []
    assert lfr.end(id, 1, {"by": "hand"}, attempt=1)
    lifecycle.step()
    lfr.end(id, 2, failure="no disk")
    lifecycle.step()
    assert lfr.wait(id)["reason"] == "no disk"
    assert lfr.restart(id) == "RUNNING"
    assert lfr.retry(id, 2) == 3
    lfr.fail(id, 2, "enough")
    assert lfr.counts()["FAILED"] == 1
    document = lfr.archive(id)
    lfr.delete(id)
    assert lfr.restore(document) == id
    lfr.skip(id, 2, {"skipped": True})
    assert lfr.wait(id, timeout=60)["output"] == {"skipped": True}
    updates = list(lfr.follow(id))
    assert updates[-1]["state"] == "FINISHED"
    with pytest.raises(Conflict):
        lfr.terminate(id)
    with pytest.raises(NotFound):
        lfr.inspect("other")
    other = lfr.run("a")
    with pytest.raises(TimedOut):
        lfr.wait(other, timeout=0)
    assert lfr.terminate(other) == "TERMINATED"


def test_events_latches_and_the_installation(lfr: Client, client: redis.Redis, lifecycle: Stepper) -> None:
    event = lfr.event("approved", {"order": 7})
    assert [each["id"] for each in lfr.events(kind="approved")] == [event]
    assert (lfr.buffered_events(), lfr.latches()) == ([], [])
    client.xadd("workflows:run", {"kind": "garbage"})
    lifecycle.step()
    assert len(lfr.dead_letters()) == 1
    client.set("workflow:latch:house", 2)
    client.zadd("waits:latches", {"house": "+inf"})
    assert lfr.reset_latch("house") == {"name": "house", "value": 2, "waiters": 0}
    assert lfr.status()["dead_letters"] == 1
    with pytest.raises(BadInput):
        lfr.event("")


def test_the_page_of_the_client_has_every_method_with_its_arguments() -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)\((.*?)\)` \|", page, re.MULTILINE))
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            parameters = list(inspect.signature(method).parameters.values())[1:]
            assert documented.pop(name) == ", ".join(
                each.name if each.default is each.empty else f"{each.name}={each.default!r}".replace("'", '"')
                for each in parameters
            )
    assert documented == {}
