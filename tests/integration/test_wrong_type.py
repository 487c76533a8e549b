"""A key of a workflow that another program has overwritten: a sentence names it, and others go on."""

from __future__ import annotations

import logging

import pytest
import redis

from lfr.errors import LfrError, NotFound
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.store import keys
from lfr.store.redis.connection import Store
from tests.integration.conftest import append, events_of
from tests.support.listening import listening
from tests.support.waiting import eventually


def end_task(client: redis.Redis, id: str) -> None:
    append(client, kind="end-task", workflow=id, name="a", index=1, output={"x": 1})


@pytest.mark.parametrize("suffix", [":steps", ":outputs", ":facts", ""])
def test_a_key_of_another_type(
    store: Store, client: redis.Redis, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    ids = [start_workflow(store, "a -> b", {"n": 1}).id for _ in range(3)]
    broken, *others = ids
    client.delete(f"{broken}{suffix}")
    client.xadd(f"{broken}{suffix}", {"another": "program"})
    for id in ids:
        end_task(client, id)
    with listening(Lifecycle(store)) as [thread], caplog.at_level(logging.ERROR):
        eventually(lambda: all(client.hget(keys.steps(id), "2") for id in others))
        eventually(lambda: not suffix or f"the key {broken}{suffix} has data of another type" in caplog.text)
        assert thread.is_alive()
    assert "defect" not in caplog.text
    with pytest.raises(LfrError) as caught:
        (terminate_workflow if suffix == ":steps" else inspect_workflow)(store, broken)
    assert not suffix or f"the key {broken}{suffix} has data of another type than lfr's" in str(caught.value)
    assert f"lfr delete {broken}" in str(caught.value)
    if suffix == ":facts":  # the state can be changed all the same
        with pytest.raises(LfrError, match="has data of another type"):
            terminate_workflow(store, broken)
    delete_workflow(store, broken)
    assert [*client.scan_iter(f"{broken}*")] == []
    with pytest.raises(NotFound):
        inspect_workflow(store, broken)
    assert client.zscore(keys.ALL, broken) is None and client.zcard(keys.ALL) == 2


def test_a_delayed_start_of_another_type_holds_no_other_up(store: Store, client: redis.Redis) -> None:
    flow = "a (- lfr: {retry: {times: 1, delay: 1h}} -)"
    broken, other = (start_workflow(store, flow).id for _ in range(2))
    with listening(Lifecycle(store)):
        for id in (broken, other):
            append(client, kind="end-task", workflow=id, name="a", index=1, status="FAILURE", reason="no")
        eventually(lambda: client.zcard(keys.DELAYED_STARTS) == 2)
        (key,) = client.scan_iter(f"{broken}:start:*")
        client.delete(key)
        client.rpush(key, "x")
        client.zadd(keys.DELAYED_STARTS, dict.fromkeys(client.zrange(keys.DELAYED_STARTS, 0, -1), 1))
        eventually(lambda: client.zcard(keys.DELAYED_STARTS) == 0)
    second = [task["workflow"] for task in events_of(client, "start-task") if task["attempt"] == 2]
    assert second == [other]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (keys.latch("l"), "workflow:latch:l holds something that is no whole number"),
        (keys.latch_waiters("l"), "the key waits:latch:l has data of another type"),
        (keys.latch_holders("l"), "the key waits:holders:l has data of another type"),
    ],
)
def test_a_latch_of_another_type_holds_up_no_other_wait(
    store: Store, client: redis.Redis, caplog: pytest.LogCaptureFixture, key: str, message: str
) -> None:
    client.xadd(key, {"another": "program"})
    with listening(Lifecycle(store), WaitTasks(store)) as threads, caplog.at_level(logging.WARNING):
        start_workflow(store, "wait:acquire (- name: l -) -> wait:countdown (- name: l -)")
        start_workflow(store, "wait:countdown (- name: l -)")
        other = start_workflow(store, "wait:delay (- duration: 0.01 -) -> wait:delay (- duration: 0.01 -)").id
        eventually(lambda: inspect_workflow(store, other)["state"] == "FINISHED")
        eventually(lambda: message in caplog.text)
        assert all(thread.is_alive() for thread in threads)
    assert "defect" not in caplog.text
