"""The role notify: what gives a notice, what is counted, how notices reach their recipients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr import events
from lfr.errors import BadSettings, Conflict, NotFound
from lfr.notices.rules import parse_rules
from lfr.operations.intervene import delete_workflow, fail_task, terminate_workflow
from lfr.operations.metrics import load_metrics
from lfr.operations.notices import list_notices, send_test
from lfr.operations.pause import pause
from lfr.operations.schedules import add_schedule, pause_schedule
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.notify import Notify
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import this_process
from lfr.store import keys
from lfr.store.processes import heartbeat_commands
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper, append, settle
from tests.support.interference import Killed, overtaken
from tests.support.receivers import WebhookServer, named, webhook_server
from tests.support.waiting import eventually, eventually_equal

Make = Callable[[Consumer], Stepper]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at every pass, and try again at once."""
    monkeypatch.setattr("lfr.notifier.watcher._LOOK_SECONDS", 0.0)
    monkeypatch.setattr("lfr.notifier.deliveries._LOOK_SECONDS", 0.0)
    monkeypatch.setattr("lfr.roles.notify._QUIET_SECONDS", 0.0)
    monkeypatch.setattr("lfr.notices.notice._FIRST_RETRY_SECONDS", 0.001)


@pytest.fixture
def receiver() -> Iterator[WebhookServer]:
    with webhook_server() as server:
        yield server


class Notifier:
    """A role notify with these rules, one pass at a time."""

    def __init__(self, store: Store, make: Make, url: str, rules: Mapping[str, str], **settings: Any) -> None:
        texts = {"r.to": "webhook:chat", "r.quiet": "0", **{f"r.{key}": text for key, text in rules.items()}}
        webhooks = {"chat": f"{url}/hook", "away": "http://127.0.0.1:9/"}
        changed = replace(store.settings, notify_rules=texts, notify_webhooks=webhooks, **settings)
        self.store = replace(store, settings=changed)
        self.role = make(Notify(self.store, parse_rules(texts)))
        self.role.step()

    def run(self, receiver: WebhookServer, count: int) -> list[dict[str, Any]]:
        """Take passes until the receiver has so many notices and nothing runs; return these."""

        def step() -> bool:
            self.role.step()
            deliveries = self.role.consumer._deliveries  # type: ignore[attr-defined]
            return len(receiver.bodies()) >= count and not deliveries._running

        eventually(step)
        for _ in range(3):
            self.role.step()
        return receiver.bodies()


def failed(
    store: Store, lifecycle: Stepper, client: redis.Redis, text: str = "@flow order A", **start: Any
) -> str:
    """Start a workflow whose step fails; return its id."""
    id = start_workflow(store, text, **start).id
    settle(client, lifecycle)
    fail_task(store, id, 1, "no disk")
    settle(client, lifecycle)
    return id


def test_a_failure_gives_a_notice_by_flow_and_label(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    lifecycle = stepper(Lifecycle(store))
    rules = {"when": "failed, terminated", "flow": "order, refund", "labels.tenant": "7"}
    notifier = Notifier(store, stepper, receiver.url, rules)
    id = failed(store, lifecycle, client, labels={"tenant": "7", "x": "y"})
    failed(store, lifecycle, client, labels={"tenant": "8"})
    failed(store, lifecycle, client, "@flow other A", labels={"tenant": "7"})
    ended = start_workflow(store, "@flow refund A", labels={"tenant": "7"}).id
    settle(client, lifecycle)
    terminate_workflow(store, ended)
    settle(client, lifecycle)
    first, second = sorted(notifier.run(receiver, 2), key=lambda body: str(body["when"]))
    expected = {
        "rule": "r",
        "when": "failed",
        "workflow": id,
        "flow": "order",
        "labels": {"tenant": "7", "x": "y"},
        "state": "FAILED",
        "reason": "no disk",
        "text": f"{id} of the flow order has failed: no disk",
        "hint": f"lfr why {id}",
    }
    assert {key: first[key] for key in expected} == expected
    assert (second["when"], second["workflow"]) == ("terminated", ended)
    assert client.xpending("workflows:run", "notify")["pending"] == 0
    assert not client.exists(keys.NOTICES)


def test_within_the_quiet_time_notices_are_counted(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    lifecycle = stepper(Lifecycle(store))
    notifier = Notifier(store, stepper, receiver.url, {"when": "failed", "quiet": "1h"})
    ids = [failed(store, lifecycle, client) for _ in range(4)]
    other = failed(store, lifecycle, client, "@flow other A")
    assert {each["workflow"] for each in notifier.run(receiver, 2)} == {ids[0], other}
    text = client.hget(keys.NOTICE_QUIET, "r order")
    assert text is not None
    until_ms = text.partition(",")[0].removeprefix("[")
    client.hset(keys.NOTICE_QUIET, "r order", text.replace(until_ms, "1", 1))  # an hour later
    last = notifier.run(receiver, 3)[2]
    assert (last["workflow"], last["more"]) == (ids[3], 2)
    assert last["text"].endswith("has failed: no disk (2 others before it)")


def test_two_roles_decide_what_is_quiet_one_after_the_other(
    store: Store,
    client: redis.Redis,
    stepper: Make,
    receiver: WebhookServer,
) -> None:
    lifecycle = stepper(Lifecycle(store))
    rules = {"when": "failed", "quiet": "1h"}
    first, second = (Notifier(store, stepper, receiver.url, rules) for _ in range(2))
    slower = failed(store, lifecycle, client)
    quicker = []

    def fail_another() -> None:
        quicker.append(failed(store, lifecycle, client))
        second.role.step()

    with overtaken(first.role.connection, fail_another, writing="XACK workflows:run notify"):
        first.role.step()
    assert [each["workflow"] for each in second.run(receiver, 1)] == quicker
    text = client.hget(keys.NOTICE_QUIET, "r order")
    assert text is not None
    assert slower in text  # it was counted


@pytest.mark.parametrize("moment", [0, 1])
def test_a_role_that_is_killed_before_or_after_its_transaction_gives_one_notice(
    store: Store,
    client: redis.Redis,
    stepper: Make,
    receiver: WebhookServer,
    moment: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lifecycle = stepper(Lifecycle(store))
    quick_store = replace(store, settings=replace(store.settings, lease_seconds=0.1))
    notifier = Notifier(quick_store, stepper, receiver.url, {"when": "failed"})
    id = failed(store, lifecycle, client)
    connection = notifier.role.connection
    transact = connection.transact

    def dies(commands: Any) -> Any:
        if moment:
            transact(commands)
        raise Killed

    monkeypatch.setattr(connection, "transact", dies)
    with pytest.raises(Killed):
        for _ in range(100):
            notifier.role.step()
    second = Notifier(quick_store, stepper, receiver.url, {"when": "failed"})
    assert [each["workflow"] for each in second.run(receiver, 1)] == [id]


def test_a_delivery_whose_role_dies_is_made_again_under_the_same_id(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    lifecycle = stepper(Lifecycle(store))
    quick_store = replace(store, settings=replace(store.settings, lease_seconds=0.1))
    first = Notifier(quick_store, stepper, receiver.url, {"when": "failed"})
    failed(store, lifecycle, client)
    receiver.held.clear()

    def posted() -> bool:
        first.role.step()
        return bool(receiver.requests)

    eventually(posted)  # it is sent, and the first role takes no further pass
    receiver.held.set()
    second = Notifier(quick_store, stepper, receiver.url, {"when": "failed"})
    bodies = second.run(receiver, 2)
    assert bodies[0]["id"] == bodies[1]["id"]
    assert {headers["webhook-id"] for _, headers, _ in receiver.requests} == {bodies[0]["id"]}
    assert not client.exists(keys.NOTICES)


def test_a_recipient_that_fails_is_tried_again_and_holds_up_no_other(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    lifecycle = stepper(Lifecycle(store))
    notifier = Notifier(store, stepper, receiver.url, {"when": "failed", "to": "webhook:away, webhook:chat"})
    receiver.answers = [500, 503]
    failed(store, lifecycle, client)
    bodies = notifier.run(receiver, 3)
    assert len({body["id"] for body in bodies}) == 1
    away = named(list_notices(store)["recipients"], "webhook:away")
    assert away["queued"] == 1
    assert away["failures"] > 0
    assert away["reason"] == "no connection: Connection refused"
    assert (
        named(list_notices(store)["recipients"], "webhook:chat").items()
        >= {"queued": 0, "failures": 0}.items()
    )
    problems = " ".join(load_status(store)["problems"])
    assert "1 notice waits, but no notify role runs (lfr notify)" in problems
    assert "webhook:away takes no notices since " in problems
    metrics = load_metrics(store)
    assert metrics.queued_notices == {"webhook:away": 1, "webhook:chat": 0}


def test_a_notice_is_given_up_after_a_time_and_listed(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    lifecycle = stepper(Lifecycle(store))
    rules = {"when": "failed", "to": "webhook:away"}
    notifier = Notifier(store, stepper, receiver.url, rules, notify_give_up_seconds=0.0)
    id = failed(store, lifecycle, client)

    def given_up() -> bool:
        notifier.role.step()
        return bool(list_notices(store)["lost"])

    eventually(given_up)
    [lost] = list_notices(store)["lost"]
    assert lost.items() >= {"recipient": "webhook:away", "rule": "r"}.items()
    assert id in lost["text"]
    assert not client.exists(keys.NOTICES, keys.notices_due("webhook:away"))


def test_a_workflow_that_is_deleted_before_its_event_is_read(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    lifecycle = stepper(Lifecycle(store))
    notifier = Notifier(store, stepper, receiver.url, {"when": "failed"})
    id = failed(store, lifecycle, client)
    delete_workflow(store, id)
    append(client, kind="failed-workflow", workflow="no id")
    append(client, kind="failed-workflow", workflow=id, copy_of=None)
    [body] = notifier.run(receiver, 1)
    assert body["text"] == f"{id} has failed"


def age(client: redis.Redis, id: str, ms: int) -> None:
    """Let a running workflow have started earlier."""
    started = int(client.hget(id, "started") or 0) - ms
    client.hset(id, "started", started)
    for index in (keys.ALL, keys.state("RUNNING"), keys.flow_index("order")):
        client.zadd(index, {id: started}, xx=True)
    [first, *others] = client.lrange(keys.facts(id), 0, -1)
    client.delete(keys.facts(id))
    at, _, facts = first.partition(" ")
    client.rpush(keys.facts(id), f"{int(at) - ms} {facts}", *others)


def test_a_workflow_that_runs_too_long_gives_one_notice(
    store: Store,
    client: redis.Redis,
    stepper: Make,
    receiver: WebhookServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lifecycle = stepper(Lifecycle(store))
    notifier = Notifier(store, stepper, receiver.url, {"when": "late", "after": "1h", "flow": "order"})
    ids = [start_workflow(store, "@flow order A").id for _ in range(3)]
    settle(client, lifecycle)
    notifier.run(receiver, 0)
    age(client, ids[0], 3_700_000)
    [body] = notifier.run(receiver, 1)
    assert body["text"] == f"{ids[0]} of the flow order runs for more than 1h"
    age(client, ids[1], 3_700_000)
    for id in ids:
        fail_task(store, id, 1, "no disk")
    settle(client, lifecycle)  # the second has ended before anybody looked; the first is not told again
    bodies = notifier.run(receiver, 2)
    assert [each["text"] for each in bodies[1:]] == [f"{ids[1]} of the flow order has run for more than 1h"]
    monkeypatch.setattr("lfr.notifier.watcher._FORGET_MS", 0)
    eventually_equal(lambda: (notifier.role.step(), client.exists(keys.NOTICE_CONDITIONS))[1], 0)


def test_the_conditions_that_are_remembered_have_a_bound(
    store: Store,
    client: redis.Redis,
    stepper: Make,
    receiver: WebhookServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lfr.notifier.watcher._MAX_CONDITIONS", 2)
    monkeypatch.setattr("lfr.notifier.watcher._FORGET_MS", 0)
    lifecycle = stepper(Lifecycle(store))
    notifier = Notifier(store, stepper, receiver.url, {"when": "late", "after": "1h"})
    ids = [start_workflow(store, "@flow order A").id for _ in range(5)]
    settle(client, lifecycle)
    for id in ids:
        age(client, id, 3_700_000)
    told = {each["workflow"] for each in notifier.run(receiver, 2)}
    assert len(told) == len(receiver.bodies()) == client.hlen(keys.NOTICE_CONDITIONS) == 2
    for id in told:
        terminate_workflow(store, id)
    settle(client, lifecycle)
    assert len({each["workflow"] for each in notifier.run(receiver, 4)}) == 4
    assert client.hlen(keys.NOTICE_CONDITIONS) <= 4  # two of them are over


def test_a_step_that_stands_gives_a_notice_with_its_cause(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    lifecycle, wait = stepper(Lifecycle(store)), stepper(WaitTasks(store))
    with store.connect() as connection:
        for role in ("lifecycle", "wait"):
            connection.execute(heartbeat_commands(this_process(role, {}), 60))
    notifier = Notifier(store, stepper, receiver.url, {"when": "stuck", "after": "1h"})
    pause(store, "flow", "paused")
    standing = start_workflow(store, "@flow order img:make").id
    delayed = start_workflow(store, "@flow order wait:delay (- duration: 1d -)").id
    paused = start_workflow(store, "@flow paused A").id
    iterated = start_workflow(store, "@flow order * { C }", [1, 2]).id
    fresh = start_workflow(store, "@flow order A").id
    settle(client, lifecycle, wait)
    for id in (standing, delayed, paused, iterated):
        age(client, id, 3_700_000)
    bodies = notifier.run(receiver, 1)
    assert {each["workflow"] for each in bodies} == {standing}
    assert bodies[0]["step"].items() >= {"index": 1, "name": "img:make", "cause": "no-worker"}.items()
    assert bodies[0]["text"].startswith(
        f"step 1 (img:make) of {standing} of the flow order stands for more than 1h: no live worker"
    )
    age(client, f"{iterated}/1.1", 3_700_000)
    body = notifier.run(receiver, 2)[1]
    assert (body["workflow"], body["step"]["id"]) == (iterated, f"{iterated}/1.1")
    assert fresh not in str(receiver.bodies())


def test_a_schedule_with_a_problem_gives_a_notice(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    notifier = Notifier(store, stepper, receiver.url, {"when": "missed", "flow": "f"})
    apply_flows(store, [FlowSource("@flow f A", "f"), FlowSource("@flow g A", "g")])
    for name in ("f", "g"):
        add_schedule(store, f"nightly-{name}", {"every": "1h"}, name)
        pause_schedule(store, f"nightly-{name}", "the store moves")
    [body] = notifier.run(receiver, 1)
    assert body["text"].startswith("the schedule nightly-f is paused: ")
    assert (body["schedule"], body["hint"]) == ("nightly-f", "lfr schedule show nightly-f")


@pytest.mark.parametrize("old", [0, 1])
def test_dead_letters_give_one_notice_but_not_the_old_ones(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer, old: int
) -> None:
    lifecycle = stepper(Lifecycle(store))
    for _ in range(old):
        append(client, kind="end-task", workflow="nonsense")
    settle(client, lifecycle)
    notifier = Notifier(store, stepper, receiver.url, {"when": "dead-letter"})
    for _ in range(2):
        append(client, kind="end-task", workflow="nonsense")
    settle(client, lifecycle)
    [body] = notifier.run(receiver, 1)
    assert body["text"] == "2 events are dead letters; the last: its workflow 'nonsense' is no workflow's id"


def test_a_role_that_is_gone_and_the_dead_mans_switch(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    for role in ("lifecycle", "wait"):
        with store.connect() as connection:
            connection.execute(heartbeat_commands(this_process(role, {}), 60))
    settings = {"notify_alive_url": f"{receiver.url}/alive", "notify_alive_every_seconds": 0.0}
    notifier = Notifier(store, stepper, receiver.url, {"when": "role-gone", "role": "wait"}, **settings)

    def calls() -> int:
        notifier.role.step()
        return sum(path == "/alive" for path, _, _ in list(receiver.requests))

    eventually(lambda: calls() >= 2)
    [wait] = [key for key in client.scan_iter("workflows:process:wait*")]
    client.delete(wait)
    client.hset(keys.NOTICE_ROLES, "wait", int(client.hget(keys.NOTICE_ROLES, "wait") or 0) - 61_000)
    [body] = notifier.run(receiver, 1)
    assert body["text"].startswith("no process of the role wait is alive, since ")
    notifier.role.consumer._deliveries.finish(notifier.role.connection)  # type: ignore[attr-defined]
    count = calls()
    assert "no process of wait is alive" in notifier.role.consumer._watcher._troubles  # type: ignore[attr-defined]
    assert calls() == count


def test_a_test_goes_through_the_role_and_says_what_happened(
    store: Store, client: redis.Redis, stepper: Make, receiver: WebhookServer
) -> None:
    with pytest.raises(Conflict, match="no notify role runs"):
        send_test(store, "r")
    rules = {"when": "failed", "to": "webhook:chat, webhook:away"}
    Notifier(store, stepper, receiver.url, rules)
    with store.connect() as connection:
        connection.execute(heartbeat_commands(this_process("notify", {}), 60))
    with pytest.raises(NotFound, match="there is no rule s"):
        send_test(store, "s")
    late = send_test(store, "r", wait_seconds=0.0)  # the role takes no pass
    assert [each["problem"] for each in late] == ["the role notify has not reported within 0 s"] * 2
    assert not client.exists(keys.NOTICES)


def test_rules_of_which_no_recipient_exists(store: Store) -> None:
    rules = parse_rules({"r.when": "failed", "r.to": "webhook:chat"})
    with pytest.raises(BadSettings, match=r"notify\.webhooks has no chat"):
        Notify(store, rules)


def test_the_group_of_the_role_is_no_foreign_one(
    store: Store, stepper: Make, receiver: WebhookServer
) -> None:
    Notifier(store, stepper, receiver.url, {"when": "failed"})
    [group] = [each for each in load_status(store)["groups"] if each["group"] == "notify"]
    assert group["kind"] == "role"
    assert events.FAILED_WORKFLOW == "failed-workflow"
