"""Pauses: what runs ends, nothing new starts; a resume starts exactly what was held back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
import redis

from lfr.errors import BadInput, Conflict
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import (
    delete_workflow,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.pause import (
    MAX_NAMED,
    MAX_PAUSES,
    list_pauses,
    pause,
    pause_workflow,
    resume,
    resume_workflow,
)
from lfr.operations.start import start_workflow
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.step_options import is_for_lifecycles
from lfr.store import keys
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, events_of, hold_events
from tests.integration.test_flows_at_random import INPUTS, Worker, random_text, run_here
from tests.support.interference import killed, overtaken

Make = Callable[[Consumer], Stepper]


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.roles.lifecycle._TIMER_CHECK_SECONDS", 0)


def run(*steppers: Stepper) -> None:
    for each in steppers * 8:
        each.step()


def started(client: redis.Redis) -> list[tuple[str, int]]:
    """Return name and attempt of each task that has started, in its order, without iterated steps."""
    tasks = events_of(client, "start-task")
    return [(task["name"], task["attempt"]) for task in tasks if not is_for_lifecycles(task["base"])]


def state(store: Store, id: str) -> str:
    return str(inspect_workflow(store, id)["state"])


def test_a_paused_workflow_ends_what_runs_and_starts_nothing(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    id = start_workflow(store, "{ a -> b; c -> d } -> e").id
    other = start_workflow(store, "f -> g").id
    pause_workflow(store, id)
    for workflow, name, index in ((id, "a", 2), (id, "c", 4), (other, "f", 1)):
        complete_task(store, workflow, name, index, output=name)
    run(lifecycle)
    assert started(client) == [("a", 1), ("c", 1), ("f", 1), ("g", 1)]
    assert state(store, id) == "RUNNING"
    resume_workflow(store, id)
    run(lifecycle)
    assert sorted(started(client)[4:]) == [("b", 1), ("d", 1)]
    assert {task["input"] for task in events_of(client, "start-task") if task["name"] in "bd"} == {"a", "c"}
    for name, index in (("b", 3), ("d", 5)):
        complete_task(store, id, name, index)
    run(lifecycle)
    assert started(client)[-1] == ("e", 1)
    complete_task(store, id, "e", 7)
    run(lifecycle)
    assert state(store, id) == "FINISHED"
    events = [fact["event"] for fact in inspect_workflow(store, id, history=True)["history"]]
    assert (events.count("paused"), events.count("resumed")) == (1, 1)
    assert not client.exists(keys.PAUSES, keys.HELD_STARTS, keys.DELAYED_STARTS)


@pytest.mark.parametrize("scope", [("all", ""), ("flow", "f"), ("task", "b"), ("task", "img:*")])
def test_what_starts_meanwhile_is_held(
    store: Store, client: redis.Redis, stepper: Make, scope: tuple[str, str]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    pause(store, *scope)
    id = start_workflow(store, "@task b = img:b; @flow f; b").id
    start_workflow(store, "@flow g; c")
    run(lifecycle)
    assert started(client) == ([] if scope[0] == "all" else [("c", 1)])
    (step,) = [step for step in inspect_workflow(store, id)["steps"] if step["name"] == "b"]
    assert step["state"] == "PENDING" and step["waits_for"]["pause"]["scope"] == scope[0]
    assert resume(store, *scope)["scope"] == scope[0]
    run(lifecycle)
    assert sorted(started(client)) == [("b", 1), ("c", 1)]


def test_two_pauses_hold_until_both_have_ended(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    id = start_workflow(store, "@flow f; a -> b").id
    pause_workflow(store, id)
    pause(store, "all")
    complete_task(store, id, "a", 1)
    run(lifecycle)
    assert [each["scope"] for each in list_pauses(store)] == ["all", "workflow"]
    resume(store, "all")
    run(lifecycle)
    assert started(client) == [("a", 1)]
    resume_workflow(store, id)
    run(lifecycle)
    assert started(client) == [("a", 1), ("b", 1)]


def test_items_are_held_with_their_parent(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    id = start_workflow(store, "@flow f; * { a -> b }", [1, 2]).id
    run(lifecycle)
    pause(store, "flow", "f")
    complete_task(store, f"{id}/1.0", "a", 2)
    run(lifecycle)
    pause_workflow(store, id)
    resume(store, "flow", "f")
    complete_task(store, f"{id}/1.1", "a", 2)
    run(lifecycle)
    assert started(client) == [("a", 1)] * 2
    with pytest.raises(Conflict, match="is resumed with it"):
        resume_workflow(store, f"{id}/1.0")
    resume_workflow(store, id)
    run(lifecycle)
    assert started(client) == [("a", 1)] * 2 + [("b", 1)] * 2


def test_a_retry_is_held(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    id = start_workflow(store, "a (- lfr: {retry: {times: 3, delay: 0.001}} -)").id
    pause(store, "task", "a")
    complete_task(store, id, "a", 1, status="FAILURE")
    run(lifecycle, lifecycle)
    assert started(client) == [("a", 1)]
    retry_task(store, id, 1)  # by hand, in place of the one that is held
    run(lifecycle)
    assert client.zcard(keys.HELD_STARTS) == 1
    resume(store, "task", "a")
    run(lifecycle)
    assert started(client) == [("a", 1), ("a", 3)]
    complete_task(store, id, "a", 1)
    run(lifecycle)
    assert state(store, id) == "FINISHED"


def test_a_resume_leaves_the_starts_that_only_the_clock_delays(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    id = start_workflow(store, "a (- lfr: {retry: {times: 1, delay: 3600}} -)").id
    complete_task(store, id, "a", 1, status="FAILURE")
    run(lifecycle)
    ((member, due_ms),) = client.zrange(keys.DELAYED_STARTS, 0, -1, withscores=True)
    pause(store, "task", "b")
    start_workflow(store, "b")
    resume(store, "task", "b")
    run(lifecycle)
    assert started(client) == [("a", 1), ("b", 1)]
    assert client.zrange(keys.DELAYED_STARTS, 0, -1, withscores=True) == [(member, due_ms)]
    client.zadd(keys.DELAYED_STARTS, {member: 1})
    run(lifecycle)
    assert started(client) == [("a", 1), ("b", 1), ("a", 2)]


def test_what_is_held_is_skipped_ended_or_terminated_for_good(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    pause(store, "task", "a")
    skipped, ended, terminated = (start_workflow(store, "a -> b").id for _ in range(3))
    skip_task(store, skipped, 1)
    complete_task(store, ended, "a", 1)
    terminate_workflow(store, terminated)
    run(lifecycle)
    assert started(client) == [("b", 1)] * 2
    assert not client.exists(keys.HELD_STARTS) and not client.keys("*:start:*")
    restart_workflow(store, terminated)
    run(lifecycle)
    assert started(client) == [("b", 1)] * 2
    resume(store, "task", "a")
    run(lifecycle)
    assert started(client) == [("b", 1)] * 2 + [("a", 2)]


def test_a_pause_survives_restart_and_archive(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    id = start_workflow(store, "a -> b").id
    pause_workflow(store, id)
    complete_task(store, id, "a", 1)
    run(lifecycle)
    terminate_workflow(store, id)
    copy = restore_workflow(store, archive_workflow(store, id), "copy")
    for each in (id, copy):
        assert inspect_workflow(store, each)["paused"]["scope"] == "workflow"
        restart_workflow(store, each)
    run(lifecycle)
    assert started(client) == [("a", 1)]
    resume_workflow(store, copy)
    terminate_workflow(store, id)
    delete_workflow(store, id)
    start_workflow(store, "c", workflow_id=id)  # another one with its id is not paused
    run(lifecycle)
    assert started(client) == [("a", 1), ("c", 1), ("b", 2)]
    assert list_pauses(store) == []


def test_a_pause_comes_between_decision_and_transaction(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    id = start_workflow(store, "a -> b").id
    complete_task(store, id, "a", 1)
    with overtaken(lifecycle.connection, lambda: pause(store, "all"), writing=f"RPUSH {id}:facts"):
        run(lifecycle)
    assert started(client) == [("a", 1)]
    resume(store, "all")
    run(lifecycle)
    assert started(client) == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("after", [False, True])
def test_a_lifecycle_dies_as_it_starts_what_was_held(
    store: Store, client: redis.Redis, stepper: Make, after: bool
) -> None:
    dying, other = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    hold_events(client)
    pause(store, "all")
    ids = [start_workflow(store, "a").id for _ in range(3)]
    resume(store, "all")
    with killed(dying.connection, writing="ZREM waits:delayed", after=after):
        run(dying)
    run(other)
    assert Counter(task["workflow"] for task in events_of(client, "start-task")) == Counter(ids)


def test_a_task_that_was_held_and_is_ended_by_hand_does_not_start(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    slow, other = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    hold_events(client)
    pause(store, "all")
    id = start_workflow(store, "a -> b").id
    resume(store, "all")

    def end() -> None:
        complete_task(store, id, "a", 1)
        run(other)

    with overtaken(slow.connection, end, writing="ZREM waits:delayed"):
        run(slow)
    assert started(client) == [("b", 1)]
    assert not client.exists(keys.HELD_STARTS, keys.DELAYED_STARTS, keys.delayed_start(id, 1, 1, ""))


def test_a_clock_that_goes_back_delays_no_resume(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    pause(store, "all")
    start_workflow(store, "a")
    for member, score in client.zrange(keys.HELD_STARTS, 0, -1, withscores=True):
        client.zadd(keys.HELD_STARTS, {member: score + 600_000})
    resume(store, "all")
    run(lifecycle)
    assert started(client) == [("a", 1)]


def test_what_cannot_be_paused_or_resumed(store: Store) -> None:
    id = start_workflow(store, "a").id
    with pytest.raises(Conflict, match="is not paused"):
        resume_workflow(store, id)
    pause_workflow(store, id)
    with pytest.raises(Conflict, match="paused already"):
        pause_workflow(store, id)
    terminate_workflow(store, id)
    resume_workflow(store, id)
    with pytest.raises(Conflict, match="TERMINATED and cannot be paused"):
        pause_workflow(store, id)
    pause(store, "flow", "f")
    with pytest.raises(Conflict, match="the flow f is paused already"):
        pause(store, "flow", "f")
    for arguments in (("flow",), ("all", "x"), ("step", "x"), ("task", "x" * 1001)):
        with pytest.raises(BadInput):
            pause(store, *arguments)
    with pytest.raises(Conflict, match="everything is not paused"):
        resume(store, "all")


def test_random_flows_have_the_same_result_with_pauses(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycles = [stepper(Lifecycle(store)) for _ in range(2)]
    hold_events(client)
    random = Random(7)
    worker = Worker(client, random)
    for number in range(30):
        text, input = random_text(Random(number)), random.choice(INPUTS)
        expected, output, trace, _ = run_here(text, input)
        if expected != "FINISHED":
            continue
        toggle(store, random, "")
        id = start_workflow(store, text, input).id
        for _ in range(2000):
            before, paused = len(started(client)), toggle(store, random, id)
            random.choice(lifecycles).step()
            if paused & {"all", "workflow"}:
                assert len(started(client)) == before, number
            worker.answer_all()
            if client.hget(id, "state") != "RUNNING":
                break
        workflow = inspect_workflow(store, id)
        assert (workflow["state"], workflow["output"]) == (expected, output), (number, text)
        assert sorted(worker.traces[id]) == trace, (number, text)
    assert not client.exists(keys.HELD_STARTS) or list_pauses(store)


def toggle(store: Store, random: Random, id: str) -> set[str]:
    """Perhaps pause or resume something; return the scopes of what is paused then."""
    paused = {(each["scope"], each["name"] or "") for each in list_pauses(store)}
    scope, name = random.choice([("all", ""), ("task", "echo"), ("task", "emit"), ("workflow", id)])
    is_paused = (scope, name) in paused
    if is_paused or (random.randrange(4) == 0 and (id or scope != "workflow")):
        if scope == "workflow":
            (resume_workflow if is_paused else pause_workflow)(store, id)
        else:
            (resume if is_paused else pause)(store, scope, name)
        paused ^= {(scope, name)}
    return {scope for scope, _ in paused}


HOUR = 3_600_000

DEADLINES = """@flow f (- lfr: {timeout: 1h} -);
{ a (- lfr: {timeout: 1h} -);
  wait:event (- {event: paid, timeout: 3600} -);
  wait:delay (- duration: 3600 -) }"""


def due_times(client: redis.Redis) -> dict[str, float]:
    """Return when the deadlines and timers of the only workflow are due, by the end of their key."""
    times: dict[str, float] = {}
    for key in (keys.DEADLINES, keys.TIMERS, keys.WORKFLOW_DEADLINES):
        for member, score in client.zrange(key, 0, -1, withscores=True):
            times[f"{key} {member.split(' ')[1] if ' ' in member else ''}"] = score
    return times


def age(client: redis.Redis, milliseconds: int) -> None:
    """Let a pause, deadlines and timers be so much older."""
    for field, value in client.hgetall(keys.PAUSES).items():
        mark = json.loads(value)
        client.hset(keys.PAUSES, field, json.dumps({**mark, "since": mark["since"] - milliseconds}))
    client.set(keys.CLAIMS_VERSION, "another")
    for key in (keys.DEADLINES, keys.TIMERS, keys.WORKFLOW_DEADLINES):
        for member in client.zrange(key, 0, -1):
            client.zincrby(key, -milliseconds, member)


@pytest.mark.parametrize("scope", ["workflow", "flow", "all"])
def test_deadlines_stand_still(store: Store, client: redis.Redis, stepper: Make, scope: str) -> None:
    lifecycle, wait = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    hold_events(client)
    id = start_workflow(store, DEADLINES).id
    run(lifecycle, wait)
    client.hset(id, "started", 1)
    before = due_times(client)
    assert len(before) == 4
    if scope == "workflow":
        pause_workflow(store, id, deadlines="stop")
    else:
        pause(store, scope, "f" if scope == "flow" else "", deadlines="stop")
    age(client, 2 * HOUR)  # all of them are due, since an hour
    run(lifecycle, wait)
    assert {key.rpartition(" ")[0] for key in due_times(client)} == set()
    assert state(store, id) == "RUNNING"
    done = [step["name"] for step in inspect_workflow(store, id)["steps"] if step["state"] == "DONE"]
    assert "wait:delay" in done and "a" not in done
    if scope == "workflow":
        resume_workflow(store, id)
    else:
        resume(store, scope, "f" if scope == "flow" else "")
    after = due_times(client)
    assert len(after) == 3
    assert all(0 <= after[key] - before[key] < HOUR / 2 for key in after)  # the time since the pause
    run(lifecycle, wait)
    assert state(store, id) == "RUNNING"
    age(client, 2 * HOUR)
    run(lifecycle, wait)
    assert state(store, id) == "FAILED"


def test_deadlines_go_on_unless_they_are_to_stop(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle, wait = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    id = start_workflow(store, DEADLINES).id
    run(lifecycle, wait)
    pause(store, "all")
    age(client, 2 * HOUR)
    run(lifecycle, wait)
    assert state(store, id) == "FAILED"
    with pytest.raises(BadInput, match="cannot stand still for a task"):
        pause(store, "task", "a", deadlines="stop")


def test_deadlines_of_two_pauses_stand_still_once(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a (- lfr: {timeout: 1h} -)").id
    run(lifecycle)
    pause(store, "all", deadlines="stop")
    age(client, 2 * HOUR)
    pause_workflow(store, id, deadlines="stop")
    before = client.zrange(keys.DEADLINES, 0, -1, withscores=True)[0][1]
    resume(store, "all")
    between = client.zrange(keys.DEADLINES, 0, -1, withscores=True)[0][1]
    assert 2 * HOUR <= between - before < 2.5 * HOUR
    resume_workflow(store, id)
    after = client.zrange(keys.DEADLINES, 0, -1, withscores=True)[0][1]
    assert 0 <= after - between < HOUR / 2


@pytest.mark.parametrize("name", ["outer", "inner"])
def test_a_called_flow_is_held_with_its_caller_and_by_its_own_name(
    store: Store, client: redis.Redis, stepper: Make, name: str
) -> None:
    lifecycle = stepper(Lifecycle(store))
    hold_events(client)
    apply_flows(store, [FlowSource("@flow inner; a -> b")])
    id = start_workflow(store, "@flow outer; flow:inner").id
    run(lifecycle)
    pause(store, "flow", name)
    complete_task(store, f"{id}/1.0", "a", 1)
    start_workflow(store, "@flow outer; flow:inner")
    run(lifecycle)
    assert started(client) == [("a", 1)]
    resume(store, "flow", name)
    run(lifecycle)
    assert sorted(started(client)) == [("a", 1), ("a", 1), ("b", 1)]
    with pytest.raises(BadInput, match="a call starts"):
        pause(store, "task", "flow:inner")


def test_pauses_are_bounded(store: Store, client: redis.Redis) -> None:
    for number in range(MAX_NAMED):
        client.hset(keys.PAUSES, f"task t{number}", '{"since":1}')
    for scope in ("flow", "task"):
        with pytest.raises(Conflict, match="there are 500 pauses of flows and tasks already"):
            pause(store, scope, "one-more")
    start_workflow(store, "a", workflow_id="w")
    pause_workflow(store, "w")
    pause(store, "all")
    resume(store, "task", "t0")
    pause(store, "task", "one-more")
    for number in range(MAX_PAUSES):
        client.hset(keys.PAUSES, f"workflow:{number}", '{"since":1}')
    start_workflow(store, "a", workflow_id="v")
    with pytest.raises(Conflict, match="there are 10,000 pauses already"):
        pause_workflow(store, "v")
