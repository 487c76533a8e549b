"""Attacks on the time that a pass of a lifecycle takes: no event keeps the others waiting."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.roles import lifecycle as role
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.store.redis.connection import Store
from lfr.store.waits.match import MAX_FIELD_SETS
from tests.integration.conftest import Stepper, append, events_of, settle
from tests.support.waiting import eventually

Make = Callable[[Lifecycle], Stepper]

GUARDED = "A -> ? `$..[" + ",".join(f'"a{number}"' for number in range(100)) + "]` B -> C"


def test_events_that_are_too_much_work_together_have_a_pass_each(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes some ten thousand looks: together they would take more than the pass may."""
    monkeypatch.setattr(role, "_MAX_LOOKS", 30_000)
    lifecycle = stepper(Lifecycle(store))
    ids = [start_workflow(store, GUARDED).id for _ in range(6)]
    end = {"kind": "end-task", "index": 1, "attempt": 1, "output": [{} for _ in range(100)]}
    end_ids = [append(client, workflow=id, **end) for id in ids]
    lifecycle.step()
    assert {client.hget(id, "counts") for id in ids} == {"1 1 0 0"}  # the pass has written nothing
    for done in range(1, 7):
        lifecycle.step()
        assert sum(client.hget(id, "counts") != "1 1 0 0" for id in ids) == done
    assert {inspect_workflow(store, id)["steps"][2]["state"] for id in ids} == {"SKIPPED"}
    lifecycle.step()  # it acknowledges what is for others
    pending = client.xpending_range("workflows:run", "lifecycle", "-", "+", 100)
    assert not {each["message_id"] for each in pending} & set(end_ids)


def test_a_step_beyond_the_budget_fails_and_the_lifecycle_goes_on(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    hostile = start_workflow(store, GUARDED).id
    innocent = start_workflow(store, "A").id
    many = [{} for _ in range(60_000)]
    append(client, kind="end-task", workflow=hostile, index=1, attempt=1, output=many)
    append(client, kind="end-task", workflow=innocent, index=1, attempt=1, output={})
    eventually(lambda: lifecycle.step() or client.hget(innocent, "state") == "FINISHED")
    assert inspect_workflow(store, hostile)["state"] == "FAILED"
    assert (
        inspect_workflow(store, hostile)["reason"]
        == "its guard would take more than 2,000,000 looks at values"
    )


def test_items_that_begin_together_share_a_budget(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.lifecycle.items._MAX_LOOKS", 30_000)
    lifecycle = stepper(Lifecycle(store))
    part = "{ " + GUARDED.removeprefix("A -> ") + " }"
    id = start_workflow(store, f"* {part}", [[{} for _ in range(100)]] * 20).id
    eventually(lambda: lifecycle.step() or client.hget(id, "state") == "FAILED")
    assert "its guard would take more than 30,000 looks at values" in inspect_workflow(store, id)["reason"]


def test_a_kind_of_events_is_matched_by_a_bounded_number_of_field_sets(
    store: Store, client: redis.Redis, stepper: Callable[[WaitTasks], Stepper]
) -> None:
    """Each event of a kind is compared by all of its field sets, those of a hostile flow included."""
    role = stepper(WaitTasks(store))
    flow = "wait:event (- {event: ok, match: input} -)"
    first = start_workflow(store, flow, {"of": 1}).id
    for number in range(MAX_FIELD_SETS + 20):
        start_workflow(store, flow, {f"field{number}": 1})
        if number % 100 == 99:
            role.step()
    again = start_workflow(store, flow, {"of": 2}).id
    settle(client, role)
    ends = [event for event in events_of(client, "end-task") if event["status"] == "FAILURE"]
    assert len(ends) == 21
    assert "match by 200 different sets of fields already" in ends[0]["reason"]
    assert client.hlen("waits:fields:ok") == MAX_FIELD_SETS
    for number in (1, 2):
        append(client, kind="ok", of=number)
    settle(client, role)
    completed = [event["workflow"] for event in events_of(client, "end-task") if event["status"] != "FAILURE"]
    assert completed == [first, again]
