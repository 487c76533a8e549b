"""The list of those who wait: events, latches, times; its groups, filters, pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from lfr.errors import BadInput
from lfr.operations.intervene import terminate_workflow
from lfr.operations.list_workflows import make_filter
from lfr.operations.start import start_workflow
from lfr.operations.waits.list_waits import list_waits, send_event_to_waits
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Store
from lfr.store.waits.listing import list_earlier_waits
from tests.integration.conftest import Stepper, append, settle

Make = Callable[[Consumer], Stepper]

PAID = (
    "@flow order; wait:event (- {event: paid, timeout: 1h, on_timeout: fail, match: {order: '{input[n]}'}} -)"
)


@pytest.fixture
def role(store: Store, stepper: Make) -> Stepper:
    return stepper(WaitTasks(store))


def groups(store: Store) -> dict[tuple[str, str], int]:
    return {(group["kind"], group["name"]): group["count"] for group in list_waits(store).groups}


def all_pages(store: Store, **options: Any) -> list[dict[str, Any]]:
    waits: list[dict[str, Any]] = []
    after = None
    while True:
        page = list_waits(store, after=after, **options)
        waits += page.waits
        after = page.next
        if after is None:
            return waits


def test_everybody_who_waits_is_listed_with_what_ends_it(
    store: Store, client: redis.Redis, role: Stepper, lifecycle: Stepper
) -> None:
    paid = start_workflow(store, PAID, {"n": 7}).id
    delay = start_workflow(store, "@flow nap; @task nap = wait:delay (- {duration: 60} -); nap").id
    lock = "wait:acquire (- {name: l} -) -> wait:countdown (- {name: l} -)"
    latch = start_workflow(store, f"@flow lock; {lock}").id
    slow = start_workflow(store, "@flow slow; a (- lfr: {timeout: 90} -)").id
    again = start_workflow(store, "@flow again; b (- lfr: {retry: 3, timeout: 5} -)").id
    settle(client, role, lifecycle)
    append(client, kind="end-task", workflow=again, name="b", index=1, status="FAILURE", reason="no")
    settle(client, role, lifecycle)
    rows = {row["workflow"]: row for row in list_waits(store).waits}
    assert list(rows) == [paid, latch, delay, again]
    row = rows[paid]
    assert (row["flow"], row["step"], row["task"], row["fails"]) == (
        "order",
        "wait:event",
        "wait:event",
        True,
    )
    assert (row["kind"], row["event"], row["match"], row["latch"]) == ("event", "paid", {"order": 7}, None)
    assert row["since"] < row["until"]
    assert (rows[latch]["latch"], rows[latch]["until"]) == ("l", None)
    assert (rows[delay]["step"], rows[delay]["task"], rows[delay]["event"]) == ("nap", "wait:delay", None)
    assert (rows[again]["kind"], rows[again]["task"], rows[again]["since"]) == ("retry", "b", None)
    [limited] = list_waits(store, kind="deadline").waits
    assert (limited["workflow"], limited["task"], limited["fails"]) == (slow, "a", True)
    assert groups(store) == {
        ("event", "paid"): 1,
        ("latch", "l"): 1,
        ("delay", ""): 1,
        ("retry", ""): 1,
        ("deadline", "task"): 1,
    }
    for id in rows:
        terminate_workflow(store, id)
    settle(client, role, lifecycle)
    assert list_waits(store).waits == []
    assert not client.keys("waits:kind:*") and not client.exists(keys.DELAYS)


def test_pages_have_each_wait_once_and_in_order(
    store: Store, client: redis.Redis, role: Stepper, lifecycle: Stepper
) -> None:
    ids = [start_workflow(store, PAID, {"n": n}).id for n in range(25)]
    other = [start_workflow(store, "wait:event (- {event: built} -)").id for _ in range(5)]
    settle(client, role, lifecycle)
    client.zadd(keys.kind_waits("paid"), {m: 1.5 for m in client.zrange(keys.kind_waits("paid"), 0, 14)})
    waits = all_pages(store, size=4)
    assert [row["event"] for row in waits] == 5 * ["built"] + 25 * ["paid"]
    assert sorted(row["workflow"] for row in waits) == sorted(ids + other)
    assert len(all_pages(store, size=5, name="paid")) == 25
    [row] = list_waits(store, filter=make_filter(store, where=f'text~"{ids[20]}"')).waits
    assert row["workflow"] == ids[20]
    assert len(all_pages(store, size=3, filter=make_filter(store, name="order"), kind="event")) == 25
    assert list_waits(store, filter=make_filter(store, name="none")).waits == []


def test_a_filter_that_selects_little_ends_a_page_after_many(
    store: Store,
    client: redis.Redis,
    role: Stepper,
    lifecycle: Stepper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lfr.operations.waits.page._MAX_EXAMINED", 4)
    monkeypatch.setattr("lfr.operations.waits.page._CHUNK", 4)
    ids = [start_workflow(store, PAID, {"n": n}).id for n in range(10)]
    settle(client, role, lifecycle)
    filter = make_filter(store, text=ids[9])
    page = list_waits(store, filter=filter)
    assert (page.waits, page.examined, page.next is None) == ([], 4, False)
    assert [row["workflow"] for row in all_pages(store, filter=filter)] == [ids[9]]


def test_a_wait_whose_workflow_was_deleted_is_forgotten(
    store: Store, client: redis.Redis, role: Stepper, lifecycle: Stepper
) -> None:
    id = start_workflow(store, PAID, {"n": 1}).id
    settle(client, role, lifecycle)
    client.delete(*client.keys(f"{id}:wait:*"))
    assert list_waits(store).waits == []
    assert groups(store) == {}


def test_waits_of_an_earlier_version_are_listed(
    store: Store, client: redis.Redis, role: Stepper, lifecycle: Stepper
) -> None:
    start_workflow(store, PAID, {"n": 1})
    start_workflow(store, "wait:delay (- {duration: 60} -)")
    start_workflow(store, "wait:event (- {event: cancelled} -)")
    settle(client, role, lifecycle)
    client.set("workflow:x:wait:of a user", "no wait")
    before = {key: client.zrange(key, 0, -1, withscores=True) for key in indexes(client)}
    client.delete(keys.ARE_WAITS_LISTED, *before)
    cursor = -1
    with store.connect() as connection:
        while cursor:
            cursor = list_earlier_waits(connection, max(cursor, 0))
        assert {key: client.zrange(key, 0, -1, withscores=True) for key in indexes(client)} == before
        client.delete(*before)
        assert list_earlier_waits(connection, 0) == 0
    assert indexes(client) == []  # it has been done a moment ago


def indexes(client: redis.Redis) -> list[str]:
    return sorted([*client.keys("waits:kind:*"), *client.keys(keys.DELAYS)])


def test_an_event_is_sent_once_for_each_different_match(
    store: Store, client: redis.Redis, role: Stepper, lifecycle: Stepper
) -> None:
    for n in (1, 2, 2):
        start_workflow(store, PAID, {"n": n})
    other = start_workflow(store, PAID.replace("@flow order", "@flow other"), {"n": 3}).id
    settle(client, role, lifecycle)
    orders = make_filter(store, name="order")
    with pytest.raises(BadInput, match="the field order is given by the waits"):
        send_event_to_waits(store, "paid", {"order": 7}, orders)
    assert len(send_event_to_waits(store, "paid", {"output": "ok"}, orders)) == 2
    settle(client, role, lifecycle)
    assert [row["workflow"] for row in list_waits(store).waits] == [other]
    assert send_event_to_waits(store, "built", {}) == []


@pytest.mark.parametrize(
    "bad",
    [
        *("", "x", "[]", '{"a": 1}', '["event", "paid", "1"]', '["none", "", "1", "w 1 1"]'),
        *('["event", "paid", "nan", "w"]', '["event", "\\ud800", "1", "w"]', '["event", 1, "1", "w"]'),
    ],
)
def test_a_cursor_that_cannot_be_is_refused(store: Store, bad: str) -> None:
    with pytest.raises(BadInput, match="next is not the cursor of a page"):
        list_waits(store, after=bad)


def test_wrong_sizes_and_kinds_are_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="there is no kind of waits evnt"):
        list_waits(store, kind="evnt")
    with pytest.raises(BadInput, match="size is 0"):
        list_waits(store, size=0)
