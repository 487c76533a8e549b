"""Attempts: retries with back-off, timeouts, late answers, cancellation; pass by pass on a real server."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
import redis

from lfr.errors import Conflict, NotFound
from lfr.lifecycle import housekeeper
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import (
    fail_task,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store
from lfr.values.json import ABSENT
from tests.integration.conftest import Stepper, append, events_of
from tests.support.interference import overtaken
from tests.support.waiting import eventually

MakeStepper = Callable[[Lifecycle], Stepper]


@pytest.fixture
def lifecycle(store: Store, stepper: MakeStepper) -> Stepper:
    return stepper(Lifecycle(store))


def start(store: Store, options: str, text: str = "a (- lfr: {} -) -> b") -> str:
    """Start a workflow whose task `a` has these step options."""
    return start_workflow(store, text.replace("{}", options)).id


def answer(client: redis.Redis, task: dict[str, Any], **fields: Any) -> None:
    """Append the end-task event of a task."""
    attempt = {key: task[key] for key in ("workflow", "name", "index", "attempt")}
    append(client, kind="end-task", **attempt, **fields)


def attempts(client: redis.Redis, lifecycle: Stepper, count: int) -> list[dict[str, Any]]:
    """Return the start-task events, once the lifecycle has appended so many."""

    def step() -> list[dict[str, Any]]:
        lifecycle.step()
        return events_of(client, "start-task")

    eventually(lambda: len(step()) >= count)
    return step()


def cancelled(client: redis.Redis) -> list[tuple[str, int]]:
    """Return name and attempt of each cancel-task event."""
    cancels = events_of(client, "cancel-task")
    names = {"workflow", "name", "base", "index", "attempt", "run", "kind", "apiVersion", "at"}
    assert all(event.keys() == names for event in cancels)
    return [(event["name"], event["attempt"]) for event in cancels]


def history(store: Store, id: str, index: int) -> list[tuple[str, str | None]]:
    """Return the facts of a step with their reasons."""
    facts = inspect_workflow(store, id, history=True)["history"]
    return [(fact["event"], fact["reason"]) for fact in facts if fact["index"] == index]


def test_a_failed_task_is_tried_again_until_it_succeeds(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start(store, "{retry: {times: 3, delay: 10ms}}")
    for number in (1, 2):
        task = attempts(client, lifecycle, number)[-1]
        assert task["attempt"] == number and task["parameters"] == {}
        answer(client, task, status="FAILURE", reason=f"no {number}")
    answer(client, attempts(client, lifecycle, 3)[-1], output={"well": True})
    assert attempts(client, lifecycle, 4)[-1]["name"] == "b"
    assert history(store, id, 1) == [
        ("started", None),
        ("retried", "no 1"),
        ("started", None),
        ("retried", "no 2"),
        ("started", None),
        ("ended", None),
    ]
    assert client.keys("*:start:*") == [] and client.zcard("waits:delayed") == 0
    assert not any(value.count(" ") > 2 for value in client.hvals(f"{id}:steps"))


def test_when_no_retry_is_left_the_workflow_fails_and_a_restart_begins_to_count_anew(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start(store, "{retry: {times: 1, delay: 0}}")
    for number in (1, 2):
        answer(client, attempts(client, lifecycle, number)[-1], status="FAILURE", reason=f"no {number}")
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["state"] == "FAILED")
    assert inspect_workflow(store, id)["reason"] == "no 2"
    restart_workflow(store, id)
    for number in (3, 4):
        answer(client, attempts(client, lifecycle, number)[-1], status="FAILURE", reason=f"no {number}")
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["reason"] == "no 4")
    assert len(events_of(client, "start-task")) == 4


def test_only_failures_that_a_retry_is_for(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start(store, "{retry: {times: 9, delay: 0, on: [refused, timeout]}}")
    answer(client, attempts(client, lifecycle, 1)[-1], status="FAILURE", reason="connection refused")
    answer(client, attempts(client, lifecycle, 2)[-1], status="FAILURE", reason="no such file")
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["state"] == "FAILED")


def test_a_failure_that_says_so_is_not_retried(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start(store, "{retry: {times: 9, delay: 0}}")
    answer(client, attempts(client, lifecycle, 1)[-1], status="FAILURE", reason="busy", retry=True)
    answer(client, attempts(client, lifecycle, 2)[-1], status="FAILURE", reason="no such file", retry=False)
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["state"] == "FAILED")
    assert inspect_workflow(store, id)["reason"] == "no such file"


def test_a_worker_that_never_answers(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start(store, "{timeout: 30ms, retry: {times: 1, delay: 0, on: timeout}}")
    attempts(client, lifecycle, 2)
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["state"] == "FAILED")
    assert inspect_workflow(store, id)["reason"] == "timeout: it has not ended within 0.03 s"
    assert cancelled(client) == [("a", 1), ("a", 2)]
    assert client.zcard("waits:deadlines") == 0


def test_the_cancel_event_of_a_timeout_names_the_task_behind_an_alias(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    start(store, "{timeout: 30ms}", "@task x = a\nx (- lfr: {} -)")
    (cancel,) = eventually(lambda: lifecycle.step() or events_of(client, "cancel-task"))
    assert (cancel["name"], cancel["base"]) == ("x", "a")


def test_a_worker_that_answers_too_late(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start(store, "{timeout: 1h, retry: {times: 1, delay: 0}}")
    (deadline,) = client.zrange("waits:deadlines", 0, -1)
    client.zadd("waits:deadlines", {deadline: 1})  # instead of waiting for it
    late, current = attempts(client, lifecycle, 2)
    answer(client, late, output={"by": "the first"})
    answer(client, current, output={"by": "the second"})
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["steps"][1]["state"] == "DONE")
    assert inspect_workflow(store, id)["steps"][1]["output"] == {"by": "the second"}


def test_a_task_in_time_leaves_no_deadline(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    start(store, "{timeout: 1h}")
    assert client.zcard("waits:deadlines") == 1
    answer(client, attempts(client, lifecycle, 1)[-1])
    attempts(client, lifecycle, 2)
    assert client.zcard("waits:deadlines") == 0


def test_terminating_cancels_what_runs_and_forgets_what_is_to_come(
    store: Store, client: redis.Redis, stepper: MakeStepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start(store, "{timeout: 1h, retry: {times: 1, delay: 1h}}", "{ a (- lfr: {} -) b }")
    task = next(task for task in attempts(client, lifecycle, 2) if task["name"] == "a")
    answer(client, task, status="FAILURE", reason="no")
    eventually(lambda: lifecycle.step() or client.zcard("waits:delayed") == 1)
    assert client.zcard("waits:deadlines") == 0
    step = inspect_workflow(store, id)["steps"][2]
    assert (step["state"], step["reason"]) == ("RUNNING", "no")
    terminate_workflow(store, id)
    assert sorted(cancelled(client)) == [("a", 2), ("b", 1)]
    assert client.zcard("waits:delayed") == 0 and client.keys("*:start:*") == []
    restart_workflow(store, id)
    assert [task["attempt"] for task in events_of(client, "start-task")] == [1, 1, 3, 2]
    entries = client.xrange("workflows:run")
    cancels = {id for id, fields in entries if fields["kind"] == '"cancel-task"'}
    monkeypatch.setattr(housekeeper, "_EVERY_SECONDS", 0)
    lifecycle.consumer._housekeeper.release(lifecycle.connection)  # type: ignore[attr-defined]
    lifecycle = stepper(Lifecycle(store))  # one that clears the bus in each pass
    eventually(lambda: lifecycle.step() or not cancels & {id for id, _ in client.xrange("workflows:run")})


def test_of_two_lifecycles_one_makes_the_attempt(
    store: Store, client: redis.Redis, stepper: MakeStepper
) -> None:
    one, two = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    start(store, "{retry: {times: 1, delay: 20ms}}")
    answer(client, attempts(client, one, 1)[-1], status="FAILURE", reason="no")
    eventually(lambda: (one.step(), two.step(), len(events_of(client, "start-task")) > 1)[-1])
    for _ in range(20):
        one.step()
        two.step()
    assert len(events_of(client, "start-task")) == 2


def test_items_are_tried_again_each_by_itself(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start_workflow(store, "* a (- lfr: {retry: {times: 1, delay: 0}} -)", [1, 2]).id
    first, second = attempts(client, lifecycle, 2)
    answer(client, first, status="FAILURE", reason="no")
    answer(client, second)
    answer(client, attempts(client, lifecycle, 3)[-1], output={"second": "attempt"})
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["state"] == "FINISHED")
    assert inspect_workflow(store, id)["output"] == [{"second": "attempt"}, {}]


def running(store: Store, client: redis.Redis, lifecycle: Stepper) -> str:
    """Start a workflow whose first task runs."""
    id = start(store, "{retry: {times: 5, delay: 0}}")
    attempts(client, lifecycle, 1)
    return id


def test_a_task_is_tried_again_by_hand(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = running(store, client, lifecycle)
    retry_task(store, id, 1)
    first, second = events_of(client, "start-task")
    assert cancelled(client) == [("a", 1)]
    answer(client, first, output={"late": 1})
    answer(client, second, output={"well": 1})
    assert attempts(client, lifecycle, 3)[-1]["input"] == {"well": 1}


def test_a_task_fails_by_hand_and_is_not_tried_again(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = running(store, client, lifecycle)
    fail_task(store, id, 1, "enough")
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["reason"]) == ("FAILED", "enough")
    retry_task(store, id, 1)
    assert events_of(client, "start-task")[-1]["attempt"] == 2


@pytest.mark.parametrize(
    ("output", "expected"), [(ABSENT, {}), (None, None), ({"by": "hand"}, {"by": "hand"})]
)
@pytest.mark.parametrize("has_failed", [False, True])
def test_a_task_is_skipped(
    store: Store, client: redis.Redis, lifecycle: Stepper, output: Any, expected: Any, has_failed: bool
) -> None:
    id = running(store, client, lifecycle)
    if has_failed:
        fail_task(store, id, 1, "enough")
    skip_task(store, id, 1, output)
    workflow = inspect_workflow(store, id)
    assert [step["state"] for step in workflow["steps"]] == ["DONE", "SKIPPED", "RUNNING", "PENDING"]
    assert (workflow["state"], workflow["reason"]) == ("RUNNING", None)
    skipped = workflow["steps"][1]
    assert (skipped["reason"], skipped["output"]) == ("skipped by hand", expected)
    assert skipped["started"] == workflow["started"]
    assert events_of(client, "start-task")[-1]["input"] == expected
    answer(client, events_of(client, "start-task")[-1])
    eventually(lambda: lifecycle.step() or inspect_workflow(store, id)["state"] == "FINISHED")


def test_a_step_that_its_guard_skips_has_no_reason(store: Store) -> None:
    step = inspect_workflow(store, start(store, "", "? `$.x` a -> b"))["steps"][1]
    assert (step["state"], step["reason"], step["output"]) == ("SKIPPED", None, {})


def test_the_time_of_the_next_attempt_is_shown(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = start(store, "{retry: {times: 1, delay: 1h}}")
    answer(client, attempts(client, lifecycle, 1)[-1], status="FAILURE", reason="no")

    def retried_step() -> dict[str, Any]:
        lifecycle.step()
        step: dict[str, Any] = inspect_workflow(store, id)["steps"][1]
        return step if step["reason"] else {}

    step = eventually(retried_step)
    assert (step["state"], step["attempt"], step["reason"]) == ("RUNNING", 1, "no")
    until = datetime.fromisoformat(step["waits_for"]["until"])
    assert 3590 < (until - datetime.fromisoformat(step["started"])).total_seconds() < 3700


def test_what_cannot_be_done_to_a_step(store: Store, client: redis.Redis, lifecycle: Stepper) -> None:
    id = running(store, client, lifecycle)
    for act in (retry_task, skip_task, lambda *step: fail_task(*step, "")):
        with pytest.raises(Conflict, match="step 2 of"):
            act(store, id, 2)
        with pytest.raises(NotFound, match="has no step 9"):
            act(store, id, 9)


@pytest.mark.parametrize(
    ("act", "may_repeat"),
    [
        (lambda store, id: retry_task(store, id, 1), True),
        (lambda store, id: skip_task(store, id, 1), False),
        (lambda store, id: fail_task(store, id, 1, "no"), False),
        (lambda store, id: terminate_workflow(store, id), False),
    ],
    ids=["retry", "skip", "fail", "terminate"],
)
def test_of_operators_who_do_the_same_at_once_each_has_done_it_or_is_told_why_not(
    store: Store,
    client: redis.Redis,
    lifecycle: Stepper,
    act: Callable[[Store, str], object],
    may_repeat: bool,
) -> None:
    id = running(store, client, lifecycle)
    count = 6
    barrier = Barrier(count)

    def intervene() -> bool:
        barrier.wait()
        try:
            act(store, id)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(count) as pool:
        done = sum(each.result() for each in [pool.submit(intervene) for _ in range(count)])
    assert done == (count if may_repeat else 1)
    step = inspect_workflow(store, id)["steps"][1]
    assert step["attempt"] == (1 + done if may_repeat else 1)
    assert len(cancelled(client)) == done


def test_tries_begin_anew_in_each_turn_of_a_loop(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start(store, "{retry: {times: 1, delay: 1ms}}", "a (- lfr: {} -) -> :start")
    numbers = []
    for count, outcome in enumerate(({}, {"status": "FAILURE"}, {}, {}), 1):
        task = attempts(client, lifecycle, count)[-1]
        step = inspect_workflow(store, id)["steps"][1]
        assert (step["attempt"], step["tries"]) == (task["attempt"], task.get("tries", task["attempt"]))
        numbers.append((step["attempt"], step["tries"]))
        answer(client, task, **outcome)
    assert numbers == [(1, 1), (2, 1), (3, 2), (4, 1)]


def test_a_result_of_an_earlier_turn_of_a_loop_ends_no_later_turn(
    store: Store, client: redis.Redis, stepper: MakeStepper
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a -> b -> :start").id
    for name, index in (("a", 1), ("b", 2), ("a", 1)):
        append(client, kind="end-task", workflow=id, name=name, index=index, attempt=1)
        lifecycle.step()
    starts = [(task["name"], task["attempt"]) for task in events_of(client, "start-task")]
    assert starts == [("a", 1), ("b", 1), ("a", 2)]


def test_a_delayed_attempt_that_two_lifecycles_start_at_once_starts_once(
    store: Store, client: redis.Redis, stepper: MakeStepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    start(store, "{retry: {times: 1, delay: 20ms}}")
    answer(client, attempts(client, one, 1)[-1], status="FAILURE", reason="no")
    one.step()
    [(_, due_ms)] = client.zrange("waits:delayed", 0, -1, withscores=True)
    eventually(lambda: 1000 * client.time()[0] + client.time()[1] // 1000 > due_ms + 1)
    monkeypatch.setattr("lfr.roles.lifecycle._TIMER_CHECK_SECONDS", 0.0)
    for lifecycle in (one, two):
        monkeypatch.setattr(lifecycle.consumer, "_check_timers_at", 0.0)
    with overtaken(one.connection, two.step, writing="ZREM waits:delayed"):
        one.step()
        one.step()
    assert len(events_of(client, "start-task")) == 2
