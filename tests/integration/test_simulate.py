"""The role simulate, which stands in for task workers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from lfr.errors import Unreachable
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.simulate import Simulate
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, events_of


def test_tasks_of_a_role_that_stops_go_to_another_at_once(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    start_workflow(store, "a")
    slow = stepper(Simulate(store, 1e6, 0))
    slow.step()
    slow.step()
    assert len(slow.consumer.claimed_ids()) == 1
    slow.consumer.leave(slow.connection)
    quick = stepper(Simulate(store, 0, 0))
    quick.step()
    quick.step()
    assert [event["name"] for event in events_of(client, "end-task")] == ["a"]


def test_a_task_that_cannot_be_completed_during_an_outage_is_completed_later(
    store: Store,
    client: redis.Redis,
    stepper: Callable[[Consumer], Stepper],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_workflow(store, "a")
    simulate = stepper(Simulate(store, 0, 0))
    simulate.step()
    with monkeypatch.context() as outage:
        outage.setattr("lfr.roles.simulate.complete_tasks", _raise_unreachable)
        with pytest.raises(Unreachable):
            simulate.step()
    assert len(simulate.consumer.claimed_ids()) == 1
    simulate.step()
    assert [event["name"] for event in events_of(client, "end-task")] == ["a"]


def test_a_task_that_is_not_current_is_not_completed(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    id = start_workflow(store, "a").id
    simulate = stepper(Simulate(store, 0, 0))
    simulate.step()
    terminate_workflow(store, id)
    simulate.step()
    assert events_of(client, "end-task") == []
    assert simulate.consumer.claimed_ids() == []
    assert len(events_of(client, "receipt")) == 1


def _raise_unreachable(*_: object, **__: object) -> None:
    raise Unreachable("no Redis answers")
