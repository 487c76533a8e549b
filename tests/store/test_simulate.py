"""The stand-in for task workers."""

from __future__ import annotations

from collections.abc import Callable

import redis

from lfr.operations.start import start_workflow
from lfr.roles.simulate import Simulate
from lfr.store.connection import Store
from lfr.worker.listener import BatchListener
from tests.store.conftest import Stepper, events_of


def test_what_one_has_taken_when_it_stops_another_does_at_once(
    store: Store, client: redis.Redis, stepper: Callable[[BatchListener], Stepper]
) -> None:
    start_workflow(store, "a")
    slow = stepper(Simulate(store, 1e6, 0))
    slow.step()
    slow.step()
    assert len(slow.listener.held()) == 1
    slow.listener._leave(slow.link)
    quick = stepper(Simulate(store, 0, 0))
    quick.step()
    quick.step()
    assert [event["name"] for event in events_of(client, "end-task")] == ["a"]
