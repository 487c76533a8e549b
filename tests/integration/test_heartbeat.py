"""Heartbeats: what systemd and Redis get, and what `lfr status` reads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from lfr.cli.commands.status import find_problems
from lfr.host.systemd import ServiceManager
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.simulate import Simulate
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import HeartbeatMonitor
from lfr.store import keys
from lfr.store.redis.connection import Connection, Store, open_store
from tests.integration.conftest import Stepper
from tests.support.waiting import eventually


class Systemd:
    """Stands in for systemd: receives what a process notifies."""

    def __init__(self, socket: socket.socket, supervisor: ServiceManager) -> None:
        self._socket, self.supervisor = socket, supervisor

    def receive(self) -> list[str]:
        """Return the lines that have come since the last call."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(10_000).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notify_socket:
        notify_socket.bind(str(tmp_path / "notify"))
        notify_socket.setblocking(False)
        yield Systemd(notify_socket, ServiceManager(str(tmp_path / "notify"), watchdog_seconds=60))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a heartbeat due at every pass."""
    monkeypatch.setattr("lfr.runtime.heartbeat._INTERVAL_SECONDS", 0.0)


def names(lines: list[str]) -> list[str]:
    return [line.partition("=")[0] for line in lines]


@pytest.mark.usefixtures("quick")
def test_a_completed_pass_sends_a_heartbeat(
    store: Store, client: redis.Redis, systemd: Systemd, stepper: Callable[[Consumer], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    monitor = HeartbeatMonitor("lifecycle.2", [lifecycle.consumer], systemd.supervisor)
    start_workflow(store, "a -> b")
    lifecycle.step()
    monitor.pass_completed(lifecycle.consumer, lifecycle.connection)
    assert sorted(names(systemd.receive())) == ["READY", "STATUS", "WATCHDOG"]
    for _ in range(2):  # foreign entries are acknowledged with the next read
        lifecycle.step()
    event_count = 2  # start-workflow and start-task
    monitor.pass_completed(lifecycle.consumer, lifecycle.connection)
    status, watchdog = systemd.receive()
    assert watchdog == "WATCHDOG=1"
    assert status == f"STATUS=0 to read, 0 pending; {event_count} events taken in 2 passes"
    state = load_status(store)
    [role] = state["roles"]
    assert (role["name"], role["role"], role["events"], role["passes"]) == (
        "lifecycle.2",
        "lifecycle",
        event_count,
        2,
    )
    assert role["age"] < 10
    [group] = state["groups"]
    streams = {each["key"]: (each["lag"], each["pending"]) for each in group.pop("streams")}
    assert streams == {"workflows:run": (0, 0), "workflows:ends": (0, 0)}
    assert 0 <= group.pop("silent") < 3600 and 0 < group.pop("forgotten") <= 3600
    counts = {"consumers": 1, "lag": 0, "pending": 0, "waits": None}
    assert group == {"name": "lifecycle", "group": "lifecycle", "kind": "role", **counts}
    assert state["stream"] == {"key": "workflows:run", "length": client.xlen("workflows:run")}
    assert state["workflows"]["RUNNING"] == 1
    [problem] = find_problems(state, [])
    assert problem.startswith("no live worker does a: 1 task waits")
    monitor.remove(lifecycle.connection)
    assert client.keys("workflows:process*") == []
    assert "no lifecycle runs" in next(find_problems(load_status(store), []))


@pytest.mark.usefixtures("quick")
def test_no_heartbeat_is_sent_while_one_consumer_hangs(
    store: Store, systemd: Systemd, stepper: Callable[[Consumer], Stepper]
) -> None:
    alive, hanging = stepper(Lifecycle(store)), stepper(Simulate(store, 0, 0))
    monitor = HeartbeatMonitor("worker", [alive.consumer, hanging.consumer], systemd.supervisor)
    for _ in range(3):
        monitor.pass_completed(alive.consumer, alive.connection)
    assert systemd.receive() == [] and load_status(store)["roles"] == []
    monitor.disconnected(hanging.consumer, "no Redis answers at nowhere")
    assert systemd.receive() == ["STATUS=no Redis answers at nowhere; trying again", "WATCHDOG=1", "READY=1"]
    monitor.pass_completed(hanging.consumer, hanging.connection)
    assert systemd.receive() == []


def test_a_process_whose_heartbeat_has_expired_is_removed(
    store: Store, client: redis.Redis, systemd: Systemd, stepper: Callable[[Consumer], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    HeartbeatMonitor("lifecycle", [lifecycle.consumer], systemd.supervisor).pass_completed(
        lifecycle.consumer, lifecycle.connection
    )
    [id] = client.smembers(keys.PROCESSES)
    assert 0 < client.pttl(keys.process(id)) <= 10_000
    client.delete(keys.process(id))
    assert load_status(store)["roles"] == []
    assert client.scard(keys.PROCESSES) == 0


def test_the_watchdog_waits_longer_than_a_time_out_of_redis(store: Store, systemd: Systemd) -> None:
    slow = open_store(replace(store.settings, redis_timeout_seconds=60))
    HeartbeatMonitor("lifecycle", [Lifecycle(slow)], systemd.supervisor)
    assert systemd.receive() == ["WATCHDOG_USEC=125000000"]
    HeartbeatMonitor("lifecycle", [Lifecycle(store)], systemd.supervisor)
    assert systemd.receive() == []


def test_the_lag_of_a_group_is_counted_if_redis_does_not_report_it(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    stepper(Lifecycle(store))
    ids = [start_workflow(store, "a").id for _ in range(3)]
    first, second = (entry[0] for entry in client.xrange("workflows:run", count=2))
    assert first and client.xdel("workflows:run", second) and len(ids) == 3
    [group] = load_status(store)["groups"]
    assert group["lag"] == client.xlen("workflows:run") == 5


@pytest.mark.usefixtures("quick")
def test_a_consumer_without_redis_reports_it_and_goes_on(store: Store, systemd: Systemd) -> None:
    nowhere = open_store(replace(store.settings, redis_url="redis://127.0.0.1:1"))
    consumer = Lifecycle(nowhere)
    consumer.observer = HeartbeatMonitor("lifecycle", [consumer], systemd.supervisor)
    thread = threading.Thread(target=consumer.listen)
    thread.start()
    try:
        lines: list[str] = []
        eventually(lambda: lines.extend(systemd.receive()) or names(lines).count("WATCHDOG") >= 2)
    finally:
        consumer.stop()
        thread.join()
    assert "READY=1" in lines
    assert any(line.startswith("STATUS=no Redis answers at redis://127.0.0.1:1") for line in lines)


def test_an_observer_can_use_the_connection_of_the_pass(store: Store) -> None:
    """So a heartbeat needs no connection of its own."""
    passes: list[tuple[Consumer, bytes]] = []
    left: list[Consumer] = []

    class Once:
        def pass_completed(self, consumer: Consumer, connection: Connection) -> None:
            passes.append((consumer, connection.call("PING")))
            consumer.stop()

        def disconnected(self, consumer: Consumer, reason: str) -> None:
            raise AssertionError(reason)

        def has_left(self, consumer: Consumer) -> None:
            left.append(consumer)

    consumer = Lifecycle(store)
    consumer.observer = Once()
    consumer.listen()
    assert passes == [(consumer, b"PONG")]
    assert left == [consumer]


@pytest.mark.parametrize(
    ("setting", "value", "default", "word"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "CONFIG SET maxmemory-policy noeviction"),
        ("maxmemory", "1", "0", "when it is full, no workflow makes progress"),
        ("replicaof", "127.0.0.1 1", "no one", "this Redis is a replica"),
    ],
)
def test_settings_of_a_server_that_endanger_workflows_are_reported(
    store: Store, client: redis.Redis, setting: str, value: str, default: str, word: str
) -> None:
    def set_to(words: str) -> None:
        command = ("REPLICAOF",) if setting == "replicaof" else ("CONFIG", "SET", setting)
        client.execute_command(*command, *words.split())

    assert load_status(store)["redis"]["warnings"] == []
    set_to(value)
    try:
        state = load_status(store)
    finally:
        set_to(default)
    [warning] = state["redis"]["warnings"]
    assert word in warning
    assert warning in find_problems(state, [])


def test_a_group_is_called_like_its_role(store: Store, client: redis.Redis) -> None:
    for group in ("lifecycle", "starting", "__receipt__", "mine"):
        client.xgroup_create(store.stream, group, mkstream=True)
    groups = {group["group"]: group["name"] for group in load_status(store)["groups"]}
    assert groups == {
        "lifecycle": "lifecycle",
        "starting": "simulate",
        "__receipt__": "receipts",
        "mine": "mine",
    }
