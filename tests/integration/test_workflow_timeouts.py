"""`@flow f (- lfr: {timeout: 2h} -)`: a workflow that takes too long fails; a restart gives it new time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.errors import BadInput, Conflict
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Store
from lfr.store.workflows.load import load_whole
from tests.integration.conftest import Stepper, events_of, hold_events

Make = Callable[[Consumer], Stepper]

REASON = "timeout: the workflow has not ended within 7200 s"
FLOW = "@flow f (- lfr: {timeout: 2h} -); "


def now(client: redis.Redis, id: str) -> None:
    """Let the deadline of a workflow come."""
    assert client.zadd(keys.WORKFLOW_DEADLINES, {id: 1}, xx=True, ch=True) == 1


def run(*steppers: Stepper) -> None:
    for each in steppers * 8:
        each.step()


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.roles.lifecycle._TIMER_CHECK_SECONDS", 0)


def test_what_runs_is_stopped_and_a_restart_has_new_time(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, wait = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    hold_events(client)
    id = start_workflow(store, FLOW + "{ a wait:delay (- duration: 1h -) } -> b").id
    run(lifecycle, wait)
    began = inspect_workflow(store, id)
    assert began["deadline"] > began["started"]
    assert client.zcard(keys.TIMERS) == 1
    now(client, id)
    run(lifecycle, wait)
    failed = inspect_workflow(store, id, history=True)
    assert (failed["state"], failed["reason"], failed["deadline"]) == ("FAILED", REASON, None)
    assert (failed["counts"]["running"], client.zcard(keys.TIMERS)) == (0, 0)
    states = {step["name"]: step["state"] for step in failed["steps"] if step["name"]}
    assert states == {"a": "STOPPED", "wait:delay": "STOPPED", "b": "PENDING"}
    assert [(fact["event"], fact["reason"]) for fact in failed["history"][-2:]] == [
        ("timed-out", None),
        ("failed", REASON),
    ]
    assert [event["name"] for event in events_of(client, "cancel-task")] == ["a", "wait:delay"]
    assert len(events_of(client, "failed-workflow")) == 1
    with pytest.raises(Conflict):
        complete_task(store, id, "a", 2)
    restart_workflow(store, id)
    again = inspect_workflow(store, id)
    assert again["state"] == "RUNNING" and again["deadline"] >= began["deadline"]
    complete_task(store, id, "a", 2)
    run(lifecycle, wait)
    copy = restore_workflow(store, archive_workflow(store, id), "copy")
    assert inspect_workflow(store, copy)["deadline"] is None
    restart_workflow(store, copy)
    assert inspect_workflow(store, copy)["deadline"] is not None
    for each in (id, copy):
        terminate_workflow(store, each)
        delete_workflow(store, each)
    assert not client.exists(keys.WORKFLOW_DEADLINES)


def test_items_stop_and_go_on(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "@flow f (- lfr: {timeout: 2h} -) * { a -> b } -> c", [1, 2]).id
    run(lifecycle)
    complete_task(store, f"{id}/1.0", "a", 2)
    run(lifecycle)
    now(client, id)
    run(lifecycle)
    failed = inspect_workflow(store, id)
    assert (failed["state"], failed["reason"]) == ("FAILED", REASON)
    assert [item["state"] for item in failed["steps"][1]["items"]["open"]] == ["STOPPED"] * 2
    assert [inspect_workflow(store, f"{id}/1.{item}")["state"] for item in (0, 1)] == ["TERMINATED"] * 2
    restart_workflow(store, id)
    run(lifecycle)
    for item, steps in ((0, (("b", 3),)), (1, (("a", 2), ("b", 3)))):
        for name, index in steps:
            complete_task(store, f"{id}/1.{item}", name, index, output=item)
            run(lifecycle)
    assert inspect_workflow(store, id)["steps"][1]["output"] == [0, 1]


def test_a_deadline_that_another_lifecycle_has_fired_does_not_fail_what_was_restarted_since(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow lifecycle has read that the deadline has come."""
    slow, quick = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    id = start_workflow(store, FLOW + "a").id
    now(client, id)
    overtook: list[str] = []

    def load_slowly(*arguments: Any) -> Any:
        if not overtook:
            overtook.append(id)
            run(quick)
            restart_workflow(store, id)
        return load_whole(*arguments)

    monkeypatch.setattr("lfr.store.workflows.workflow_timeouts.load_whole", load_slowly)
    run(slow)
    assert overtook
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["steps"][1]["attempt"]) == ("RUNNING", 2)


def test_a_workflow_that_ends_in_time_has_no_deadline(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, FLOW + "a").id
    complete_task(store, id, "a", 1)
    run(lifecycle)
    assert inspect_workflow(store, id)["state"] == "FINISHED"
    assert not client.exists(keys.WORKFLOW_DEADLINES)
    client.zadd(keys.WORKFLOW_DEADLINES, {id: 1, "workflow:none": 1})  # left over: nothing happens
    run(lifecycle)
    assert inspect_workflow(store, id)["state"] == "FINISHED"
    assert not client.exists(keys.WORKFLOW_DEADLINES)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("lfr: {timout: 2h}", "lfr knows timeout, but not timout; did you mean timeout?"),
        ("lfr: {retry: 3}", "lfr knows timeout, but not retry"),
        ("lfr: {timeout: long}", "lfr.timeout is"),
        ("lfr: 5", "lfr is 5"),
        ("lfrr: {timeout: 2h}", "but not lfrr; did you mean lfr?"),
        ("timeout: 2h", "@flow knows timeout only under lfr"),
    ],
)
def test_what_stands_there_wrongly_is_named(store: Store, parameters: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        start_workflow(store, f"@flow f (- {parameters} -) a")
    assert message in str(error.value)
