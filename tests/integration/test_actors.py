"""Who changes something by hand, and why: in histories, in events, in the log of receipts."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import redis

from lfr.actor import MAX_NAME, MAX_REASON, Actor, make_actor
from lfr.errors import BadInput
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.events import send_event
from lfr.operations.inspect.workflow import inspect_workflow, list_history
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.latches import reset_latch
from lfr.operations.prune import plan_prune, prune
from lfr.operations.schedules import (
    backfill,
    describe_schedule,
    pause_schedule,
    plan_backfill,
    resume_schedule,
    trigger_schedule,
)
from lfr.operations.start import start_workflow
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store

ANN = Actor("ann@web1", "wrong input")


def run_pass(store: Store, consumer: Consumer) -> None:
    with store.connect() as connection:
        consumer.join(connection)
        consumer.run_pass(connection)


def read_bus(client: redis.Redis, store: Store, kind: str) -> list[dict[str, Any]]:
    entries = [
        {name: json.loads(value) for name, value in fields.items()}
        for _, fields in client.xrange(store.stream)
    ]
    return [entry for entry in entries if entry["kind"] == kind]


def start(store: Store, text: str = "A -> B") -> str:
    return start_workflow(store, text).id


Intervention = Callable[[Store, str], object]


def terminate(store: Store, id: str) -> None:
    terminate_workflow(store, id)


def terminate_and_restart(store: Store, id: str) -> None:
    terminate_workflow(store.acting(None), id)
    restart_workflow(store, id)


@pytest.mark.parametrize(
    ("intervene", "change", "action"),
    [
        (terminate, (None, "terminated"), {"action": "terminate"}),
        (terminate_and_restart, (None, "restarted"), {"action": "restart"}),
        (lambda store, id: retry_task(store, id, 1), (1, "retried"), {"action": "retry", "index": 1}),
        (lambda store, id: skip_task(store, id, 1), (1, "skipped"), {"action": "skip", "index": 1}),
        (lambda store, id: fail_task(store, id, 1, "gone"), (1, "failed"), {"action": "fail", "index": 1}),
    ],
    ids=["terminate", "restart", "retry", "skip", "fail"],
)
def test_an_intervention_says_who_and_why(
    store: Store, client: redis.Redis, intervene: Intervention, change: Any, action: dict[str, Any]
) -> None:
    id = start(store)
    assert inspect_workflow(store, id)["by_hand"] == []
    intervene(store.acting(ANN), id)
    [by_hand] = inspect_workflow(store, id)["by_hand"]
    assert (by_hand["index"], by_hand["event"]) == change
    assert (by_hand["actor"], by_hand["actor_reason"]) == (ANN.name, ANN.reason)
    who = {fact["event"]: fact["actor"] for fact in list_history(store, id)}
    assert who[change[1]] == ANN.name
    [event] = read_bus(client, store, "operator-action")
    expected = {"workflow": id, **action, "lfr_actor": ANN.name, "lfr_reason": ANN.reason}
    assert expected.items() <= event.items()


def test_the_reason_of_a_failure_stands_there_once(store: Store) -> None:
    id = start(store)
    fail_task(store.acting(make_actor("ann", "gone")), id, 1, "gone")
    fact = next(fact for fact in list_history(store, id) if fact["event"] == "failed")
    assert (fact["reason"], fact["actor"], fact["actor_reason"]) == ("gone", "ann", None)


def test_a_skipped_step_says_who_has_skipped_it(store: Store) -> None:
    id = start(store)
    skip_task(store.acting(ANN), id, 1)
    assert inspect_workflow(store, id)["steps"][1]["reason"] == "skipped by ann@web1: wrong input"


def test_a_start_says_who_and_why(store: Store, client: redis.Redis) -> None:
    id = start(store.acting(ANN))
    [change] = inspect_workflow(store, id)["by_hand"]
    assert (change["event"], change["index"], change["actor"]) == ("started", None, ANN.name)
    [event] = read_bus(client, store, "start-workflow")
    assert (event["lfr_actor"], event["lfr_reason"]) == (ANN.name, ANN.reason)


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE"])
def test_a_task_that_is_ended_by_hand_says_who_has_ended_it(store: Store, status: str) -> None:
    id = start(store)
    complete_task(store.acting(ANN), id, None, 1, status=status, reason="no")
    run_pass(store, Lifecycle(store))
    [change] = inspect_workflow(store, id)["by_hand"]
    assert (change["index"], change["actor"]) == (1, ANN.name)


def test_an_event_says_who_has_sent_it(store: Store, client: redis.Redis) -> None:
    send_event(store.acting(ANN), "approved", {"order": 7})
    [event] = read_bus(client, store, "approved")
    assert (event["order"], event["lfr_actor"], event["lfr_reason"]) == (7, ANN.name, ANN.reason)
    for name in ("lfr_actor", "lfr_reason"):
        with pytest.raises(BadInput, match="lfr sets it"):
            send_event(store, "approved", {name: "boss"})


def test_what_leaves_no_history_stands_on_the_bus(store: Store, client: redis.Redis) -> None:
    acting = store.acting(ANN)
    first, second = start(store), start(store)
    terminate_workflow(store, first)
    terminate_workflow(store, second)
    copy = restore_workflow(acting, archive_workflow(acting, first))
    delete_workflow(acting, first)
    list(prune(acting, plan_prune(store, 0, ["TERMINATED"])))
    apply_flows(acting, [FlowSource("@flow f\nA")])
    apply_flows(acting, [FlowSource("@flow f\nA")])
    apply_flows(acting, [FlowSource("@flow g\nA")], prune=True, dry_run=True)
    actions = read_bus(client, store, "operator-action")
    assert {action["lfr_actor"] for action in actions} == {ANN.name}
    names = [(action["action"], action.get("workflow")) for action in actions]
    assert names[:2] == [("restore", copy), ("delete", first)]
    assert sorted(names[2:4]) == sorted([("delete", second), ("delete", copy)])
    assert names[4:] == [("apply", None)]
    assert (actions[4]["flows"], actions[4]["removed"]) == (["f@1"], [])


def test_what_is_done_to_a_schedule_says_who(store: Store, client: redis.Redis) -> None:
    apply_flows(store, [FlowSource("@flow f (- schedule: {every: 1h} -)\nA")])
    client.hincrby("flows:schedule:f", "cursor", -2 * 3_600_000)
    acting = store.acting(ANN)
    pause_schedule(acting, "f")
    resume_schedule(acting, "f")
    ids = [trigger_schedule(acting, "f")]
    plan = plan_backfill(acting, "f", "2020-01-01T00:00Z", "2020-01-01T02:00Z")
    ids += [id for id, _ in backfill(acting, plan)]
    assert len(ids) >= 3
    by_hand = ("paused", "resumed", "triggered", "backfilled")
    outcomes = [each for each in describe_schedule(store, "f")["outcomes"] if each["outcome"] in by_hand]
    assert {each["outcome"] for each in outcomes} == set(by_hand)
    assert {each["reason"] for each in outcomes} == {f"{ANN.reason} ({ANN.name})"}
    actions = read_bus(client, store, "operator-action")
    assert [(each["action"], each.get("workflow")) for each in actions] == [
        ("pause-schedule", None),
        ("resume-schedule", None),
        ("trigger-schedule", ids[0]),
        *(("backfill-schedule", id) for id in ids[1:]),
    ]
    assert {(each["schedule"], each["lfr_actor"]) for each in actions} == {("f", ANN.name)}
    for id in ids:
        assert list_history(store, id)[0]["actor"] == ANN.name


def test_the_log_of_receipts_says_who(store: Store) -> None:
    log = StringIO()
    receipts, lifecycle = Receipts(store, log), Lifecycle(store)
    with store.connect() as connection:
        receipts.join(connection)
        receipts.on_pass(connection)
        lifecycle.join(connection)
        id = start(store)
        terminate_workflow(store.acting(ANN), id)
        for _ in range(3):
            lifecycle.run_pass(connection)
            receipts.run_pass(connection)
    targets = [json.loads(line)["target"] for line in log.getvalue().splitlines()]
    [action] = [target for target in targets if target and target["kind"] == "operator-action"]
    assert (action["action"], action["workflow"], action["lfr_actor"]) == ("terminate", id, ANN.name)


def test_an_operator_action_is_no_event_of_users_and_no_dead_letter(
    store: Store, client: redis.Redis
) -> None:
    terminate_workflow(store.acting(ANN), start(store))
    run_pass(store, WaitTasks(store))
    run_pass(store, Lifecycle(store))
    assert client.keys("waits:event:*") == []
    assert client.xlen("workflows:dead") == 0


def test_an_archive_keeps_who_and_why(store: Store) -> None:
    id = start(store.acting(ANN))
    terminate_workflow(store.acting(Actor("bob")), id)
    copy = restore_workflow(store, archive_workflow(store, id))
    assert list_history(store, copy) == list_history(store, id)
    document = archive_workflow(store, id)
    document["history"][0]["actor"] = ["ann"]
    with pytest.raises(BadInput, match="its actor is not a text"):
        restore_workflow(store, document)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tb\nc", "a b c"),
        ("  \r\n ", ""),
        ("\ud800", "?"),
        ("x" * 10_000, "x" * (MAX_REASON - 1) + "…"),
        ("1 -4\n5 +6", "1 -4 5 +6"),
    ],
)
def test_a_reason_is_one_short_line(store: Store, text: str, line: str) -> None:
    assert make_actor("ann", text).reason == line
    assert len(make_actor("n" * 1000).name) == MAX_NAME
    id = start(store)
    terminate_workflow(store.acting(make_actor(text or "ann", text)), id)
    [change] = inspect_workflow(store, id)["by_hand"]
    assert (change["actor_reason"] or "") == line


def test_a_reset_says_who(store: Store, client: redis.Redis) -> None:
    start(store, "wait:acquire (- name: l -)")
    run_pass(store, WaitTasks(store))
    assert reset_latch(store.acting(ANN), "l")["value"] == 1
    [action] = read_bus(client, store, "operator-action")
    assert (action["action"], action["latch"], action["lfr_reason"]) == ("reset-latch", "l", ANN.reason)


def test_nobody_says_that_an_action_was_done_but_lfr(store: Store) -> None:
    with pytest.raises(BadInput, match="nobody else may say so"):
        send_event(store, "operator-action", {"action": "delete", "workflow": "workflow:x"})
