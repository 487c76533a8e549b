"""Delays: kept in Redis, fired once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.operations.start import start_workflow
from lfr.roles.wait import Wait
from lfr.store import timers
from lfr.store.connection import Store
from lfr.worker.listener import BatchListener
from tests.store.conftest import Stepper

Make = Callable[[BatchListener], Stepper]


def ends(client: redis.Redis) -> list[dict[str, Any]]:
    return [
        {name: json.loads(value) for name, value in fields.items()}
        for _, fields in client.xrange("workflows:run")
        if fields["kind"] == '"end-task"'
    ]


def test_a_delay_is_set_once_and_ends_when_due_with_its_input(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    wait = stepper(Wait(store))
    id = start_workflow(store, "wait:delay (- duration: 3600 -)", {"keep": "this"}).id
    wait.step()
    ((member, due),) = client.zrange("waits:timers", 0, -1, withscores=True)
    seconds, _ = client.time()
    assert 3598 <= due / 1000 - seconds <= 3601
    wait.step()
    wait.step()
    assert client.xpending("workflows:run", "wait")["pending"] == 0
    assert ends(client) == []
    client.zadd("waits:timers", {member: 1})
    wait.step()
    (ended,) = ends(client)
    assert (ended["workflow"], ended["index"], ended["attempt"]) == (id, 1, 1)
    assert (ended["status"], ended["output"]) == ("SUCCESS", {"keep": "this"})
    assert client.keys("*wait*") == []


def test_a_role_that_comes_later_fires_what_another_set(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    start_workflow(store, "wait:delay (- duration: 0 -)")
    stepper(Wait(store)).step()
    stepper(Wait(store)).step()
    assert len(ends(client)) == 1


def test_two_roles_fire_a_timer_once(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = stepper(Wait(store))
    start_workflow(store, "wait:delay (- duration: 0 -)")
    wait.step()
    original = timers._fire

    def fire_and_be_overtaken(*given: Any) -> Any:
        monkeypatch.setattr(timers, "_fire", original)
        with store.link() as other:
            assert timers.fire_due(other, store.stream, 4_000_000_000_000, count=10) == 1
        return original(*given)

    monkeypatch.setattr(timers, "_fire", fire_and_be_overtaken)
    wait.step()
    wait.step()
    assert len(ends(client)) == 1


@pytest.mark.parametrize(
    "parameters",
    ["", "({})", '({"duration": "soon"})', '({"duration": -1})', '({"duration": true})', "([5])"],
)
def test_a_bad_duration_fails_the_step_and_names_it(
    store: Store, client: redis.Redis, stepper: Make, parameters: str
) -> None:
    start_workflow(store, f"wait:delay {parameters}")
    stepper(Wait(store)).step()
    (ended,) = ends(client)
    assert ended["status"] == "FAILURE"
    assert "wait:delay" in ended["reason"]
    assert "duration" in ended["reason"]


def test_other_tasks_are_left_alone(store: Store, client: redis.Redis, stepper: Make) -> None:
    start_workflow(store, "A")
    wait = stepper(Wait(store))
    wait.step()
    wait.step()
    assert ends(client) == []
    assert client.xpending("workflows:run", "wait")["pending"] == 0
