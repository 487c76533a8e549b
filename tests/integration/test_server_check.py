"""Servers that lfr cannot use: one sentence and one exit code, at the start of every command and role."""

from __future__ import annotations

import io
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import redis
from rqse import EventListener

from lfr.cli.exit_codes import ExitCode, exit_code
from lfr.config.settings import Settings
from lfr.errors import BadSettings, Refused, WrongServer
from lfr.host.systemd import ServiceManager
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.roles.receipts import Receipts
from lfr.roles.worker import run as run_worker
from lfr.runtime.process import RoleContext
from lfr.store import keys
from lfr.store.redis import server_check
from lfr.store.redis.connection import open_store
from lfr.store.redis.server_check import _KEY_TYPES
from tests.support.servers import running_with
from tests.support.waiting import STALL_SECONDS


def reason(url: str) -> str:
    """Return why lfr refuses the server, after asking by a read and by a write."""
    return refusal(url).message


def refusal(url: str) -> WrongServer:
    """Return the error with which lfr refuses the server, after asking by a read and by a write."""
    store = open_store(Settings(redis_url=url))
    with pytest.raises(WrongServer) as by_write:
        start_workflow(store, "a")
    with pytest.raises(WrongServer) as by_read, store.connect() as connection:
        connection.execute([("GET", "key")], keep_errors=True)
    assert str(by_read.value) == str(by_write.value)
    assert exit_code(by_read.value) == ExitCode.BAD_SETTINGS
    return by_read.value


@contextmanager
def answering(*replies: bytes) -> Iterator[str]:
    """Run a server that answers all requests of a connection at once, with the next of these replies."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for reply in replies:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(reply)
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(STALL_SECONDS)


def test_a_sentinel(tmp_path: Path) -> None:
    with running_with(tmp_path, is_sentinel=True) as url:
        assert "is a Sentinel, which stores nothing" in reason(url)
        assert "is a Sentinel" in reason(f"{url}/1")


def test_a_node_of_a_cluster(tmp_path: Path) -> None:
    with running_with(tmp_path, "cluster-enabled yes") as url:
        assert "is a node of a cluster, which lfr cannot use" in reason(url)
        assert "is a node of a cluster" in reason(f"{url}/1")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("XAUTOCLAIM", "does not know XAUTOCLAIM: lfr needs Redis 6.2"),
        ("HELLO", "is older than 6.0: lfr needs Redis 6.2"),
    ],
)
def test_an_old_redis(tmp_path: Path, command: str, message: str) -> None:
    with running_with(tmp_path, f'rename-command {command} ""') as url:
        assert message in reason(url)


def test_a_server_that_is_no_redis() -> None:
    """A web server answers with lines of which some are empty."""
    answer = b"HTTP/1.1 400 Bad Request\r\nServer: x\r\nX: y\r\n\r\nBad Request\r\n" + b"x\r\n\r\n" * 100
    with answering(answer, answer) as url:
        assert "is no Redis" in reason(url)


def test_a_database_that_does_not_exist(redis_url: str) -> None:
    assert reason(f"{redis_url}/9999").endswith("/9999 has no such database")


def test_the_database_is_that_of_the_url(redis_url: str, client: redis.Redis) -> None:
    with redis.Redis.from_url(f"{redis_url}/3") as other:
        other.flushdb()
        with open_store(Settings(redis_url=f"{redis_url}/3")).connect() as connection:
            connection.call("SET", "key", "value")
        assert other.get("key") == b"value" and client.get("key") is None
        other.flushdb()


def test_a_database_that_a_user_may_not_choose(redis_url: str, client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "some", "on", ">pw", "~*", "&*", "+@all", "-select")
    url = redis_url.replace("//", "//some:pw@")
    with (
        pytest.raises(Refused, match="no permissions"),
        open_store(Settings(redis_url=f"{url}/1")).connect() as it,
    ):
        it.call("GET", "key")
    with open_store(
        Settings(redis_url=redis_url, redis_username="some", redis_password="pw")
    ).connect() as it:
        assert it.call("GET", "key") is None


def test_keys_of_other_programs(redis_url: str, client: redis.Redis) -> None:
    client.set("workflows:run", "x")
    assert "the key workflows:run is a string, but must be a stream" in reason(redis_url)


def test_the_types_are_those_of_the_keys() -> None:
    texts = [value for name, value in vars(keys).items() if name[:1].isupper() and isinstance(value, str)]
    constants = {text for text in texts if text[:1].isalpha()}  # the others are patterns
    assert constants <= _KEY_TYPES.keys()


@pytest.mark.parametrize("stream", ["workflows:all", "workflows:state:FAILED", "waits:timers", "workflow:a"])
def test_a_stream_under_a_key_of_other_data(stream: str) -> None:
    with pytest.raises(BadSettings, match="is a key that lfr uses for other data"):
        open_store(Settings(stream=stream))


def test_a_user_who_may_not_ask_for_the_check(redis_url: str, client: redis.Redis) -> None:
    client.execute_command(
        *("ACL", "SETUSER", "some", "on", ">pw", "~*", "&*", "+@all"),
        *("-hello", "-command", "-type", "-@dangerous"),
    )
    store = open_store(Settings(redis_url=redis_url, redis_username="some", redis_password="pw"))
    id = start_workflow(store, "a").id
    status = load_status(store)
    assert not status["redis"]["is_known"] and status["redis"]["warnings"] == []
    assert status["stream"]["length"] == 2 and status["workflows"]["RUNNING"] == 1
    assert client.exists(id)


def test_a_role_says_it_once_and_ends(
    redis_url: str, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.set("workflows:run", "x")
    store = open_store(Settings(redis_url=redis_url))
    supervisor = ServiceManager.from_environment(MappingProxyType({}))
    with caplog.at_level(logging.ERROR):
        assert run_worker(store, RoleContext("worker", supervisor, lambda: None)) == ExitCode.BAD_SETTINGS
    assert len(caplog.records) == 1 and "must be a stream" in caplog.text


def test_a_role_waits_if_its_server_becomes_another_one(redis_url: str, client: redis.Redis) -> None:
    """Somebody may be at work there; a role that has served this Redis goes on later."""
    store = open_store(Settings(redis_url=redis_url))
    consumer = Receipts(store, io.StringIO())
    states: list[str] = []

    class Observer:
        def pass_completed(self, *_: object) -> None:
            states.append("passed")
            if len(states) == 1:
                client.set("workflows:run", "x")
                client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            elif "away" in states:
                consumer.stop()

        def disconnected(self, _: object, reason: str) -> None:
            states.append("away")
            client.delete("workflows:run")

        def has_left(self, _: object) -> None:
            pass

    consumer.observer = Observer()
    consumer.listen()
    assert states[0] == states[-1] == "passed" and "away" in states


def test_two_streams_in_one_database(
    redis_url: str, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    start_workflow(open_store(Settings(redis_url=redis_url)), "a")
    other = Settings(redis_url=redis_url, stream="jobs:run")
    with pytest.raises(
        WrongServer, match="has the stream workflows:run, these settings name jobs:run"
    ) as caught:
        start_workflow(open_store(other), "a")
    assert exit_code(caught.value) == ExitCode.BAD_SETTINGS
    with pytest.raises(WrongServer, match="has the stream workflows:run"):
        load_status(open_store(other))
    supervisor = ServiceManager.from_environment(MappingProxyType({}))
    assert run_worker(open_store(other), RoleContext("w", supervisor, lambda: None)) == ExitCode.BAD_SETTINGS
    assert client.exists("jobs:run") == 0
    assert load_status(open_store(replace(other, redis_prefix="jobs:")))["stream"]["length"] == 0


@pytest.mark.parametrize("first", ["a role", "a start", "a restored workflow"])
def test_who_notes_the_stream(redis_url: str, client: redis.Redis, first: str) -> None:
    """A command that only reads notes nothing: it may have the wrong settings."""
    store = open_store(Settings(redis_url=redis_url, stream="jobs"))
    load_status(open_store(Settings(redis_url=redis_url, stream="tasks")))
    with store.connect() as connection:
        if first == "a role":
            Receipts(store, io.StringIO()).join(connection)
        else:
            id = start_workflow(store, "a").id
        if first == "a restored workflow":
            archive = archive_workflow(store, id)
            client.flushall()
            restore_workflow(store, archive)
    with pytest.raises(WrongServer, match="has the stream jobs, these settings name tasks"):
        load_status(open_store(Settings(redis_url=redis_url, stream="tasks")))


def test_a_role_that_is_connected_meets_another_stream_when_it_joins(
    redis_url: str, client: redis.Redis
) -> None:
    store = open_store(Settings(redis_url=redis_url, stream="jobs"))
    with store.connect() as connection:
        connection.call("PING")
        client.set(keys.STREAM, "tasks")
        with pytest.raises(WrongServer, match="has the stream tasks"):
            Receipts(store, io.StringIO()).join(connection)


def littleflow_worker(client: redis.Redis, group: str) -> str:
    """Read the stream as the worker of littleflow_redis does. Return the name of its consumer."""
    listener = EventListener("workflows:run", group, pool=client.connection_pool)
    name = str(listener._consumer)
    client.xgroup_create("workflows:run", group, "0", mkstream=True)
    client.xadd(
        "workflows:run", {"kind": '"test"'}
    )  # up to 7.0, Redis knows no consumer that has read nothing
    client.xreadgroup(group, name, {"workflows:run": ">"})
    return name


@pytest.mark.parametrize("group", ["ending", "lifecycle", "wait"])
def test_a_worker_of_littleflow_redis(redis_url: str, client: redis.Redis, group: str) -> None:
    name = littleflow_worker(client, group)
    message = reason(redis_url)
    assert message.startswith(
        "a worker of littleflow_redis reads workflows:run in this database of the Redis"
    )
    assert f"{redis_url}, in the group {group}" in message
    store = open_store(Settings(redis_url=redis_url, redis_prefix="lfr:"))
    start_workflow(store, "a")  # the way out that the hint names
    client.xgroup_delconsumer("workflows:run", group, name)
    if group == "ending":  # it may be there and have read nothing yet
        assert "XGROUP DESTROY workflows:run ending" in refusal(redis_url).hint
        client.xgroup_destroy("workflows:run", group)
    load_status(open_store(Settings(redis_url=redis_url)))


def test_a_worker_of_littleflow_redis_that_is_gone(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    littleflow_worker(client, "ending")
    monkeypatch.setattr(server_check, "_ALIVE_MS", 0)
    load_status(open_store(Settings(redis_url=redis_url)))


@pytest.mark.parametrize("key", ["workflows:all", "workflows:inprogress"])
def test_data_of_littleflow_redis(redis_url: str, client: redis.Redis, key: str) -> None:
    client.sadd(key, "workflow:a") if key == "workflows:inprogress" else client.lpush(key, "workflow:a")
    assert "littleflow_redis keeps its workflows in this database" in reason(redis_url)
    start_workflow(open_store(Settings(redis_url=redis_url, redis_prefix="lfr:")), "a")


def test_a_worker_of_our_own_protocol_is_none_of_littleflow_redis(
    redis_url: str, client: redis.Redis
) -> None:
    """Workers that read with rqse have names of the same form, in groups of their own."""
    littleflow_worker(client, "text")
    load_status(open_store(Settings(redis_url=redis_url)))
