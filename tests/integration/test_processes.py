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
from lfr.host.notify import ServiceManager
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.simulate import Simulate
from lfr.runtime.consumer import BatchListener
from lfr.runtime.heartbeat import VitalSigns
from lfr.store import keys
from lfr.store.redis.connection import Link, Store, connect
from tests.integration.conftest import Stepper
from tests.support.waiting import eventually


class Told:
    """A socket in systemd's place."""

    def __init__(self, link: socket.socket, supervisor: ServiceManager) -> None:
        self._link, self.supervisor = link, supervisor

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
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as link:
        link.bind(str(tmp_path / "notify"))
        link.setblocking(False)
        yield Told(link, ServiceManager(str(tmp_path / "notify"), watchdog_seconds=60))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign is due at every pass."""
    monkeypatch.setattr("lfr.runtime.heartbeat._EVERY_SECONDS", 0.0)


def names(told: list[str]) -> list[str]:
    return [line.partition("=")[0] for line in told]


@pytest.mark.usefixtures("quick")
def test_a_pass_is_a_sign_of_life(
    store: Store, client: redis.Redis, told: Told, stepper: Callable[[BatchListener], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    signs = VitalSigns("lifecycle.2", [lifecycle.listener], told.supervisor)
    start_workflow(store, "a -> b")
    lifecycle.step()
    signs.passed(lifecycle.listener, lifecycle.link)
    assert sorted(names(told.so_far())) == ["READY", "STATUS", "WATCHDOG"]
    for _ in range(2):  # what is not its own it acknowledges with its next read
        lifecycle.step()
    taken = client.xlen("workflows:run")
    signs.passed(lifecycle.listener, lifecycle.link)
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
    signs.gone(lifecycle.link)
    assert client.keys("workflows:process*") == []
    assert "no lifecycle runs" in next(find_problems(load_status(store), []))


@pytest.mark.usefixtures("quick")
def test_no_sign_is_given_while_one_listener_hangs(
    store: Store, told: Told, stepper: Callable[[BatchListener], Stepper]
) -> None:
    well, hangs = stepper(Lifecycle(store)), stepper(Simulate(store, 0, 0))
    signs = VitalSigns("worker", [well.listener, hangs.listener], told.supervisor)
    for _ in range(3):
        signs.passed(well.listener, well.link)
    assert told.so_far() == [] and load_status(store)["roles"] == []
    signs.cut_off(hangs.listener, "no Redis answers at nowhere")
    assert told.so_far() == ["STATUS=no Redis answers at nowhere; trying again", "WATCHDOG=1", "READY=1"]
    signs.passed(hangs.listener, hangs.link)
    assert told.so_far() == []


def test_a_process_whose_sign_has_expired_is_forgotten(
    store: Store, client: redis.Redis, told: Told, stepper: Callable[[BatchListener], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    VitalSigns("lifecycle", [lifecycle.listener], told.supervisor).passed(lifecycle.listener, lifecycle.link)
    [id] = client.smembers(keys.PROCESSES)
    assert 0 < client.pttl(keys.process(id)) <= 10_000
    client.delete(keys.process(id))
    assert load_status(store)["roles"] == []
    assert client.scard(keys.PROCESSES) == 0


def test_the_watchdog_waits_longer_than_a_time_out_of_redis(store: Store, told: Told) -> None:
    slow = connect(replace(store.settings, redis_timeout_seconds=60))
    VitalSigns("lifecycle", [Lifecycle(slow)], told.supervisor)
    assert told.so_far() == ["WATCHDOG_USEC=125000000"]
    VitalSigns("lifecycle", [Lifecycle(store)], told.supervisor)
    assert told.so_far() == []


def test_what_a_group_has_to_read_is_known_also_if_redis_does_not_tell(
    store: Store, client: redis.Redis, stepper: Callable[[BatchListener], Stepper]
) -> None:
    stepper(Lifecycle(store))
    ids = [start_workflow(store, "a").id for _ in range(3)]
    first, second = (entry[0] for entry in client.xrange("workflows:run", count=2))
    assert first and client.xdel("workflows:run", second) and len(ids) == 3
    [group] = load_status(store)["groups"]
    assert group["lag"] == client.xlen("workflows:run") == 5


@pytest.mark.usefixtures("quick")
def test_a_listener_without_redis_says_so_and_lives(store: Store, told: Told) -> None:
    nowhere = connect(replace(store.settings, redis_url="redis://127.0.0.1:1"))
    listener = Lifecycle(nowhere)
    listener.watcher = VitalSigns("lifecycle", [listener], told.supervisor)
    thread = threading.Thread(target=listener.listen)
    thread.start()
    try:
        lines: list[str] = []
        eventually(lambda: lines.extend(told.so_far()) or names(lines).count("WATCHDOG") >= 2)
    finally:
        listener.stop()
        thread.join()
    assert "READY=1" in lines
    assert any(line.startswith("STATUS=no Redis answers at redis://127.0.0.1:1") for line in lines)


def test_the_interface_of_a_watcher_is_the_listeners(store: Store) -> None:
    """A pass that is told carries the link it was made on: a sign needs no connection of its own."""
    seen: list[tuple[BatchListener, Link]] = []

    class Once:
        def passed(self, listener: BatchListener, link: Link) -> None:
            seen.append((listener, link))
            listener.stop()

        def cut_off(self, listener: BatchListener, why: str) -> None:
            raise AssertionError(why)

    listener = Lifecycle(store)
    listener.watcher = Once()
    listener.listen()
    assert len(seen) == 1 and seen[0][0] is listener


@pytest.mark.parametrize(
    ("setting", "value", "usual", "word"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "CONFIG SET maxmemory-policy noeviction"),
        ("maxmemory", "1", "0", "when it is full nothing moves on"),
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
