"""Schedules in Redis: taken up by `apply`, decided by lifecycles, changed by hand; each time once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import redis

from lfr.errors import BadInput, Conflict, NotFound, TooLarge, WrongType
from lfr.language import FlowError
from lfr.operations import decide_schedule, schedules
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, fail_task, terminate_workflow
from lfr.operations.schedules import (
    add_schedule,
    backfill,
    describe_schedule,
    list_schedules,
    pause_schedule,
    plan_backfill,
    remove_schedule,
    resume_schedule,
    trigger_schedule,
)
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.schedules.start_ids import start_id
from lfr.store.redis.connection import Command, Store, open_store
from tests.integration.conftest import Stepper
from tests.support.interference import killed
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

HOUR = 3_600_000
BEGIN = 1_800_000_000_000  # an hour begins then
FLOW = "@flow f (- schedule: {every: 1h} -)\nA"


def applied(store: Store, *texts: str, prune: bool = False) -> list[tuple[str, str]]:
    """Apply texts; return the names of their flows, with what becomes of their schedules."""
    sources = [FlowSource(text, f"{n}.flow") for n, text in enumerate(texts)]
    return [(change.name, change.schedule) for change in apply_flows(store, sources, prune=prune)]


def scheduled(store: Store, client: redis.Redis, spec: str = "", text: str = "A", name: str = "f") -> None:
    """Apply a flow that runs every hour, from BEGIN on."""
    applied(store, f"@flow {name} (- schedule: {{every: 1h{spec}}} -)\n{text}")
    client.hset(f"flows:schedule:{name}", "cursor", BEGIN)


def decide_until(store: Store, now: int, name: str = "f") -> None:
    """Decide a schedule as a lifecycle does at a time."""
    with store.connect() as connection:
        decide_schedule.decide_until(store, connection, name, now)


def outcomes(store: Store, name: str = "f") -> list[tuple[str, int]]:
    """Return the outcomes of a schedule, the oldest first, each with its count."""
    return [(each["outcome"], each["count"]) for each in reversed(describe_schedule(store, name)["outcomes"])]


def workflows(client: redis.Redis) -> set[str]:
    return set(client.zrange("workflows:all", 0, -1))


def hour(number: int, name: str = "f") -> str:
    """Return the id of the workflow for the hour with this number."""
    return start_id(name, BEGIN + number * HOUR)


def fail(store: Store, id: str) -> None:
    fail_task(store, id, 1, "broken")


def test_apply_makes_changes_and_removes_schedules(store: Store, client: redis.Redis) -> None:
    assert applied(store, FLOW) == [("f", "new")]
    assert applied(store, FLOW) == [("f", "")]
    (listed,) = list_schedules(store)
    assert (listed["name"], listed["flow"], listed["times"], listed["origin"]) == (
        "f",
        "f",
        "every 1h",
        "text",
    )
    assert applied(store, FLOW.replace("1h", "2h")) == [("f", "changed")]
    assert describe_schedule(store, "f")["schedule"] == {"every": "2h"}
    assert applied(store, "@flow f\nA") == [("f", "removed")]
    assert list_schedules(store) == []
    assert applied(store, FLOW) == [("f", "new")]
    assert applied(store, "@flow g\nA") == [("g", ""), ("f", "")]
    assert applied(store, "@flow g\nA", prune=True) == [("g", ""), ("f", "removed")]
    assert list_schedules(store) == []
    assert not [key for key in client.scan_iter("flows:*") if "schedule" in key or "outcomes" in key]


def test_a_dry_run_and_an_error_in_another_text_make_no_schedule(store: Store) -> None:
    apply_flows(store, [FlowSource(FLOW)], dry_run=True)
    with pytest.raises(FlowError):
        applied(store, FLOW, "@flow g (- schedule: {every: never} -)\nA")
    assert list_schedules(store) == []


def test_a_flow_that_was_stored_without_its_schedule_gets_it(store: Store, client: redis.Redis) -> None:
    applied(store, FLOW)
    client.delete("flows:schedule:f")  # an earlier version has stored the flow
    assert applied(store, FLOW) == [("f", "new")]


def test_lifecycles_start_what_is_due(store: Store, client: redis.Redis, stepper: Make) -> None:
    applied(store, "@flow f (- {schedule: {every: 1s, input: {n: 7}}, inputs: {n: {type: integer}}} -)\nA")
    lifecycles = [stepper(Lifecycle(store)) for _ in range(2)]

    def step() -> int:
        for lifecycle in lifecycles:
            lifecycle.step()
        return len(workflows(client))

    eventually(lambda: step() == 1)
    (id,) = workflows(client)
    (first, *_) = reversed(describe_schedule(store, "f")["outcomes"])
    assert (first["outcome"], first["workflow"], id) == ("started", id, start_id("f", ms_of(first["time"])))
    inspected = inspect_workflow(store, id)
    assert (inspected["input"], inspected["version"]) == ({"n": 7}, 1)
    eventually(lambda: step() == 1 and describe_schedule(store, "f")["latest"]["outcome"] == "skipped")
    complete_task(store, id, "A", 1)
    eventually(lambda: step() == 2)


def ms_of(text: str) -> int:
    from datetime import datetime

    return round(1000 * datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("overlap", "expected", "running"),
    [
        ("skip", [("started", 1), ("skipped", 2)], [1]),
        ("allow", [("started", 1), ("started", 1), ("started", 1)], [1, 2, 3]),
        ("queue", [("started", 1), ("queued", 1), ("skipped", 1)], [1]),
        ("terminate", [("started", 1), ("started", 1), ("started", 1)], [3]),
    ],
)
def test_each_overlap(
    store: Store, client: redis.Redis, overlap: str, expected: list[tuple[str, int]], running: list[int]
) -> None:
    scheduled(store, client, f", overlap: {overlap}")
    for number in (1, 2, 3):
        decide_until(store, BEGIN + number * HOUR + 5)
    assert outcomes(store) == expected
    assert describe_schedule(store, "f")["running"] == [hour(number) for number in running]
    states = {id: inspect_workflow(store, id)["state"] for id in workflows(client)}
    assert {id for id, state in states.items() if state == "RUNNING"} == set(map(hour, running))
    if overlap == "terminate":
        assert states[hour(1)] == "TERMINATED"
        (fact,) = (
            each
            for each in inspect_workflow(store, hour(1), history=True)["history"]
            if each["event"] == "terminated"
        )
        assert (fact["actor"], "makes way" in str(fact)) == ("schedule f", True)
        latest = describe_schedule(store, "f")["latest"]
        assert latest["reason"] == f"{hour(2)} made way for it"


def test_the_end_of_a_workflow_starts_what_is_queued_at_once(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    scheduled(store, client, ", overlap: queue")
    for number in (1, 2):
        decide_until(store, BEGIN + number * HOUR)
    assert client.zscore("flows:schedules:due", "f") == BEGIN + 3 * HOUR
    lifecycle = stepper(Lifecycle(store))
    complete_task(store, hour(1), "A", 1)
    eventually(lambda: lifecycle.step() or workflows(client) == {hour(1), hour(2)})
    assert describe_schedule(store, "f")["latest"]["reason"] == "it was queued"


def test_it_pauses_itself_and_says_so(
    store: Store, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    from lfr.operations.status import load_status

    scheduled(store, client, ", pause_after: 2")
    decide_until(store, BEGIN + HOUR)
    fail(store, hour(1))
    decide_until(store, BEGIN + 2 * HOUR)
    fail(store, hour(2))
    assert client.zscore("flows:schedules:due", "f") < BEGIN + 3 * HOUR  # at once, not with the next time
    decide_until(store, BEGIN + 2 * HOUR + 9)
    reason = f"2 workflows in a row have failed; the last one was {hour(2)}"
    assert describe_schedule(store, "f")["paused"] == reason
    assert outcomes(store)[-1] == ("paused", 1)
    assert f"schedule f is paused: {reason} (lfr schedule resume f)" in caplog.messages
    assert f"the schedule f is paused: {reason} (lfr schedule resume f)" in load_status(store)["problems"]
    assert client.zscore("flows:schedules:due", "f") is None
    with pytest.raises(Conflict, match="is paused already"):
        pause_schedule(store, "f")
    resume_schedule(store, "f")
    assert [kind for kind, _ in outcomes(store)][-1] == "resumed"
    assert not [problem for problem in load_status(store)["problems"] if "schedule" in problem]
    with pytest.raises(Conflict, match="is not paused"):
        resume_schedule(store, "f")


def test_what_passes_while_it_is_paused_is_listed_as_missed(store: Store, client: redis.Redis) -> None:
    applied(store, FLOW)
    pause_schedule(store, "f", "the store moves")
    decide_until(store, BEGIN)
    client.hincrby("flows:schedule:f", "cursor", -5 * HOUR)
    resume_schedule(store, "f")
    assert outcomes(store) == [("paused", 1), ("missed", 5), ("resumed", 1)]
    assert workflows(client) == set()


def lie_back(client: redis.Redis, hours: int) -> list[str]:
    """Let so many hours pass in which no lifecycle runs; return the ids for the times of them."""
    now = client.time()[0] * 1000
    client.hset("flows:schedule:f", "cursor", now - hours * HOUR)
    client.zadd("flows:schedules:due", {"f": now - hours * HOUR})
    last = now - now % HOUR
    return [start_id("f", last - number * HOUR) for number in reversed(range(hours))]


def test_what_is_due_before_a_pause_is_decided(store: Store, client: redis.Redis) -> None:
    applied(store, FLOW.replace("1h", "1h, catch_up: 150m, overlap: allow"))
    ids = lie_back(client, 5)
    pause_schedule(store, "f")
    kinds = [kind for kind, _ in outcomes(store)]
    assert kinds[0] == "missed" and kinds[-1] == "paused"
    assert workflows(client) <= set(ids[-3:]) and len(workflows(client)) in (2, 3)
    before = workflows(client)
    resume_schedule(store, "f")
    assert workflows(client) == before and outcomes(store)[-1] == ("resumed", 1)


def test_what_is_due_before_its_text_is_changed_is_decided_by_the_old_one(
    store: Store, client: redis.Redis
) -> None:
    old, new = (
        f"@flow f (- schedule: {{every: 1h, overlap: allow, catch_up: {time}}} -)\n" for time in ("1d", "2d")
    )
    applied(store, old + "A")
    ids = lie_back(client, 3)
    apply_flows(store, [FlowSource(new + "A -> B")], dry_run=True)
    assert workflows(client) == set()
    assert applied(store, new + "A -> B") == [("f", "changed")]
    assert workflows(client) == set(ids)
    assert {client.hget(id, "version") for id in ids} == {"1"}


def test_a_start_that_is_not_possible_is_listed_with_the_reason(store: Store, client: redis.Redis) -> None:
    from lfr.operations.status import load_status

    applied(store, "@flow f\nA")
    add_schedule(store, "s", {"every": "1h", "input": {"n": 1}}, "f")
    applied(store, "@flow f (- inputs: {m: {required: true}} -)\nA")
    client.hset("flows:schedule:s", "cursor", BEGIN)
    decide_until(store, BEGIN + HOUR, "s")
    applied(store, "@flow g\nA", prune=True)
    decide_until(store, BEGIN + 2 * HOUR, "s")
    newest, oldest = describe_schedule(store, "s")["outcomes"]
    assert "input.m is missing" in oldest["reason"] and newest["reason"].startswith("no flow is stored under")
    assert outcomes(store, "s") == [("refused", 1), ("refused", 1)]
    (problem,) = (problem for problem in load_status(store)["problems"] if "schedule" in problem)
    assert problem.startswith("the schedule s refused: no flow is stored under the name f")


def test_what_nobody_decided_in_time_is_caught_up_or_missed(store: Store, client: redis.Redis) -> None:
    from lfr.operations.status import load_status

    scheduled(store, client, ", catch_up: 90m, overlap: allow")
    decide_until(store, BEGIN + 5 * HOUR + 1)
    assert outcomes(store) == [("missed", 3), ("caught-up", 1), ("started", 1)]
    assert workflows(client) == {hour(4), hour(5)}
    decide_until(store, BEGIN + 9 * HOUR + HOUR // 2)
    assert outcomes(store)[3:] == [("missed", 2), ("caught-up", 1), ("caught-up", 1)]
    decide_until(store, BEGIN + 12 * HOUR - 1)
    decide_until(store, BEGIN + 20 * HOUR - 1)
    assert outcomes(store)[-2:] == [("missed", 7), ("caught-up", 1)]
    assert not [problem for problem in load_status(store)["problems"] if "schedule" in problem]


def test_a_time_that_was_decided_is_never_started_again(store: Store, client: redis.Redis) -> None:
    scheduled(store, client)
    decide_until(store, BEGIN + HOUR)
    terminate_workflow(store, hour(1))
    delete_workflow(store, hour(1))
    decide_until(store, BEGIN + HOUR + 5)
    assert workflows(client) == set()
    assert outcomes(store) == [("started", 1)]


def test_many_at_once_start_each_time_once(store: Store, client: redis.Redis) -> None:
    scheduled(store, client, ", overlap: allow, catch_up: 30d")
    stores = [open_store(replace(store.settings)) for _ in range(4)]
    barrier = threading.Barrier(len(stores))

    def decide(store: Store) -> None:
        barrier.wait()
        decide_until(store, BEGIN + 20 * HOUR)

    threads = [threading.Thread(target=decide, args=(each,)) for each in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workflows(client) == {hour(number) for number in range(1, 21)}
    listed = describe_schedule(store, "f")["outcomes"]
    assert [each["workflow"] for each in reversed(listed)] == [hour(number) for number in range(1, 21)]
    for each in stores:
        each.pool.disconnect()


@pytest.mark.parametrize("after", [False, True])
def test_a_lifecycle_dies_as_it_starts_a_workflow(store: Store, client: redis.Redis, after: bool) -> None:
    scheduled(store, client)
    with store.connect() as dying, killed(dying, writing="RPUSH flows:outcomes:f", after=after):
        decide_schedule.decide_schedule(store, dying, "f", lambda _: BEGIN + HOUR)
    assert workflows(client) == ({hour(1)} if after else set())
    if after:  # that it has started stands in the schedule, not only in the workflow
        terminate_workflow(store, hour(1))
        delete_workflow(store, hour(1))
    decide_until(store, BEGIN + HOUR)
    assert workflows(client) == (set() if after else {hour(1)})
    assert outcomes(store) == [("started", 1)]


def test_a_schedule_by_hand(store: Store, client: redis.Redis) -> None:
    applied(store, "@flow f (- inputs: {n: {type: integer}} -)\nA", FLOW.replace(" f ", " g "))
    added = add_schedule(store, "s", {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, "f")
    assert (added["flow"], added["origin"], added["timezone"]) == ("f", "hand", "Europe/Berlin")
    assert len(added["upcoming"]) == 20
    with pytest.raises(Conflict, match="there is a schedule s already"):
        add_schedule(store, "s", {"every": 60}, "f")
    with pytest.raises(BadInput, match="did you mean cron"):
        add_schedule(store, "t", {"crn": "30 2 * * *"}, "f")
    with pytest.raises(BadInput, match=r"input\.n is"):
        add_schedule(store, "t", {"every": 60, "input": {"n": "x"}}, "f")
    with pytest.raises(BadInput, match="cannot be the name"):
        add_schedule(store, "a b", {"every": 60}, "f")
    with pytest.raises(NotFound, match="no flow is stored"):
        add_schedule(store, "t", {"every": 60}, "nothing")
    with pytest.raises(NotFound, match="there is no schedule t"):
        describe_schedule(store, "t")
    with pytest.raises(Conflict, match="the schedule s was made by hand"):
        applied(store, FLOW.replace(" f ", " s "))
    with pytest.raises(Conflict, match="stands in the text of the flow g"):
        remove_schedule(store, "g")
    remove_schedule(store, "s")
    assert [each["name"] for each in list_schedules(store)] == ["g"]


def test_a_trigger_starts_a_workflow_whatever_else_is(store: Store, client: redis.Redis) -> None:
    scheduled(store, client)
    decide_until(store, BEGIN + HOUR)
    pause_schedule(store, "f")
    first, second = trigger_schedule(store, "f"), trigger_schedule(store, "f")
    assert workflows(client) == {hour(1), first, second} and first != second
    assert describe_schedule(store, "f")["running"] == [hour(1), first, second]
    assert describe_schedule(store, "f")["paused"] == "by hand"
    with pytest.raises(NotFound):
        trigger_schedule(store, "nothing")


def test_triggers_in_one_millisecond_start_a_workflow_each(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled(store, client)
    monkeypatch.setattr(schedules, "read_time_ms", lambda connection: BEGIN)
    assert len({trigger_schedule(store, "f") for _ in range(3)}) == 3


def test_a_backfill_starts_what_lies_behind_and_nothing_twice(store: Store, client: redis.Redis) -> None:
    scheduled(store, client, ", catch_up: 10s")
    decide_until(store, BEGIN + 4 * HOUR)
    assert outcomes(store) == [("missed", 3), ("started", 1)]
    plan = plan_backfill(store, "f", "2027-01-15T08:00", "2027-01-15T23:00")  # BEGIN is at 8:00
    assert plan.ids() == [hour(number) for number in range(5)]  # what is to come is left to the lifecycles
    assert [is_new for _, is_new in backfill(store, plan)] == [True] * 4 + [False]
    assert [is_new for _, is_new in backfill(store, plan)] == [False] * 5
    assert workflows(client) == {hour(number) for number in range(5)}
    with pytest.raises(BadInput, match="more than 1000"):
        plan_backfill(store, "f", "2020-01-01", "2027-01-15")
    with pytest.raises(BadInput, match="ISO 8601"):
        plan_backfill(store, "f", "yesterday", "today")


def test_a_change_lists_what_was_due_before_it(store: Store, client: redis.Redis) -> None:
    applied(store, FLOW)
    client.hincrby("flows:schedule:f", "cursor", -2 * HOUR)
    applied(store, FLOW.replace("1h", "1d"))
    assert outcomes(store) == [("missed", 2)]


def test_one_that_cannot_be_read_stops_no_other(
    store: Store, client: redis.Redis, stepper: Make, caplog: pytest.LogCaptureFixture
) -> None:
    applied(store, FLOW, FLOW.replace(" f ", " g ").replace("1h", "1s"), FLOW.replace(" f ", " h "))
    client.hset("flows:schedule:f", "spec", '{"every": "1h", "of_a_later_version": true}')
    client.hset("flows:schedule:h", "cursor", "garbage")
    for name in "fgh":
        client.zadd("flows:schedules:due", {name: 1})
    lifecycle = stepper(Lifecycle(store))
    eventually(lambda: lifecycle.step() or workflows(client))
    eventually(lambda: lifecycle.step() or client.zcount("flows:schedules:due", 0, 1) == 0)
    assert any("schedule f cannot be used" in message for message in caplog.messages)
    with pytest.raises(WrongType, match="flows:schedule:h holds no schedule"):
        list_schedules(store)
    client.delete("flows:schedule:h")
    assert [each["name"] for each in list_schedules(store)] == ["f", "g"]


def test_an_input_that_redis_does_not_take_refuses_the_start(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_size(self: object, commands: Sequence[Command]) -> None:
        if any(str(command[1]).startswith("workflow:f-") for command in commands if command[0] == "HSET"):
            raise TooLarge("a value is more than Redis takes")

    scheduled(store, client)
    monkeypatch.setattr("lfr.store.redis.connection.LEAST_LIMIT", 0)
    monkeypatch.setattr("lfr.store.redis.connection.Connection.check_size", check_size)
    decide_until(store, BEGIN + HOUR)
    assert outcomes(store) == [("refused", 1)] and workflows(client) == set()


def test_the_latest_outcomes_and_workflows_are_remembered(store: Store, client: redis.Redis) -> None:
    scheduled(store, client, ", overlap: allow")
    for number in range(1, 211):
        decide_until(store, BEGIN + number * HOUR)
    listed = describe_schedule(store, "f")
    assert [each["workflow"] for each in listed["outcomes"]] == [hour(n) for n in range(210, 10, -1)]
    assert listed["running"] == [hour(number) for number in range(111, 211)]
