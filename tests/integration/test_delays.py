"""Delays are stored in Redis and end once, when they are due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import redis

from lfr.errors import Unreachable
from lfr.events import StartTask
from lfr.operations.start import start_workflow
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from lfr.tasks.wait_spec import LatchRequest, Wait, parse_wait
from tests.integration.conftest import Stepper, events_of
from tests.support.interference import Killed, killed, overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

AHEAD_MS = 4_000_000_000_000
"""A time that is always to come, in milliseconds since the epoch."""


def test_a_delay_is_stored_once_and_ends_when_due_with_its_input(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    wait = stepper(WaitTasks(store))
    id = start_workflow(store, "wait:delay (- duration: 3600 -)", {"keep": "this"}).id
    wait.step()
    ((member, due),) = client.zrange("waits:timers", 0, -1, withscores=True)
    seconds, _ = client.time()
    assert 3598 <= due / 1000 - seconds <= 3601
    wait.step()
    wait.step()
    assert client.xpending("workflows:run", "wait")["pending"] == 0
    assert events_of(client, "end-task") == []
    client.zadd("waits:timers", {member: 1})
    wait.step()
    (ended,) = events_of(client, "end-task")
    assert (ended["workflow"], ended["index"], ended["attempt"]) == (id, 1, 1)
    assert (ended["status"], ended["output"]) == ("SUCCESS", {"keep": "this"})
    assert client.keys("*wait*") == []


def test_a_role_ends_the_delay_that_another_started(store: Store, client: redis.Redis, stepper: Make) -> None:
    start_workflow(store, "wait:delay (- duration: 0 -)")
    stepper(WaitTasks(store)).step()
    stepper(WaitTasks(store)).step()
    assert len(events_of(client, "end-task")) == 1


def test_two_roles_end_a_delay_once(store: Store, client: redis.Redis, stepper: Make) -> None:
    one, two = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, "wait:delay (- duration: 0 -)")
    one.step()
    with overtaken(one.connection, two.step, writing="ZREM waits:delays"):
        one.step()
    two.step()
    assert len(events_of(client, "end-task")) == 1


def test_a_delay_that_is_read_twice_ends_once(store: Store, client: redis.Redis, stepper: Make) -> None:
    """A slow role has read what another role reclaims, starts and ends."""
    store = open_store(replace(store.settings, lease_seconds=0.0))
    slow, quick = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, "wait:delay (- duration: 0 -)")
    with overtaken(slow.connection, lambda: [quick.step() for _ in range(3)], writing="ZADD waits:delays"):
        slow.step()
    slow.step()
    assert len(events_of(client, "end-task")) == 1
    assert client.keys("*:wait:*") == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writing", ["ZADD waits:delays", "ZREM waits:delays"])
def test_a_role_that_dies_loses_no_delay_and_doubles_none(
    store: Store, client: redis.Redis, stepper: Make, writing: str, after: bool
) -> None:
    store = open_store(replace(store.settings, lease_seconds=0.05))
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    ids = [start_workflow(store, "wait:delay (- duration: 0 -)").id for _ in range(3)]
    with killed(dying.connection, writing=writing, after=after):
        dying.step()
        dying.step()
    eventually(
        lambda: role.step() or (len(events_of(client, "end-task")) == 3 and not client.keys("*:wait:*"))
    )
    for _ in range(5):
        role.step()
    assert sorted(end["workflow"] for end in events_of(client, "end-task")) == sorted(ids)


def test_a_delay_counts_from_when_its_step_started(store: Store, client: redis.Redis, stepper: Make) -> None:
    start_workflow(store, "wait:delay (- duration: 1h -)")
    started = next(id for id, fields in client.xrange("workflows:run") if fields["kind"] == '"start-task"')
    stepper(WaitTasks(store)).step()
    ((_, due),) = client.zrange("waits:timers", 0, -1, withscores=True)
    assert due == int(started.partition("-")[0]) + 3_600_000


@pytest.mark.parametrize(
    "flow", ["wait:delay (- duration: 1h -)", "wait:event (- {event: ok, timeout: 1h} -)"]
)
def test_a_wait_lasts_no_longer_if_the_ids_of_the_stream_are_ahead_of_the_clock(
    store: Store, client: redis.Redis, stepper: Make, flow: str
) -> None:
    """The clock has gone back, or a program has appended an entry with an id of its own."""
    client.xadd("workflows:run", {"kind": '"other"'}, id=f"{AHEAD_MS}-0")
    start_workflow(store, flow)
    stepper(WaitTasks(store)).step()
    ((_, due),) = client.zrange("waits:timers", 0, -1, withscores=True)
    seconds, _ = client.time()
    assert 3590 <= due / 1000 - seconds <= 3601


@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [
        ("until: 2000-01-01", None),
        ("until: '2100-01-31T12:00:00+01:00'", 4105076400),
        ("until: '{input[at]}'", 4105080000),
    ],
)
def test_until_a_time(
    store: Store, client: redis.Redis, stepper: Make, parameters: str, seconds: float | None
) -> None:
    start_workflow(store, f"wait:delay (- {parameters} -)", {"at": "2100-01-31T12:00:00"})
    wait = stepper(WaitTasks(store))
    wait.step()
    wait.step()
    due = [score / 1000 for _, score in client.zrange("waits:timers", 0, -1, withscores=True)]
    assert (due, len(events_of(client, "end-task"))) == (([], 1) if seconds is None else ([seconds], 0))


def test_an_unknown_wait_task_fails(store: Store, client: redis.Redis, stepper: Make) -> None:
    start_workflow(store, "wait:forever")
    stepper(WaitTasks(store)).step()
    (ended,) = events_of(client, "end-task")
    assert ended["reason"] == "there is no task wait:forever in lfr"


@pytest.mark.parametrize(
    "parameters",
    ["", "({})", '({"duration": "soon"})', '({"duration": -1})', '({"duration": true})'],
)
def test_a_bad_duration_fails_the_step_and_names_it(
    store: Store, client: redis.Redis, stepper: Make, parameters: str
) -> None:
    start_workflow(store, f"wait:delay {parameters}")
    stepper(WaitTasks(store)).step()
    (ended,) = events_of(client, "end-task")
    assert ended["status"] == "FAILURE"
    assert "wait:delay" in ended["reason"]
    assert "duration" in ended["reason"]


def test_other_tasks_are_left_alone(store: Store, client: redis.Redis, stepper: Make) -> None:
    start_workflow(store, "A")
    wait = stepper(WaitTasks(store))
    wait.step()
    wait.step()
    assert events_of(client, "end-task") == []
    assert client.xpending("workflows:run", "wait")["pending"] == 0


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the role die with a task whose duration is 13 seconds, when it reads its parameters."""

    def parse_or_die(entry_id: str, task: StartTask) -> Wait | LatchRequest:
        if task.parameters == {"duration": 13}:
            raise Killed
        return parse_wait(entry_id, task)

    monkeypatch.setattr("lfr.roles.wait.parse_wait", parse_or_die)


def test_a_task_with_which_roles_die_fails_and_its_neighbours_do_not(
    store: Store, client: redis.Redis, stepper: Make, deadly: None
) -> None:
    for seconds in (3600, 13, 3600):
        start_workflow(store, f"wait:delay (- duration: {seconds} -)")
    deaths = 0
    while not events_of(client, "end-task"):
        role = stepper(WaitTasks(replace(store, settings=replace(store.settings, lease_seconds=0))))
        try:
            eventually(
                lambda role=role: role.step() or client.xpending("workflows:run", "wait")["pending"] == 0
            )
        except Killed:
            deaths += 1
    assert deaths == store.settings.tasks_deliveries
    (ended,) = events_of(client, "end-task")
    assert ended["reason"] == "the worker died 5 times with this task (setting tasks.deliveries)"
    assert ended["retry"] is False
    assert client.zcard("waits:timers") == 2
    assert client.xpending("workflows:run", "wait")["pending"] == 0


def test_an_outage_is_no_death_of_the_role(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_workflow(store, "wait:delay (- duration: 3600 -)")
    role = stepper(WaitTasks(replace(store, settings=replace(store.settings, lease_seconds=0))))
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise Unreachable("no Redis answers")

        patch.setattr("lfr.roles.wait.start_delays", refuse)
        for _ in range(9):
            with pytest.raises(Unreachable):
                role.step()
    role.step()
    assert client.zcard("waits:timers") == 1
    assert events_of(client, "end-task") == []
