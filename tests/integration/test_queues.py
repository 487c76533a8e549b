"""Claims and queues: each task is in one place, whoever comes and goes, and others see every event."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.lifecycle import housekeeper
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.simulate import Simulate
from lfr.runtime import claim_keeper
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.processes import Process, heartbeat_commands
from lfr.store.queues.claims import ClaimConflict, claim, read_claims
from lfr.store.redis.connection import Store, open_store
from lfr.worker.executor import TaskExecutor
from tests.integration.conftest import Stepper, append, events_of
from tests.support.interference import overtaken
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do at every pass what is done every few seconds."""
    for module, name in (
        (housekeeper, "_EVERY_SECONDS"),
        (housekeeper, "_TIDY_SECONDS"),
        (claim_keeper, "_CHECK_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 0)


def worker(store: Store, *tasks: str, group: str = "mine") -> TaskExecutor:
    """Return an executor of these tasks, which says which task it has done."""
    return TaskExecutor(store, group, lambda task: {"by": group}, claims=tasks, concurrency=4)


def queued(client: redis.Redis, group: str = "mine") -> int:
    return int(client.xlen(keys.queue(group)))


def waiting(client: redis.Redis) -> dict[str, int]:
    """Return how many tasks of each name wait for somebody to claim them."""
    names = client.smembers(keys.UNCLAIMED)
    return {name: count for name in names if (count := client.zcard(keys.unclaimed(name)))}


def on_bus(client: redis.Redis, kind: str) -> list[dict[str, str]]:
    return [fields for _, fields in client.xrange("workflows:run") if fields["kind"] == f'"{kind}"']


def finish(store: Store, id: str, *steppers: Stepper) -> dict[str, Any]:
    """Let these take passes until the workflow has finished; return what inspect says."""

    def has_finished() -> bool:
        for stepper in steppers:
            stepper.step()
        return bool(inspect_workflow(store, id)["state"] == "FINISHED")

    eventually(has_finished)
    return inspect_workflow(store, id)


def process(name: str, group: str, *tasks: str) -> Process:
    return Process(name, "tasks", name, "host", 7, "0", "now", claims={group: tasks})


def test_a_claimed_task_goes_to_the_queue_and_leaves_nothing(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a", "b"))
    id = start_workflow(store, "a -> b").id
    assert queued(client) == 1 and on_bus(client, "start-task") == []
    assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}
    eventually(lambda: lifecycle.step() or client.xlen("workflows:run") == 0)
    assert queued(client) == 0 and client.xlen(keys.ENDS) == 0


def test_tasks_that_wait_are_moved_when_a_group_claims_them(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    ids = [start_workflow(store, "a", {"n": n}).id for n in range(3)]
    other = start_workflow(store, "other").id
    lifecycle.step()
    assert waiting(client) == {"a": 3, "other": 1}
    mine = stepper(worker(store, "a"))
    assert waiting(client) == {"other": 1}
    assert [fields["name"] for fields in on_bus(client, "start-task")] == ['"other"']
    for id in ids:
        assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}
    assert inspect_workflow(store, other)["state"] == "RUNNING"


def test_many_tasks_are_moved_from_between_many_others(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    for n in range(450):
        start_workflow(store, "a", {"n": n})
        append(client, kind="noise", n=n)
    started_ms = dict(client.zrange("workflows:unclaimed:a", 0, -1, withscores=True))
    mine = stepper(worker(store, "a"))
    assert queued(client) == 450 and on_bus(client, "start-task") == []
    queue = [fields for _, fields in client.xrange(keys.queue("mine"))]
    assert {fields["input"] for fields in queue} == {f'{{"n":{n}}}' for n in range(450)}
    members = (f"{json.loads(fields['workflow'])} 1 1 {json.loads(fields['run'])}" for fields in queue)
    order = [started_ms[member] for member in members]
    assert order == sorted(order)  # of one millisecond, any may be first
    mine.step()


def test_a_task_that_ended_before_it_was_moved_is_not_done(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    done: list[int] = []
    executor = TaskExecutor(store, "mine", lambda task: done.append(task.index), claims=("a",), concurrency=4)
    mine = stepper(executor)
    id = start_workflow(store, "a").id
    terminate_workflow(store, id)
    eventually(lambda: mine.step() or queued(client) == 0)
    assert done == []


def test_the_mark_that_tasks_are_to_be_checked_goes_when_all_have_been_read(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    mine = stepper(worker(store, "a"))
    terminate_workflow(store, start_workflow(store, "a").id)
    assert client.exists(keys.stale_mark("mine"))
    eventually(lambda: mine.step() or not client.exists(keys.stale_mark("mine")))
    assert queued(client) == 0


def test_what_a_foreign_worker_works_on_stays_its_own(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    client.xgroup_create("workflows:run", "theirs", "0")
    first, second = (start_workflow(store, "a").id for _ in range(2))

    def read() -> list[tuple[str, dict[str, str]]]:
        [[_, entries]] = client.xreadgroup("theirs", "me", {"workflows:run": ">"})
        return [(id, fields) for id, fields in entries if fields["kind"] == '"start-task"']

    (first_id, _), (second_id, _) = read()
    append(
        client, kind="end-task", workflow=first, name="a", index=1, status="SUCCESS", output={"by": "theirs"}
    )
    client.xack("workflows:run", "theirs", first_id)
    finish(store, first, lifecycle)
    mine = stepper(worker(store, "a"))
    for _ in range(3):
        mine.step()
    assert queued(client) == 0 and inspect_workflow(store, second)["state"] == "RUNNING"
    append(
        client, kind="end-task", workflow=second, name="a", index=1, status="SUCCESS", output={"by": "theirs"}
    )
    assert finish(store, second, lifecycle, mine)["output"] == {"by": "theirs"}
    client.xack("workflows:run", "theirs", second_id)


def test_what_a_foreign_group_only_leaves_pending_is_moved(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    client.xgroup_create("workflows:run", "theirs", "0", mkstream=True)
    id = start_workflow(store, "a").id
    client.xreadgroup("theirs", "me", {"workflows:run": ">"})  # and it never acknowledges
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a"))
    assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}


def test_a_foreign_group_sees_every_event_and_its_copies_are_cleared(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a", "b"))
    id = start_workflow(store, "a -> b").id
    lifecycle.step()
    mine.step()
    client.xgroup_create("workflows:run", "theirs", "$")  # it joins in the middle
    seen: list[dict[str, str]] = []

    def step() -> bool:
        lifecycle.step()
        mine.step()
        for _, entries in client.xreadgroup("theirs", "me", {"workflows:run": ">"}):
            seen.extend(fields for _, fields in entries)
            client.xack("workflows:run", "theirs", *(id for id, _ in entries))
        return inspect_workflow(store, id)["state"] == "FINISHED" and client.xlen("workflows:run") == 0

    eventually(step)
    kinds = [fields["kind"] for fields in seen if fields["kind"] != '"receipt"']
    assert kinds == ['"end-task"', '"start-task"', '"end-task"', '"end-workflow"']
    assert seen[[each["kind"] for each in seen].index('"start-task"')]["claimed"] == '"mine"'


def test_an_event_that_is_a_copy_ends_no_step(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    append(client, kind="end-task", workflow=id, name="a", index=1, status="SUCCESS", copy_of="1-1")
    for _ in range(3):
        lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "RUNNING"


def test_a_second_group_does_not_get_a_task_of_one_that_lives(store: Store, stepper: Make) -> None:
    with store.connect() as connection:
        claim(connection, "mine", ["a", "b"], heartbeat_commands(process("one", "mine", "a", "b"), 60))
        with pytest.raises(ClaimConflict, match="the group mine does b already: one on host, pid 7"):
            claim(connection, "yours", ["b", "c"])
        assert read_claims(connection).groups == {"a": "mine", "b": "mine"}
        claim(connection, "mine", ["b", "c"])  # the same group, another process
        assert read_claims(connection).groups == {"a": "mine", "b": "mine", "c": "mine"}


def test_of_two_groups_that_claim_a_task_at_once_one_gets_it(store: Store) -> None:
    with store.connect() as connection, store.connect() as other:
        alive = heartbeat_commands(process("one", "mine", "a"), 60)
        overtaking = overtaken(
            connection, lambda: claim(other, "mine", ["a"], alive), writing="HSET workflows:claims"
        )
        with overtaking, pytest.raises(ClaimConflict, match="the group mine does a already"):
            claim(connection, "yours", ["a"], heartbeat_commands(process("two", "yours", "a"), 60))
        assert read_claims(connection).groups == {"a": "mine"}


def test_a_group_takes_the_tasks_of_one_that_is_dead(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, dead = stepper(Lifecycle(store)), stepper(worker(store, "a", "b", group="dead"))
    ids = [start_workflow(store, text).id for text in ("a", "a", "b")]
    client.xreadgroup("dead", "me", {keys.queue("dead"): ">"}, count=1)  # it was killed after this
    mine = stepper(worker(store, "a"))
    assert (queued(client), queued(client, "dead")) == (2, 1)
    for id in ids[:2]:
        assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}
    assert finish(store, ids[2], lifecycle, dead)["output"] == {"by": "dead"}


def test_a_claim_lapses_and_others_may_do_the_tasks(
    settings: Settings, client: redis.Redis, stepper: Make
) -> None:
    store = open_store(replace(settings, tasks_forget_seconds=0.05))
    with store.connect() as connection:
        claim(connection, "gone", ["a"], heartbeat_commands(process("one", "gone", "a"), 0.05))
    client.delete("workflows:process:one")
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    assert queued(client, "gone") == 1
    eventually(lambda: lifecycle.step() or queued(client, "gone") == 0)
    with store.connect() as connection:
        assert read_claims(connection).groups == {}
        assert waiting(client) == {"a": 1}
    [task] = on_bus(client, "start-task")
    assert task["claimed"] == "null"
    back = stepper(worker(store, "a", group="gone"))
    assert finish(store, id, lifecycle, back)["output"] == {"by": "gone"}


def test_a_task_that_a_group_no_longer_has_waits_for_another(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, before = stepper(Lifecycle(store)), stepper(worker(store, "a", "old"))
    id = start_workflow(store, "old").id
    assert queued(client) == 1
    before.consumer.stop()
    after = stepper(worker(store, "a"))
    with store.connect() as connection:
        assert read_claims(connection).groups == {"a": "mine"}
        assert waiting(client) == {"old": 1}
    other = stepper(worker(store, "old", group="other"))
    assert finish(store, id, lifecycle, after, other)["output"] == {"by": "other"}


def test_a_process_hands_on_what_another_process_of_its_group_does(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.worker.executor._STRANGER_SECONDS", 0)
    lifecycle, old = stepper(Lifecycle(store)), stepper(worker(store, "a"))
    with store.connect() as connection:
        connection.execute(heartbeat_commands(process("new", "mine", "a", "new"), 60))
        claim(connection, "mine", ["a", "new"])
    id = start_workflow(store, "new").id
    old.step()
    old.step()
    assert queued(client) == 1
    new = stepper(worker(store, "a", "new"))
    assert finish(store, id, lifecycle, old, new)["output"] == {"by": "mine"}


def test_a_start_task_that_no_lifecycle_has_routed_finds_its_worker(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    first, second = (start_workflow(store, "a").id for _ in range(2))
    [one, two] = client.xrange("workflows:run", "-", "+")[1::2]
    for (entry_id, fields), has_been_read in ((one, False), (two, True)):
        client.xdel("workflows:run", entry_id)
        client.delete(keys.unclaimed("a"))
        del fields["claimed"]
        client.xadd("workflows:run", fields)
        if has_been_read:  # by a lifecycle of a version without queues
            client.xgroup_setid("workflows:run", "lifecycle", "$")
    mine = stepper(worker(store, "a"))
    for id in (first, second):
        assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}
    assert on_bus(client, "start-task") == []


def test_claims_and_tasks_come_back_after_redis_was_emptied(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a"))
    start_workflow(store, "a")
    lifecycle.step()
    client.flushall()
    stepper(worker(store, "a", group="another"))
    lifecycle = stepper(lifecycle.consumer)
    id = start_workflow(store, "b -> a").id
    append(client, kind="end-task", workflow=id, name="b", index=1, status="SUCCESS")
    eventually(lambda: lifecycle.step() or queued(client, "another") == 1)
    assert queued(client) == 0
    with pytest.raises(Exception, match="NOGROUP"):
        mine.step()


def test_a_stranger_cannot_end_an_iterated_step(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a"))
    id = start_workflow(store, "* a", [1, 2]).id
    append(client, kind="end-task", workflow=id, name="a", index=1, status="SUCCESS", output=["forged"])
    assert finish(store, id, lifecycle, mine)["output"] == [{"by": "mine"}, {"by": "mine"}]
    [(_, letter)] = client.xrange("workflows:dead")
    assert letter["reason"] == f"step 1 of {id} ends with its children"


def test_a_housekeeper_that_died_is_followed_by_another(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    one, two = stepper(Lifecycle(store)), stepper(Lifecycle(store))
    one.step()
    two.step()
    assert client.get(keys.HOUSEKEEPER) == one.consumer.id.name
    client.pexpire(keys.HOUSEKEEPER, 50)
    eventually(lambda: two.step() or client.get(keys.HOUSEKEEPER) == two.consumer.id.name)
    two.consumer.leave(two.connection)
    assert not client.exists(keys.HOUSEKEEPER)


def test_a_worker_waits_until_a_process_that_died_counts_as_gone(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    with store.connect() as connection:
        claim(connection, "dead", ["a"], heartbeat_commands(process("one", "dead", "a"), 60))
    client.pexpire("workflows:process:one", 300)
    began = time.monotonic()
    stepper(worker(store, "a"))
    assert client.hgetall(keys.CLAIMS) == {"a": "mine"}
    assert time.monotonic() - began < 60


def test_simulate_gives_way_to_a_group_that_claims_its_task(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle, simulate = stepper(Lifecycle(store)), stepper(Simulate(store, 0, 0))
    id = start_workflow(store, "a").id
    simulate.step()
    assert len(simulate.consumer.claimed_ids()) == 1
    mine = stepper(worker(store, "a"))
    simulate.step()
    assert events_of(client, "end-task") == [] and simulate.consumer.claimed_ids() == []
    assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}


@pytest.mark.parametrize("is_done_elsewhere", [False, True])
def test_what_an_earlier_version_of_the_group_holds_on_the_bus_is_moved_after_the_lease(
    store: Store, client: redis.Redis, stepper: Make, is_done_elsewhere: bool
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    client.xgroup_create("workflows:run", "mine", id="0")
    [(_, entries)] = client.xreadgroup("mine", "earlier", {"workflows:run": ">"})
    if is_done_elsewhere:  # the lifecycle has taken an end of such a task from the bus
        client.hset(keys.FOREIGN_TASKS, "a", 0)
    mine = stepper(worker(store, "a"))
    mine.step()
    assert queued(client) == 0 and len(on_bus(client, "start-task")) == 1
    held_ms = round(1000 * store.settings.tasks_lease_seconds)
    client.xclaim("workflows:run", "mine", "earlier", 0, [id for id, _ in entries], idle=held_ms)
    assert finish(store, id, lifecycle, mine)["output"] == {"by": "mine"}


def test_the_group_of_an_earlier_version_does_not_keep_the_bus_from_being_cleared(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    client.xgroup_create("workflows:run", "mine", id="0", mkstream=True)
    client.xgroup_createconsumer("workflows:run", "mine", "earlier")
    lifecycle, mine = stepper(Lifecycle(store)), stepper(worker(store, "a"))
    finish(store, start_workflow(store, "a").id, lifecycle, mine)
    eventually(lambda: lifecycle.step() or client.xlen("workflows:run") == 0)
