"""Event waits: each ends once and by the right event, whichever is first, whichever role reads it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.waits import event_buffer
from lfr.store.waits.match import BATCH_PAGE_SIZE
from tests.integration.conftest import Stepper, append, events_of, hold_events, settle
from tests.support.interference import killed, overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

ALWAYS_MS = 4_000_000_000_000
"""A time that is always to come, in milliseconds since the epoch."""

ANY = "wait:event (- event: ok -)"
BY_ID = "wait:event (- {event: ok, match: {id: '{input[id]}'}} -)"


@pytest.fixture
def store(settings: Settings) -> Store:
    """Let other roles reclaim at once what a dead role has read."""
    return open_store(replace(settings, lease_seconds=0.1))


@pytest.fixture
def role(store: Store, stepper: Make) -> Stepper:
    return stepper(WaitTasks(store))


def ended_workflows(client: redis.Redis) -> list[str]:
    """Return the workflows of all end-tasks, in order."""
    return [event["workflow"] for event in events_of(client, "end-task")]


def wait_keys(client: redis.Redis) -> set[str]:
    """Return the keys of waits, without those of buffered events and field sets, which stay for a while."""
    other_keys = ("event:", "kept:", "free:", "taken:", "fields:", "counts:", "kinds")
    return {key for key in client.keys("*wait*") if not key.removeprefix("waits:").startswith(other_keys)}


def test_an_event_ends_the_wait_that_asks_for_it_and_gets_a_receipt(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    flow = "wait:event (- {event: ok, match: input} -)"
    one = start_workflow(store, flow, {"id": 1, "of": "a"}).id
    start_workflow(store, flow, {"id": 2, "of": "a"})
    role.step()
    append(client, kind="ok", id=1, of="b")
    append(client, kind="other", id=1, of="a")
    append(client, kind="ok", id="1", of="a")
    append(client, kind="ok", id=1)
    right = append(client, kind="ok", id=1.0, of="a", output={"by": "ann", "of": "c"}, more=[1])
    settle(client, role)
    (event,) = events_of(client, "end-task")
    assert (event["workflow"], event["index"], event["attempt"]) == (one, 1, 1)
    assert event["output"] == {"id": 1, "of": "c", "by": "ann"}
    receipts = [receipt["for"] for receipt in events_of(client, "receipt")]
    assert receipts.count(right) == 1
    assert len(receipts) == 3


def test_of_waits_of_one_millisecond_an_event_ends_those_that_are_older(
    client: redis.Redis, store: Store, stepper: Make
) -> None:
    many = 2 * BATCH_PAGE_SIZE + 4
    start_workflow(store, "{ " + f"{ANY} " * 2 * many + "}")
    starts = [fields for _, fields in client.xrange("workflows:run") if fields["kind"] == '"start-task"']
    client.delete("workflows:run")
    starts.sort(key=lambda fields: fields["index"])  # as the names of waits of one time are sorted
    younger, older = starts[:many], starts[many:]
    event = {"kind": '"ok"', "apiVersion": '"v1"', "at": '"2026-01-31T12:00:00.000Z"'}
    for number, fields in enumerate([*older, event, *younger]):
        client.xadd("workflows:run", fields, id=f"{ALWAYS_MS}-{number}")
    settle(client, stepper(WaitTasks(store)))
    ends = [end["index"] for end in events_of(client, "end-task")]
    assert sorted(ends) == sorted(int(fields["index"]) for fields in older)


@pytest.mark.parametrize(
    ("parameters", "input", "event", "output"),
    [
        ("event: ok", {"a": 1}, {}, {"a": 1}),
        ("event: ok", {"a": 1}, {"output": {"b": 2}}, {"b": 2}),
        ("event: ok", {"a": 1}, {"output": None}, None),
        ("event: ok, match: input", {"a": 1}, {"a": 1}, {"a": 1}),
        ("event: ok, match: input", [{"a": 1}, {"b": 2}], {"a": 1}, [{"a": 1}, {"b": 2}]),
        ("event: ok, match: input", [{"a": 1}], {"a": 1, "output": {"c": 3}}, {"a": 1, "c": 3}),
        ("event: ok, match: input", {"a": {"x": [1], "y": None}}, {"a": {"y": None, "x": [1]}}, ...),
        ("event: ok, match: {n: '{input[a]}', t: 'x{input[a]}'}", {"a": 1}, {"n": 1, "t": "x1"}, {"a": 1}),
        ("event: ok, match: {n: '{input[a]}'}", {"a": 1}, {"n": 1, "output": [5]}, [5]),
        ("event: 'ok', match: {}", {"a": 1}, {"n": 1}, {"a": 1}),
        ("event: '{input[a]}'", {"a": "ok"}, {}, {"a": "ok"}),
    ],
)
def test_what_is_matched_and_what_comes_out(
    client: redis.Redis, store: Store, role: Stepper, parameters: str, input: Any, event: Any, output: Any
) -> None:
    start_workflow(store, f"wait:event (- {{{parameters}}} -)", input)
    role.step()
    append(client, kind="ok", **event)
    settle(client, role)
    (end,) = events_of(client, "end-task")
    assert (end["status"], end["output"]) == ("SUCCESS", input if output is ... else output)
    assert wait_keys(client) == set()


def test_without_a_receipt(client: redis.Redis, store: Store, role: Stepper) -> None:
    start_workflow(store, "wait:event (- {event: ok, receipt: false} -)")
    role.step()
    id = append(client, kind="ok")
    settle(client, role)
    assert len(ended_workflows(client)) == 1
    assert id not in [receipt["for"] for receipt in events_of(client, "receipt")]


def test_an_event_ends_all_waits_that_ask_for_it_however_many(
    client: redis.Redis, store: Store, role: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.store.waits.match.SINGLE_PAGE_SIZE", 7)
    ids = [start_workflow(store, ANY).id for _ in range(20)]
    ids += [start_workflow(store, BY_ID, {"id": 5}).id for _ in range(20)]
    start_workflow(store, BY_ID, {"id": 6})
    settle(client, role)
    append(client, kind="ok", id=5)
    settle(client, role)
    assert sorted(ended_workflows(client)) == sorted(ids)
    assert len(wait_keys(client)) == 3


def test_an_event_that_comes_before_the_wait_but_after_the_workflow_ends_one_wait(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    hold_events(client)
    lifecycle = stepper(Lifecycle(store))
    append(client, kind="ok", n="stale")
    flow = f"A -> {ANY} -> {ANY}"
    first, second = (start_workflow(store, flow).id for _ in range(2))
    append(client, kind="ok", n="early")
    settle(client, role, lifecycle)
    append(client, kind="end-task", workflow=first, name="A", index=1)
    settle(client, role, lifecycle)
    append(client, kind="end-task", workflow=second, name="A", index=1)
    settle(client, role, lifecycle)
    assert [event["index"] for event in events_of(client, "end-task") if event["name"] != "A"] == [2]
    assert client.hget(f"{first}:steps", "3") is not None
    append(client, kind="ok", n="late")
    settle(client, role, lifecycle)
    ends = [(event["workflow"], event["index"]) for event in events_of(client, "end-task")]
    assert ends.count((first, 3)) == ends.count((second, 2)) == 1


@pytest.mark.parametrize("younger_workflows", [0, 2 * BATCH_PAGE_SIZE])
def test_of_many_waits_each_takes_one_of_as_many_events_that_came_before_it(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make, younger_workflows: int
) -> None:
    """Also if the first waits are of workflows that started after the events."""
    lifecycle = stepper(Lifecycle(store))
    ids = [start_workflow(store, f"A -> {ANY}").id for _ in range(2 * BATCH_PAGE_SIZE + 1)]
    for _ in ids:
        append(client, kind="ok")
    for _ in range(younger_workflows):
        start_workflow(store, ANY)
    for id in ids:
        append(client, kind="end-task", workflow=id, name="A", index=1)
    start_tasks = 2 * len(ids) + younger_workflows
    eventually(lambda: lifecycle.step() or len(events_of(client, "start-task")) == start_tasks)
    settle(client, role)
    ends = [event["workflow"] for event in events_of(client, "end-task") if event["name"] != "A"]
    assert sorted(ends) == sorted(ids)


def test_an_event_of_another_time_ends_nothing(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    """An event before the start of a workflow is not for it, even in the same millisecond."""
    lifecycle = stepper(Lifecycle(store))
    for n in range(30):
        append(client, kind="ok", id=n)
        id = start_workflow(store, f"A -> {BY_ID}", {"id": n}).id
        append(client, kind="end-task", workflow=id, name="A", index=1, output={"id": n})
    settle(client, role, lifecycle)
    assert client.hlen("waits:counts:ok") == 1
    assert client.hvals("waits:counts:ok") == ["30"]


def test_an_event_of_another_time_ends_nothing_while_the_ids_of_the_stream_are_ahead_of_the_clock(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    hold_events(client)
    lifecycle = stepper(Lifecycle(store))
    client.xadd("workflows:run", {"kind": '"other"'}, id=f"{ALWAYS_MS}-0")
    append(client, kind="ok", n="before the workflow")
    id = start_workflow(store, f"A -> {ANY}").id
    append(client, kind="end-task", workflow=id, name="A", index=1)
    settle(client, role, lifecycle)
    assert ended_workflows(client) == [id]
    append(client, kind="ok", n="for it")
    settle(client, role, lifecycle)
    assert ended_workflows(client) == [id, id]
    id = start_workflow(store, f"A -> {ANY}").id
    append(client, kind="ok", n="early")
    append(client, kind="end-task", workflow=id, name="A", index=1)
    settle(client, role, lifecycle)
    assert ended_workflows(client)[2:] == [id, id]


def test_unused_field_sets_are_looked_for_by_the_clock_not_by_the_ids_of_the_stream(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    client.xadd("workflows:run", {"kind": '"other"'}, id=f"{ALWAYS_MS}-0")
    start_workflow(store, ANY)
    eventually(lambda: role.step() or client.zcard("waits:kinds"))
    client.delete("waits:kinds")
    start_workflow(store, ANY)
    eventually(lambda: role.step() or client.zcard("waits:kinds"))
    assert client.zscore("waits:kinds", "ok") < ALWAYS_MS / 2


def test_an_event_that_comes_right_after_the_start_is_never_lost(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    for n in range(30):
        id = start_workflow(store, f"A -> {BY_ID}", {"id": n}).id
        append(client, kind="ok", id=n)
        append(client, kind="end-task", workflow=id, name="A", index=1, output={"id": n})
    settle(client, role, lifecycle)
    assert client.hvals("waits:counts:ok") in ([], ["0"])
    assert client.zcard("workflows:state:FINISHED") == 30


def outputs_of_loop(client: redis.Redis) -> list[Any]:
    return [event["output"] for event in events_of(client, "end-task") if event["name"] == "wait:event"]


LOOP = f"A -> {ANY} -> :start"


@pytest.mark.parametrize("count", [3, 300])
def test_a_loop_takes_the_events_of_one_millisecond_in_their_order(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make, count: int
) -> None:
    hold_events(client)
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, LOOP).id
    event = {"kind": '"ok"', "apiVersion": '"v1"', "at": '"2026-01-31T12:00:00.000Z"'}
    for number in range(count):
        client.xadd("workflows:run", {**event, "output": str([number])}, id=f"{ALWAYS_MS}-{number}")
    settle(client, role, lifecycle)
    turns = min(count, 25)
    for _ in range(turns):
        append(client, kind="end-task", workflow=id, name="A", index=1)
        settle(client, role, lifecycle)
    assert outputs_of_loop(client) == [[number] for number in range(turns)]


def test_an_event_does_not_overtake_one_that_another_role_has_read(
    client: redis.Redis, store: Store, stepper: Make
) -> None:
    hold_events(client)
    slow, quick, lifecycle = (
        stepper(WaitTasks(store)),
        stepper(WaitTasks(store)),
        stepper(Lifecycle(store)),
    )
    id = start_workflow(store, LOOP).id
    settle(client, slow, quick, lifecycle)
    append(client, kind="ok", output=[1])

    def be_quick() -> None:
        append(client, kind="ok", output=[2])
        append(client, kind="end-task", workflow=id, name="A", index=1)
        lifecycle.step()
        for _ in range(2):
            quick.step()
        assert outputs_of_loop(client) == []
        assert len(quick.consumer.claimed_ids()) == 2

    with overtaken(slow.connection, be_quick, writing="ZADD waits:kept:ok"):
        slow.step()
    settle(client, slow, quick, lifecycle)
    assert outputs_of_loop(client) == [[1]]
    append(client, kind="end-task", workflow=id, name="A", index=1)
    settle(client, slow, quick, lifecycle)
    assert outputs_of_loop(client) == [[1], [2]]
    assert quick.consumer.claimed_ids() == []


def test_an_event_that_a_waiting_step_asks_for_does_not_overtake_an_older_one(
    client: redis.Redis, store: Store, stepper: Make
) -> None:
    slow, quick = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, ANY)
    settle(client, slow, quick)
    append(client, kind="ok", output=[1])

    def be_quick() -> None:
        append(client, kind="ok", output=[2])
        append(client, kind="other", output=[3])
        quick.step()
        assert len(quick.consumer.claimed_ids()) == 1

    with overtaken(slow.connection, be_quick, writing="ZADD waits:kept:ok"):
        slow.step()
    settle(client, slow, quick)
    assert outputs_of_loop(client) == [[1]]


def test_what_a_role_holds_back_goes_on_when_the_role_of_the_older_event_has_died(
    client: redis.Redis, store: Store, stepper: Make
) -> None:
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, ANY)
    settle(client, role)
    append(client, kind="ok", output=[1])
    with killed(dying.connection, writing="ZADD waits:kept:ok"):
        dying.step()
    append(client, kind="ok", output=[2])
    role.consumer._reclaim_at = float("inf")
    role.step()
    assert outputs_of_loop(client) == []
    role.consumer._reclaim_at = 0.0
    settle(client, role)
    assert outputs_of_loop(client) == [[1]]


def test_a_role_that_stops_lets_others_take_at_once_what_it_holds_back(
    client: redis.Redis, settings: Settings, stepper: Make
) -> None:
    store = open_store(replace(settings, lease_seconds=3600))
    dying, stopping, role = (stepper(WaitTasks(store)) for _ in range(3))
    for n in range(2):
        append(client, kind="ok", output=[n])
        if n == 0:
            with killed(dying.connection, writing="ZADD waits:kept:ok"):
                dying.step()
    stopping.step()
    (id,) = stopping.consumer.claimed_ids()
    stopping.consumer.leave(stopping.connection)
    role.step()
    assert role.consumer.claimed_ids() == [id]


def test_a_role_that_holds_many_events_back_still_reclaims(
    client: redis.Redis, settings: Settings, stepper: Make
) -> None:
    store = open_store(replace(settings, lease_seconds=0.1, batch=2))
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, ANY)
    settle(client, role)
    append(client, kind="ok", output=[0])
    with killed(dying.connection, writing="ZADD waits:kept:ok"):
        dying.step()
    for n in range(1, 7):
        append(client, kind="ok", output=[n])
    settle(client, role)
    assert outputs_of_loop(client) == [[0]]


def test_an_event_that_was_delivered_again_and_again_holds_nothing_back(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    start_workflow(store, ANY)
    settle(client, role)
    id = append(client, kind="ok", output=[1])
    client.xreadgroup("wait", "broken", {"workflows:run": ">"})
    append(client, kind="ok", output=[2])
    client.xclaim("workflows:run", "wait", "broken", 0, [id], retrycount=9)
    role.consumer._reclaim_at = float("inf")
    role.step()
    assert outputs_of_loop(client) == [[2]]


def test_buffered_events_are_found_by_fields_that_no_wait_asked_for_before(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    hold_events(client)
    lifecycle = stepper(Lifecycle(store))
    ids = [start_workflow(store, f"A -> {BY_ID}", {"id": n}).id for n in range(5)]
    for n in range(5):
        append(client, kind="ok", id=n, output={"n": n})
    settle(client, role, lifecycle)
    assert client.keys("waits:free:*") == []
    for n, id in enumerate(ids):
        append(client, kind="end-task", workflow=id, name="A", index=1, output={"id": n})
    settle(client, role, lifecycle)
    outputs = [event["output"] for event in events_of(client, "end-task") if event["name"] != "A"]
    assert outputs == [{"id": n, "n": n} for n in range(5)]


def test_after_the_timeout_it_fails_or_goes_on(client: redis.Redis, store: Store, role: Stepper) -> None:
    start_workflow(store, "wait:event (- {event: ok, timeout: 10ms} -)", {"a": 1})
    start_workflow(store, "wait:event (- {event: ok, timeout: 10ms, on_timeout: continue} -)", {"a": 2})
    eventually(lambda: role.step() or len(ended_workflows(client)) == 2)
    fails, goes_on = sorted(events_of(client, "end-task"), key=lambda event: event["status"])
    assert (fails["status"], fails["reason"]) == (
        "FAILURE",
        "wait:event: no event ok has come within 0.01 s",
    )
    assert (goes_on["status"], goes_on["output"]) == ("SUCCESS", {"a": 2})
    append(client, kind="ok")
    settle(client, role)
    assert len(ended_workflows(client)) == 2
    assert wait_keys(client) == set()
    assert client.hvals("waits:counts:ok") == ["0"]


def test_an_event_in_time_leaves_no_timer(client: redis.Redis, store: Store, role: Stepper) -> None:
    start_workflow(store, "wait:event (- {event: ok, timeout: 1h} -)")
    role.step()
    assert client.zcard("waits:timers") == 1
    append(client, kind="ok")
    settle(client, role)
    assert len(ended_workflows(client)) == 1
    assert wait_keys(client) == set()


def test_a_terminated_workflow_waits_for_nothing(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    waiting = start_workflow(store, "{ " + ANY + " wait:delay (- duration: 1h -) }").id
    settle(client, role, lifecycle)
    assert len(wait_keys(client)) == 6
    terminate_workflow(store, waiting)
    settle(client, role, lifecycle)
    marks = {key for key in wait_keys(client) if "cancelled" in str(client.get(key))}
    assert wait_keys(client) == marks
    assert all(client.pttl(key) > 0 for key in marks)
    append(client, kind="ok")
    settle(client, role, lifecycle)
    assert ended_workflows(client) == []


def test_a_cancellation_that_is_appended_twice_ends_a_wait_once(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    cancelled, other = (start_workflow(store, ANY).id for _ in range(2))
    settle(client, role)
    attempt = {"workflow": cancelled, "index": 1, "attempt": 1, "run": client.hget(cancelled, "run")}
    for _ in range(2):
        append(client, kind="cancel-task", base="wait:event", **attempt)
    settle(client, role)
    assert client.hvals("waits:counts:ok") == ["1"]
    append(client, kind="ok")
    settle(client, role)
    assert ended_workflows(client) == [other]


def test_a_wait_that_is_read_after_its_cancellation_is_not_started(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    lifecycle, other = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    id = start_workflow(store, ANY).id
    with killed(other.connection, writing="ZADD waits:kind:ok"):
        other.step()
    terminate_workflow(store, id)
    settle(client, role, lifecycle)
    assert ["cancelled" in str(client.get(key)) for key in wait_keys(client)] == [True]


def test_a_workflow_that_is_deleted_and_started_again_under_its_id_waits_again(
    client: redis.Redis, store: Store, role: Stepper, stepper: Make
) -> None:
    hold_events(client)
    lifecycle = stepper(Lifecycle(store))
    for _ in range(2):
        id = start_workflow(store, ANY, {}, "again").id
        settle(client, role, lifecycle)
        terminate_workflow(store, id)
        settle(client, role, lifecycle)
        delete_workflow(store, id)
    start_workflow(store, ANY, {}, "again")
    append(client, kind="ok")
    settle(client, role, lifecycle)
    assert ended_workflows(client) == ["workflow:again"]


KILLS = list(itertools.product((0, 1, 11, 12, 13, 14, 15), (False, True)))


@pytest.mark.parametrize(("at", "after"), KILLS)
def test_a_role_that_dies_anywhere_loses_nothing_and_doubles_nothing(
    client: redis.Redis,
    store: Store,
    stepper: Make,
    at: int,
    after: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lfr.store.waits.match.SINGLE_PAGE_SIZE", 3)
    monkeypatch.setattr("lfr.store.waits.match.BATCH_PAGE_SIZE", 3)
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    ids = [start_workflow(store, ANY).id for _ in range(10)]
    ids += [start_workflow(store, BY_ID, {"id": 5}).id for _ in range(2)]
    append(client, kind="ok", id=5)
    with killed(dying.connection, writing="", at=at, after=after):
        dying.step()
    settle(client, role)
    assert sorted(ended_workflows(client)) == sorted(ids)
    assert wait_keys(client) == set()
    assert [receipt["for"] for receipt in events_of(client, "receipt")].count(event_id(client, "ok")) == 1


def event_id(client: redis.Redis, kind: str) -> str:
    """Return the id of the only event of this kind."""
    (id,) = (id for id, fields in client.xrange("workflows:run") if fields["kind"] == f'"{kind}"')
    return str(id)


def test_a_wait_that_a_dead_role_had_read_still_takes_an_event_that_another_wait_has_used(
    client: redis.Redis, store: Store, stepper: Make
) -> None:
    dying, role = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, ANY)
    with killed(dying.connection, writing="ZADD waits:kind:ok"):
        dying.step()
    start_workflow(store, ANY)
    append(client, kind="ok")
    role.consumer._reclaim_at = float("inf")
    role.step()
    assert len(ended_workflows(client)) == 1
    role.consumer._reclaim_at = 0.0
    settle(client, role)
    assert len(ended_workflows(client)) == 2


@pytest.mark.parametrize("slower", ["wait", "event"])
def test_a_wait_and_its_event_that_two_roles_process_at_once_find_each_other(
    client: redis.Redis, store: Store, stepper: Make, slower: str
) -> None:
    one, two, lifecycle = stepper(WaitTasks(store)), stepper(WaitTasks(store)), stepper(Lifecycle(store))
    start_workflow(store, BY_ID, {"id": 0})  # so that the field set is known
    id = start_workflow(store, f"A -> {BY_ID}", {"id": 7}).id
    settle(client, one)

    def wait() -> None:
        append(client, kind="end-task", workflow=id, name="A", index=1, output={"id": 7})
        eventually(lambda: lifecycle.step() or len(events_of(client, "start-task")) == 3)

    def event() -> None:
        append(client, kind="ok", id=7)

    first, second = (wait, event) if slower == "wait" else (event, wait)
    first()
    writing = "ZADD waits:kind:ok" if slower == "wait" else "ZADD waits:kept:ok"
    with overtaken(one.connection, lambda: (second(), two.step()), writing=writing):
        one.step()
    settle(client, one, two)
    assert ended_workflows(client) == [id, id]


def test_a_wait_that_starts_while_a_later_event_is_delivered_gets_it(
    client: redis.Redis, settings: Settings, stepper: Make
) -> None:
    """The order holds neither of them back, as the wait is the first, though it is processed last."""
    store = open_store(replace(settings, lease_seconds=60))
    one, two = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, BY_ID, {"id": 0})  # so that the field set is known
    settle(client, one)
    id = start_workflow(store, BY_ID, {"id": 7}).id
    ((_, entries),) = client.xreadgroup("wait", "dead", {"workflows:run": ">"})
    client.xclaim("workflows:run", "wait", "dead", 0, [id for id, _ in entries], idle=100_000)
    append(client, kind="ok", id=7)

    def take_over() -> None:
        two.consumer._reclaim_at = 0.0
        eventually(lambda: two.step() or client.keys(f"{id}:wait:*"))

    one.consumer._reclaim_at = float("inf")
    with overtaken(one.connection, take_over, writing="ZADD waits:kept:ok"):
        one.step()
    settle(client, one, two)
    assert ended_workflows(client) == [id]
    store.pool.disconnect()


def test_a_wait_that_another_role_has_ended_at_once_is_not_stored(
    client: redis.Redis, store: Store, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other role has reclaimed the start-task. It ends between two reads of the first, whose later read
    no longer finds the event."""
    one, two, lifecycle = stepper(WaitTasks(store)), stepper(WaitTasks(store)), stepper(Lifecycle(store))
    start_workflow(store, BY_ID, {"id": 0})  # so that the field set is known
    settle(client, one)
    waits = wait_keys(client)
    id = start_workflow(store, f"A -> {BY_ID}", {"id": 7}).id
    append(client, kind="ok", id=7)
    settle(client, one)
    append(client, kind="end-task", workflow=id, name="A", index=1, output={"id": 7})
    eventually(lambda: lifecycle.step() or len(events_of(client, "start-task")) == 3)
    overtakes: list[Connection] = []

    def watch_field_sets(connection: Connection, kinds: Iterable[str]) -> Any:
        if connection is one.connection and not overtakes:
            overtakes.append(connection)
            two.consumer._reclaim_at = 0.0
            eventually(lambda: two.step() or ended_workflows(client) == [id, id])
        return event_buffer.watch_field_sets(connection, kinds)

    monkeypatch.setattr("lfr.store.waits.match.watch_field_sets", watch_field_sets)
    one.consumer._reclaim_at = float("inf")
    one.step()
    settle(client, one, two)
    assert overtakes and ended_workflows(client) == [id, id]
    assert wait_keys(client) == waits


def test_the_timeout_and_the_event_end_a_wait_once(client: redis.Redis, store: Store, stepper: Make) -> None:
    one, two = stepper(WaitTasks(store)), stepper(WaitTasks(store))
    start_workflow(store, "wait:event (- {event: ok, timeout: 1h} -)")
    one.step()
    append(client, kind="ok")

    def time_is_over() -> None:
        (name,) = client.zrange("waits:timers", 0, 0)
        client.zadd("waits:timers", {name: 1})
        two.step()

    with overtaken(one.connection, time_is_over, writing="ZADD waits:kept:ok"):
        one.step()
    settle(client, one, two)
    assert [event["status"] for event in events_of(client, "end-task")] == ["FAILURE"]
    assert wait_keys(client) == set()


@pytest.fixture
def two_roles(store: Store, stepper: Make) -> Iterator[tuple[Stepper, Stepper]]:
    yield stepper(WaitTasks(store)), stepper(WaitTasks(store))


def test_two_roles_that_take_over_from_each_other_all_the_time(
    client: redis.Redis, store: Store, two_roles: tuple[Stepper, Stepper]
) -> None:
    """With a lease that ends at once each reads what the other is about to process."""
    ids = []
    for n in range(60):
        ids.append(start_workflow(store, BY_ID, {"id": n % 6}).id)
        for role in two_roles:
            role.consumer._reclaim_at = 0.0
            role.step()
        if n % 10 == 9:
            for m in range(6):
                append(client, kind="ok", id=m)
    settle(client, *two_roles)
    assert sorted(ended_workflows(client)) == sorted(ids)


def test_field_sets_that_no_wait_asks_for_are_removed(
    client: redis.Redis, store: Store, role: Stepper
) -> None:
    for n in range(20):
        start_workflow(store, "wait:event (- {event: ok, match: input} -)", {f"f{n}": 1})
    start_workflow(store, "wait:event (- {event: ok, match: input} -)", {"never": 1})
    settle(client, role)
    assert client.hlen("waits:fields:ok") == 21
    append(client, kind="ok", **{f"f{n}": 1 for n in range(20)})
    settle(client, role)
    assert len(ended_workflows(client)) == 20
    client.zadd("waits:kinds", {"ok": 1})
    role.consumer._tidy_at = 0.0  # type: ignore[attr-defined]  # of this role
    role.step()
    assert client.hkeys("waits:fields:ok") == client.hkeys("waits:counts:ok") == ['["never"]']
    assert float(client.zscore("waits:kinds", "ok") or 0) > 1
    late = start_workflow(store, "wait:event (- {event: ok, match: input} -)", {"f3": 1}).id
    append(client, kind="ok", f3=1)
    settle(client, role)
    assert ended_workflows(client)[-1] == late
    append(client, kind="ok", never=1)
    settle(client, role)
    client.zadd("waits:kinds", {"ok": 1})
    role.consumer._tidy_at = 0.0  # type: ignore[attr-defined]  # of this role
    role.step()
    assert client.keys("waits:fields:*") + client.keys("waits:counts:*") + client.keys("waits:kinds") == []


def test_an_event_without_a_wait_is_buffered_for_a_while_and_no_longer(
    client: redis.Redis, settings: Settings, stepper: Make
) -> None:
    store = open_store(replace(settings, events_retain_seconds=0.0))
    role = stepper(WaitTasks(store))
    append(client, kind="ok")
    settle(client, role)
    assert all(0 < client.pttl(key) <= 1000 for key in client.keys("waits:*"))


def test_inspect_tells_what_a_step_waits_for(client: redis.Redis, store: Store, role: Stepper) -> None:
    flow = BY_ID.replace("}} -)", "}, timeout: 1h} -)")
    id = start_workflow(store, f"{{ {flow} wait:delay (- until: 2100-01-01 -) A }}", {"id": 5}).id
    settle(client, role)
    event, delay, other = inspect_workflow(store, id)["steps"][2:5]
    assert (event["waits_for"]["event"], event["waits_for"]["match"]) == ("ok", {"id": 5})
    assert event["waits_for"]["until"] > event["started"]
    assert delay["waits_for"]["until"] == "2100-01-01T00:00:00.000+00:00"
    assert not {"event", "latch"} & other["waits_for"].keys()  # but for a worker
