"""Tasks in threads: how many at once, how they are completed, what a stop leaves to other workers."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr import events
from lfr.config.settings import Settings
from lfr.host.valkey import ValkeyServer
from lfr.host.valkey_address import free_port
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Store, open_store
from lfr.store.stream.groups import reclaim
from lfr.values.json import Json
from lfr.worker.brief_tasks import BriefTasks
from lfr.worker.executor import TaskExecutor
from lfr.worker.failures import CompletedElsewhere, TaskFailed
from lfr.worker.suspects import Work
from tests.integration.conftest import append_to, events_of, joined_receipts, run_receipts_role
from tests.support.waiting import STALL_SECONDS, eventually

QUEUE = keys.queue("runner")


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(replace(settings, tasks_lease_seconds=0.4))


@contextmanager
def running(store: Store, work: Work, **options: Any) -> Iterator[TaskExecutor]:
    """Run an executor of the tasks `mine` in a thread."""
    settings = {"concurrency": 2, "grace_seconds": 5.0, **options}
    executor = TaskExecutor(store, "runner", work, claims=("mine",), **settings)
    thread = threading.Thread(target=executor.listen)
    thread.start()
    try:
        eventually(lambda: executor.established)
        yield executor
    finally:
        executor.stop()
        thread.join(STALL_SECONDS)
        assert not thread.is_alive()


def start(client: redis.Redis, index: int, base: str = "mine", input: Json = None) -> str:
    """Append a start-task event, whose attempt is current, to the queue. Return its entry id."""
    client.hset("workflow:w", "state", "RUNNING")
    client.hset(keys.steps("workflow:w"), str(index), "0 1 1")
    fields = {"workflow": "workflow:w", "name": base, "base": base, "index": index, "attempt": 1}
    return append_to(client, QUEUE, kind="start-task", input=input or {}, parameters={}, **fields)


def pending(client: redis.Redis) -> int:
    """Return how many entries the group of the executor has pending."""
    count: int = client.xpending(QUEUE, "runner")["pending"]
    return count


def in_queue(client: redis.Redis) -> list[str]:
    """Return the `base` of each task in the queue."""
    return [json.loads(fields["base"]) for _, fields in client.xrange(QUEUE)]


@pytest.mark.parametrize("has_receipts", [False, True])
def test_outputs_failures_and_receipts(store: Store, client: redis.Redis, has_receipts: bool) -> None:
    def work(task: events.StartTask) -> Json:
        if task.index == 2:
            raise TaskFailed("no such file")
        if task.index == 3:
            raise KeyError("size")
        if task.index == 4:
            return {"not": {"JSON"}}
        if task.index == 5:
            raise CompletedElsewhere
        if task.index == 6:
            raise SystemExit(3)
        return {"was": task.input}

    if has_receipts:
        run_receipts_role(client)
    with running(store, work):
        ids = [start(client, index, input={"n": index}) for index in range(1, 7)]
        start(client, 7, base="theirs")  # for another process of the group
        if has_receipts:
            eventually(lambda: len(joined_receipts(client)) == 6)
        else:
            eventually(lambda: "mine" not in in_queue(client))
        eventually(lambda: pending(client) <= 1)
    assert in_queue(client) == ["mine"] * (6 if has_receipts else 0) + ["theirs"]
    assert sorted(joined_receipts(client)) == (ids if has_receipts else [])
    ended = {event["index"]: event for event in events_of(client, "end-task")}
    assert ended[1]["output"] == {"was": {"n": 1}}
    assert ended[1]["attempt"] == 1
    assert [(ended[n]["status"], ended[n]["reason"]) for n in (2, 3, 6)] == [
        ("FAILURE", "no such file"),
        ("FAILURE", "KeyError: 'size'"),
        ("FAILURE", "SystemExit: 3"),
    ]
    assert ended[4]["reason"].startswith("the output of mine is not JSON")
    assert set(ended) == {1, 2, 3, 4, 6}


def test_no_more_are_taken_than_there_is_room_for(store: Store, client: redis.Redis) -> None:
    go, began = threading.Event(), threading.Semaphore(0)

    def work(task: events.StartTask) -> Json:
        began.release()
        assert go.wait(STALL_SECONDS)
        return {}

    with running(store, work):
        for index in range(5):
            start(client, index)
        assert began.acquire(timeout=STALL_SECONDS) and began.acquire(timeout=STALL_SECONDS)
        assert pending(client) == 2
        go.set()
        eventually(lambda: len(events_of(client, "end-task")) == 5)


def test_a_task_that_its_own_process_reclaims_runs_once(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ends before the process can renew it, as after a freeze."""
    begun: list[int] = []
    reclaimed: list[int] = []
    may_end = threading.Event()

    def work(task: events.StartTask) -> Json:
        begun.append(task.index)
        may_end.wait(STALL_SECONDS)
        return {}

    def counted(*arguments: Any, **options: Any) -> Any:
        entries, next_id = reclaim(*arguments, **options)
        reclaimed.append(len(entries))
        return entries, next_id

    monkeypatch.setattr("lfr.runtime.consumer.reclaim", counted)
    with running(store, work) as executor:
        start(client, 1)
        eventually(lambda: begun)
        executor.lease_seconds = executor._reclaim_at = 0.0
        eventually(lambda: sum(reclaimed) >= 2)
        may_end.set()
        eventually(lambda: not pending(client))
    assert begun == [1]
    assert len(events_of(client, "end-task")) == 1


def test_a_task_that_ends_while_its_own_process_reclaims_it_runs_once(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has given the entry out, and the end of the task is confirmed before the reply is looked at."""
    begun: list[int] = []
    reclaimed: list[int] = []
    may_end = threading.Event()

    def work(task: events.StartTask) -> Json:
        begun.append(task.index)
        may_end.wait(STALL_SECONDS)
        return {}

    def slow(*arguments: Any, **options: Any) -> Any:
        entries, next_id = reclaim(*arguments, **options)
        if entries and not reclaimed:
            may_end.set()
            eventually(lambda: not executor._completions.is_empty)
            with store.connect() as other:
                executor._completions.send(other, has_receipts=False)
        reclaimed.append(len(entries))
        return entries, next_id

    with running(store, work) as executor:
        start(client, 1)
        eventually(lambda: begun)
        monkeypatch.setattr("lfr.runtime.consumer.reclaim", slow)
        executor.lease_seconds = executor._reclaim_at = 0.0
        eventually(lambda: reclaimed[:1] == [1] and len(reclaimed) >= 3)
    assert begun == [1]
    assert len(events_of(client, "end-task")) == 1


def test_a_task_longer_than_the_lease_runs_once(store: Store, client: redis.Redis) -> None:
    count, lease = 0, 1.5  # renewed in time on a busy machine too
    store = open_store(replace(store.settings, tasks_lease_seconds=lease))
    go = threading.Event()

    def work(task: events.StartTask) -> Json:
        nonlocal count
        count += 1
        go.wait(2.5 * lease)
        return {}

    with running(store, work), running(store, work):
        start(client, 1)
        eventually(lambda: bool(events_of(client, "end-task")))
    assert count == 1


def test_a_stop_waits_for_what_runs(store: Store, client: redis.Redis) -> None:
    began, go = threading.Event(), threading.Event()

    def work(task: events.StartTask) -> Json:
        began.set()
        assert go.wait(STALL_SECONDS)
        return {"done": True}

    with running(store, work) as executor:
        start(client, 1)
        assert began.wait(STALL_SECONDS)
        executor.stop()
        start(client, 2)
        go.set()
    assert [event["index"] for event in events_of(client, "end-task")] == [1]


def test_what_outlives_the_grace_is_left_to_others(store: Store, client: redis.Redis) -> None:
    began, never = threading.Event(), threading.Event()

    def hang(task: events.StartTask) -> Json:
        began.set()
        never.wait(STALL_SECONDS)
        raise TaskFailed("came back too late")

    with running(store, hang, grace_seconds=0.1):
        start(client, 1)
        assert began.wait(STALL_SECONDS)
    with running(store, lambda task: {"by": "another"}):
        ended = eventually(lambda: events_of(client, "end-task"))
    assert [event.get("output") for event in ended] == [{"by": "another"}]
    never.set()


def left_by_the_dead(client: redis.Redis, deliveries: dict[str, int]) -> None:
    """Make entries pending at a consumer that has died; each was delivered so often."""
    client.xgroup_create(QUEUE, "runner", id="0", mkstream=True)
    client.xreadgroup("runner", "dead", {QUEUE: ">"})
    for id, count in deliveries.items():
        client.xclaim(QUEUE, "runner", "dead", 0, [id], idle=10_000, retrycount=count, justid=True)


def test_a_task_that_kills_its_workers_fails_and_its_neighbours_do_not(
    store: Store, client: redis.Redis
) -> None:
    """Suspects run one at a time; those that wait do not count as delivered."""
    deliveries = {start(client, index): count for index, count in enumerate((1, 2, 3, 4, 5, 9), start=1)}
    left_by_the_dead(client, deliveries)
    running_now: list[int] = []
    delivered: dict[int, int] = {}
    counts: list[list[int]] = []

    def work(task: events.StartTask) -> Json:
        delivered[task.index] = task.delivery
        if task.delivery >= 3:
            running_now.append(task.index)
            assert len(running_now) == 1
            rows = client.xpending_range(QUEUE, "runner", "-", "+", 10)
            counts.append([row["times_delivered"] for row in rows if row["message_id"] in deliveries])
            running_now.remove(task.index)
        return {}

    with running(store, work, concurrency=8):
        eventually(lambda: pending(client) == 0)
    assert delivered == {1: 2, 2: 3, 3: 4, 4: 5}
    assert all(max(each[1:4], default=0) <= 5 for each in counts)
    ends = {event["index"]: event for event in events_of(client, "end-task")}
    assert [ends[index]["status"] for index in (1, 2, 3, 4)] == ["SUCCESS"] * 4
    for index in (5, 6):
        assert ends[index]["reason"] == "the worker died 5 times with this task (setting tasks.deliveries)"
        assert ends[index]["retry"] is False


def test_a_worker_that_is_stopped_has_not_died(store: Store, client: redis.Redis) -> None:
    began, never = threading.Event(), threading.Event()

    def hang(task: events.StartTask) -> Json:
        began.set()
        never.wait(STALL_SECONDS)
        return {}

    left_by_the_dead(client, {start(client, 1): 1})
    for _ in range(7):
        with running(store, hang, grace_seconds=0.01):
            assert began.wait(STALL_SECONDS)
            began.clear()
    deliveries: list[int] = []
    with running(store, lambda task: deliveries.append(task.delivery)):
        eventually(lambda: events_of(client, "end-task"))
    assert deliveries == [2]
    never.set()


class Unprintable(BaseException):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise SystemExit


class UnreadableOutput(dict[str, Json]):
    """An output that raises when it is written as JSON."""

    def items(self) -> Any:
        raise Unprintable


def test_whatever_a_task_raises_or_returns_completes_it(store: Store, client: redis.Redis) -> None:
    def work(task: events.StartTask) -> Json:
        if task.index == 1:
            raise Unprintable
        return UnreadableOutput(a=1) if task.index == 2 else {"number": task.index}

    with running(store, work):
        for index in range(1, 7):
            start(client, index)
        eventually(lambda: len(events_of(client, "end-task")) == 6)
        eventually(lambda: pending(client) == 0)
    ended = {event["index"]: event for event in events_of(client, "end-task")}
    reason = "Unprintable, whose text cannot be made"
    assert (ended[1]["reason"], ended[2]["reason"]) == (reason, reason)
    assert [ended[index]["output"] for index in range(3, 7)] == [{"number": index} for index in range(3, 7)]


def transaction_count(client: redis.Redis) -> int:
    """Return how many transactions the server has executed since its statistics were reset."""
    return int(client.info("commandstats").get("cmdstat_exec", {"calls": 0})["calls"])


def test_tasks_that_end_meanwhile_are_completed_in_one_transaction(store: Store, client: redis.Redis) -> None:
    together = threading.Barrier(32)

    def work(task: events.StartTask) -> Json:
        together.wait(STALL_SECONDS)
        return {}

    for index in range(32):
        start(client, index)
    client.config_resetstat()
    with running(store, work, concurrency=32):
        eventually(lambda: len(events_of(client, "end-task")) == 32)
        eventually(lambda: pending(client) == 0)
    assert client.xlen(QUEUE) == 0
    assert transaction_count(client) <= 16


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_completion_travels_with_the_next_read(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    monkeypatch.setattr("lfr.worker.executor._SHORT_SECONDS", STALL_SECONDS)  # also on a busy machine
    writes: list[list[Any]] = []
    send = Connection.send

    def send_and_note(connection: Connection, commands: Sequence[Command]) -> None:
        writes.append([command[0] for command in commands])
        send(connection, commands)

    for index in range(5):
        start(client, index)
    monkeypatch.setattr(Connection, "send", send_and_note)
    with running(store, lambda task: {}, concurrency=concurrency):
        eventually(lambda: len(events_of(client, "end-task")) == 5)
    completing = [names for names in writes if "XADD" in names or "XACK" in names]
    assert all(names[0] == "MULTI" and names[-3:] == ["EXEC", "XREADGROUP", "MGET"] for names in completing)
    assert len(completing) == math.ceil(5 / concurrency)


def test_tasks_that_take_long_do_not_keep_others_from_starting(store: Store, client: redis.Redis) -> None:
    begun = threading.Semaphore(0)
    may_end = threading.Event()

    def work(task: events.StartTask) -> Json:
        begun.release()
        may_end.wait(STALL_SECONDS)
        return {}

    with running(store, work, concurrency=3):
        for index in range(3):
            start(client, index)
            assert begun.acquire(timeout=STALL_SECONDS)
        may_end.set()
        eventually(lambda: pending(client) == 0)


def test_attempts_that_are_not_current_take_two_round_trips_for_a_batch(
    store: Store, client: redis.Redis
) -> None:
    for index in range(10):
        start(client, index)
    client.delete("workflow:w")
    client.set(keys.stale_mark("runner"), 1)
    client.config_resetstat()
    with running(store, lambda task: {}, concurrency=10):
        eventually(lambda: client.xlen(QUEUE) == 0)
        eventually(lambda: not client.exists(keys.stale_mark("runner")))
    assert events_of(client, "end-task") == []
    assert client.info("commandstats")["cmdstat_xack"]["calls"] == 1


def test_threads_are_bounded_and_run_many_tasks(store: Store, client: redis.Redis) -> None:
    threads: set[threading.Thread] = set()

    def work(task: events.StartTask) -> Json:
        threads.add(threading.current_thread())
        return {}

    with running(store, work, concurrency=2):
        for index in range(60):
            start(client, index)
        eventually(lambda: len(events_of(client, "end-task")) == 60)
    assert 1 <= len(threads) <= 3  # one more than tasks: it sends
    assert all(thread.daemon for thread in threads)


def test_tasks_go_on_while_redis_is_killed_and_started_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began, go = threading.Semaphore(0), threading.Event()

    def sync_work(task: events.StartTask) -> Json:
        began.release()
        assert go.wait(STALL_SECONDS)
        return {"number": task.index}

    def work(task: events.StartTask) -> Any:
        return asyncio.to_thread(sync_work, task) if task.index % 2 else sync_work(task)

    port = free_port()
    server = ValkeyServer(tmp_path, port=port)
    server.start()
    store = open_store(Settings(redis_url=server.address.url, redis_timeout_seconds=5))
    try:
        client = redis.Redis.from_url(server.address.url, decode_responses=True, protocol=2)
        client.config_set("appendfsync", "always")  # else a slow disk may have written nothing yet
        with client, running(store, work, concurrency=8):
            for index in range(10):
                start(client, index)
            for _ in range(8):
                assert began.acquire(timeout=STALL_SECONDS)
            assert server.pid
            os.kill(server.pid, signal.SIGKILL)
            go.set()
            eventually(lambda: "no Redis answers" in caplog.text)
            server.stop()
            server.start()
            eventually(lambda: len(events_of(client, "end-task")) >= 10)
            eventually(lambda: pending(client) == 0)
            outputs = sorted(event["output"]["number"] for event in events_of(client, "end-task"))
    finally:
        store.pool.disconnect()
        server.stop()
    assert outputs == list(range(10))


def test_an_end_that_redis_has_refused_with_a_read_is_sent_again(store: Store, client: redis.Redis) -> None:
    refused = threading.Event()

    def work(task: events.StartTask) -> Json:
        client.config_set("maxmemory", 1)
        refused.set()
        return {"number": task.index}

    try:
        with running(store, work, concurrency=1) as executor:
            start(client, 1)
            assert refused.wait(STALL_SECONDS)
            eventually(lambda: executor._completions.has_failed)
            client.config_set("maxmemory", 0)
            eventually(lambda: events_of(client, "end-task"))
            eventually(lambda: pending(client) == 0 and not executor.claimed_ids())
    finally:
        client.config_set("maxmemory", 0)
    assert [event["output"] for event in events_of(client, "end-task")] == [{"number": 1}]


@pytest.mark.parametrize("concurrency", [1, 2])
def test_the_end_of_a_task_that_a_failover_has_lost_is_dropped(
    store: Store, client: redis.Redis, concurrency: int
) -> None:
    """Its start is lost with it. The step may start anew, with another input and the same number."""
    began, go = threading.Semaphore(0), threading.Event()

    def work(task: events.StartTask) -> Json:
        began.release()
        assert go.wait(STALL_SECONDS)
        return {"input": task.input}

    with running(store, work, concurrency=concurrency) as executor:
        lost = start(client, 1, input={"number": 1})
        assert began.acquire(timeout=STALL_SECONDS)
        client.xdel(QUEUE, lost)
        client.xack(QUEUE, "runner", lost)
        client.client_kill_filter(_type="normal", skipme=True)  # as Sentinels do with a former primary
        eventually(lambda: executor._completions._dropped)
        start(client, 1, input={"number": 2})
        go.set()
        eventually(lambda: events_of(client, "end-task"))
        eventually(lambda: pending(client) == 0 and not executor.claimed_ids())
    assert [event["output"] for event in events_of(client, "end-task")] == [{"input": {"number": 2}}]


@pytest.fixture
def all_are_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BriefTasks, "is_brief", lambda self, name: True)


@pytest.mark.usefixtures("all_are_brief")
def test_brief_tasks_run_in_the_thread_that_reads(store: Store, client: redis.Redis) -> None:
    threads: list[tuple[int, int]] = []  # of each task, and of the one that reads

    class Noting(TaskExecutor):
        def run_pass(self, connection: Connection) -> None:
            self.reading = threading.get_ident()
            super().run_pass(connection)

    def work(task: events.StartTask) -> Json:
        threads.append((threading.get_ident(), executor.reading))
        return {}

    for index in range(1, 6):
        start(client, index)
    executor = Noting(store, "runner", work, claims=("mine",), concurrency=5)
    thread = threading.Thread(target=executor.listen)
    thread.start()
    eventually(lambda: len(events_of(client, "end-task")) == 5)
    executor.stop()
    thread.join(STALL_SECONDS)
    assert not thread.is_alive()
    # If the machine holds one of them up, others read, and run the rest.
    assert threads[0][0] == threads[0][1] != thread.ident


@pytest.mark.usefixtures("all_are_brief")
def test_a_task_that_is_not_brief_after_all_holds_up_no_other(store: Store, client: redis.Redis) -> None:
    may_end, runs = threading.Event(), list[int]()

    def work(task: events.StartTask) -> Json:
        runs.append(task.index)
        if task.index < 3:
            assert may_end.wait(STALL_SECONDS)
        return {}

    def ended() -> set[int]:
        return {event["index"] for event in events_of(client, "end-task")}

    for index in range(1, 6):  # read together
        start(client, index)
    with running(store, work, concurrency=5), ExitStack() as stack:
        stack.callback(may_end.set)
        eventually(lambda: ended() == {3, 4, 5})
        start(client, 6)  # read by another thread
        eventually(lambda: ended() == {3, 4, 5, 6})
        may_end.set()
        eventually(lambda: ended() == {1, 2, 3, 4, 5, 6})
        eventually(lambda: pending(client) == 0)
    assert sorted(runs) == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("all_are_brief")
def test_a_stop_waits_for_a_task_in_the_thread_that_reads(store: Store, client: redis.Redis) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def work(task: events.StartTask) -> Json:
        has_begun.set()
        assert may_end.wait(STALL_SECONDS)
        return {"n": task.index}

    with running(store, work, grace_seconds=STALL_SECONDS) as executor:
        start(client, 1)
        assert has_begun.wait(STALL_SECONDS)
        executor.stop()
        may_end.set()
    assert [event["output"] for event in events_of(client, "end-task")] == [{"n": 1}]
    assert pending(client) == 0
