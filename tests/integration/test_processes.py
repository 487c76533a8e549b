"""Signs of life, and what `lfr status` reads of them."""

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


class Told:
    """A socket in systemd's place."""

    def __init__(self, connection: socket.socket, supervisor: ServiceManager) -> None:
        self._link, self.supervisor = connection, supervisor

    def so_far(self) -> list[str]:
        """What has been told since the last look, line by line."""
        lines: list[str] = []
        while True:
            try:
                lines += self._link.recv(10_000).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as connection:
        connection.bind(str(tmp_path / "notify"))
        connection.setblocking(False)
        yield Told(connection, ServiceManager(str(tmp_path / "notify"), watchdog_seconds=60))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign is due at every pass."""
    monkeypatch.setattr("lfr.runtime.heartbeat._INTERVAL_SECONDS", 0.0)


def names(told: list[str]) -> list[str]:
    return [line.partition("=")[0] for line in told]


@pytest.mark.usefixtures("quick")
def test_a_pass_is_a_sign_of_life(
    store: Store, client: redis.Redis, told: Told, stepper: Callable[[Consumer], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    signs = HeartbeatMonitor("lifecycle.2", [lifecycle.consumer], told.supervisor)
    start_workflow(store, "a -> b")
    lifecycle.step()
    signs.pass_completed(lifecycle.consumer, lifecycle.connection)
    assert sorted(names(told.so_far())) == ["READY", "STATUS", "WATCHDOG"]
    for _ in range(2):  # what is not its own it acknowledges with its next read
        lifecycle.step()
    taken = client.xlen("workflows:run")
    signs.pass_completed(lifecycle.consumer, lifecycle.connection)
    status, watchdog = told.so_far()
    assert watchdog == "WATCHDOG=1"
    assert status == f"STATUS=0 to read, 0 pending; {taken} events taken in 2 passes"
    state = load_status(store)
    [role] = state["roles"]
    assert (role["name"], role["role"], role["events"], role["passes"]) == (
        "lifecycle.2",
        "lifecycle",
        taken,
        2,
    )
    assert role["age"] < 10
    [group] = state["groups"]
    assert group == {"name": "lifecycle", "consumers": 1, "lag": 0, "pending": 0}
    assert state["stream"] == {"key": "workflows:run", "length": client.xlen("workflows:run")}
    assert state["workflows"]["RUNNING"] == 1
    assert list(find_problems(state, [])) == []
    signs.remove(lifecycle.connection)
    assert client.keys("workflows:process*") == []
    assert "no lifecycle runs" in next(find_problems(load_status(store), []))


@pytest.mark.usefixtures("quick")
def test_no_sign_is_given_while_one_listener_hangs(
    store: Store, told: Told, stepper: Callable[[Consumer], Stepper]
) -> None:
    well, hangs = stepper(Lifecycle(store)), stepper(Simulate(store, 0, 0))
    signs = HeartbeatMonitor("worker", [well.consumer, hangs.consumer], told.supervisor)
    for _ in range(3):
        signs.pass_completed(well.consumer, well.connection)
    assert told.so_far() == [] and load_status(store)["roles"] == []
    signs.disconnected(hangs.consumer, "no Redis answers at nowhere")
    assert told.so_far() == ["STATUS=no Redis answers at nowhere; trying again", "WATCHDOG=1", "READY=1"]
    signs.pass_completed(hangs.consumer, hangs.connection)
    assert told.so_far() == []


def test_a_process_whose_sign_has_expired_is_forgotten(
    store: Store, client: redis.Redis, told: Told, stepper: Callable[[Consumer], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    HeartbeatMonitor("lifecycle", [lifecycle.consumer], told.supervisor).pass_completed(
        lifecycle.consumer, lifecycle.connection
    )
    [id] = client.smembers(keys.PROCESSES)
    assert 0 < client.pttl(keys.process(id)) <= 10_000
    client.delete(keys.process(id))
    assert load_status(store)["roles"] == []
    assert client.scard(keys.PROCESSES) == 0


def test_the_watchdog_waits_longer_than_a_time_out_of_redis(store: Store, told: Told) -> None:
    slow = open_store(replace(store.settings, redis_timeout_seconds=60))
    HeartbeatMonitor("lifecycle", [Lifecycle(slow)], told.supervisor)
    assert told.so_far() == ["WATCHDOG_USEC=125000000"]
    HeartbeatMonitor("lifecycle", [Lifecycle(store)], told.supervisor)
    assert told.so_far() == []


def test_what_a_group_has_to_read_is_known_also_if_redis_does_not_tell(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    stepper(Lifecycle(store))
    ids = [start_workflow(store, "a").id for _ in range(3)]
    first, second = (entry[0] for entry in client.xrange("workflows:run", count=2))
    assert first and client.xdel("workflows:run", second) and len(ids) == 3
    [group] = load_status(store)["groups"]
    assert group["lag"] == client.xlen("workflows:run") == 5


@pytest.mark.usefixtures("quick")
def test_a_listener_without_redis_says_so_and_lives(store: Store, told: Told) -> None:
    nowhere = open_store(replace(store.settings, redis_url="redis://127.0.0.1:1"))
    consumer = Lifecycle(nowhere)
    consumer.observer = HeartbeatMonitor("lifecycle", [consumer], told.supervisor)
    thread = threading.Thread(target=consumer.listen)
    thread.start()
    try:
        lines: list[str] = []
        eventually(lambda: lines.extend(told.so_far()) or names(lines).count("WATCHDOG") >= 2)
    finally:
        consumer.stop()
        thread.join()
    assert "READY=1" in lines
    assert any(line.startswith("STATUS=no Redis answers at redis://127.0.0.1:1") for line in lines)


def test_the_interface_of_a_watcher_is_the_listeners(store: Store) -> None:
    """A pass that is told carries the link it was made on: a sign needs no connection of its own."""
    seen: list[tuple[Consumer, Connection]] = []

    class Once:
        def pass_completed(self, consumer: Consumer, connection: Connection) -> None:
            seen.append((consumer, connection))
            consumer.stop()

        def disconnected(self, consumer: Consumer, why: str) -> None:
            raise AssertionError(why)

    consumer = Lifecycle(store)
    consumer.observer = Once()
    consumer.listen()
    assert len(seen) == 1 and seen[0][0] is consumer


@pytest.mark.parametrize(
    ("setting", "value", "usual", "word"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "CONFIG SET maxmemory-policy noeviction"),
        ("maxmemory", "1", "0", "when it is full, no workflow makes progress"),
        ("replicaof", "127.0.0.1 1", "no one", "this Redis is a replica"),
    ],
)
def test_what_a_server_does_that_endangers_workflows_is_told(
    store: Store, client: redis.Redis, setting: str, value: str, usual: str, word: str
) -> None:
    def set_to(words: str) -> None:
        command = ("REPLICAOF",) if setting == "replicaof" else ("CONFIG", "SET", setting)
        client.execute_command(*command, *words.split())

    assert load_status(store)["redis"]["warnings"] == []
    set_to(value)
    try:
        state = load_status(store)
    finally:
        set_to(usual)
    [warning] = state["redis"]["warnings"]
    assert word in warning
    assert warning in find_problems(state, [])
