"""Errors and states of a server, and what lfr raises, reports and does about them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from unittest import mock

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import LfrError, Refused, Unreachable
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Command, Store, open_store
from lfr.store.redis.transaction import commit_together_or_singly
from tests.support.servers import running
from tests.support.waiting import eventually

APPEND = ("XADD", "key", "*", "field", "value")


@pytest.fixture(scope="module")
def own_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of these tests, which they bring into many states."""
    with running("valkey", tmp_path_factory.mktemp("own")) as server:
        yield server.address.url


@pytest.fixture
def admin(own_url: str) -> Iterator[redis.Redis]:
    """A client that is connected before the server gets into its state."""
    with redis.Redis.from_url(own_url, protocol=2) as client:
        client.ping()
        yield client


def test_without_commands_no_connection_is_opened() -> None:
    with open_store(Settings(redis_port=1)).connect() as connection:
        assert connection.execute([]) == []


@pytest.mark.parametrize(
    ("state", "undo", "kind", "word"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", Unreachable, "cannot serve"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            Unreachable,
            "NOREPLICAS",
        ),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", Unreachable, "read only"),
        ("CONFIG SET requirepass x", "CONFIG SET requirepass ''", Refused, "Authentication required"),
        ("ACL SETUSER default -xadd", "ACL SETUSER default +@all", Refused, "no permissions"),
    ],
)
def test_a_server_that_refuses_a_command(
    own_url: str, admin: redis.Redis, state: str, undo: str, kind: type[LfrError], word: str
) -> None:
    store = open_store(Settings(redis_url=own_url))
    with admin.client() as admin_client:
        admin_client.execute_command(*state.split())
        try:
            for commands in ([APPEND], [("MULTI",), APPEND, ("EXEC",)]):
                with pytest.raises(kind, match=word), store.connect() as connection:
                    connection.execute(commands, keep_errors=True)
        finally:
            admin_client.execute_command(*(word.strip("'") for word in undo.split()))
    with store.connect() as connection:
        assert connection.execute([("PING",)]) == [b"PONG"]


@pytest.mark.parametrize(
    ("state", "undo", "kind", "word"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", Unreachable, "OOM"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", Unreachable, "READONLY"),
        ("ACL SETUSER default -xadd", "ACL SETUSER default +@all", Refused, "ACL"),
    ],
)
def test_a_server_that_refuses_in_the_middle_of_a_transaction(
    own_url: str, admin: redis.Redis, state: str, undo: str, kind: type[LfrError], word: str
) -> None:
    with admin.client() as admin_client, open_store(Settings(redis_url=own_url)).connect() as connection:
        connection.execute_unchecked([("MULTI",), APPEND])
        admin_client.execute_command(*state.split())
        try:
            replies = connection.execute_unchecked([("EXEC",)])
        finally:
            admin_client.execute_command(*undo.split())
        with (
            pytest.raises(kind, match=word),
            mock.patch.object(connection, "execute_unchecked", return_value=replies),
        ):
            connection.transact([])


def test_a_replica_without_its_primary(own_url: str, admin: redis.Redis) -> None:
    with admin.client() as admin_client:
        admin_client.config_set("replica-serve-stale-data", "no")
        admin_client.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            with (
                pytest.raises(Unreachable, match="cannot serve"),
                open_store(Settings(redis_url=own_url)).connect() as connection,
            ):
                connection.execute([("GET", "key")])
        finally:
            admin_client.execute_command("REPLICAOF", "NO", "ONE")


def test_the_error_of_one_command_is_kept_or_raised(own_url: str) -> None:
    with open_store(Settings(redis_url=own_url)).connect() as connection:
        replies = connection.execute([("SET", "s", "x"), ("INCR", "s"), ("GET", "s")], keep_errors=True)
        assert isinstance(replies[1], redis.ResponseError)
        assert replies[2] == b"x"
        with pytest.raises(redis.ResponseError):
            connection.execute([("INCR", "s")])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            Settings(redis_host="127.0.0.1", redis_port=1),
            "no Redis answers at 127.0.0.1:1: Connection refused",
        ),
        (
            Settings(redis_url="unix:///nowhere/redis.sock"),
            "no Redis answers at unix:///nowhere/redis.sock: No such file or directory",
        ),
    ],
)
def test_a_server_that_does_not_answer_is_reported_in_one_line(settings: Settings, reason: str) -> None:
    with pytest.raises(Unreachable) as caught, open_store(settings).connect() as connection:
        connection.execute([("PING",)])
    assert caught.value.message == reason


def test_redis_pys_own_parser_reads_the_same(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where redis-py has no place for our parser any more."""
    monkeypatch.setattr("lfr.store.redis.pool.find_parser_class", lambda: None)
    other_store = open_store(store.settings)
    assert "parser_class" not in other_store.pool.connection_kwargs
    client.xadd("stream", {"field": "value"}, id="1-0")
    commands = [
        *(("SET", "s", "a\r\nb"), ("GET", "s"), ("GET", "missing"), ("EXISTS", "s"), ("INCR", "s")),
        *(("XRANGE", "stream", "-", "+"), ("LRANGE", "missing", 0, -1), ("PING",)),
    ]
    results = []
    for each in (store, other_store):
        with each.connect() as connection:
            replies = connection.execute(commands, keep_errors=True)
            replies[4] = type(replies[4]), str(replies[4])
            committed = connection.transact([("SET", "t", 1), ("INCR", "t")])
            connection.execute([("WATCH", "t")])
            client.incr("t")
            refused = connection.transact([("SET", "t", 0)])
            with pytest.raises(redis.ResponseError, match="not an integer"):
                connection.transact([("INCR", "s")])
            results.append((replies, committed, refused))
    other_store.pool.disconnect()
    assert results[0] == results[1]
    assert results[0][0][1:4] == [b"a\r\nb", None, 1]
    assert results[0][1:] == ([b"OK", 2], None)


def test_a_watch_ends_with_its_connection(store: Store, client: redis.Redis) -> None:
    with store.connect() as connection:
        connection.execute([("WATCH", "x"), ("GET", "x")])
    client.set("x", "moved")
    with store.connect() as connection:
        assert connection.transact([("SET", "y", "1")]) is not None


@pytest.mark.parametrize(
    ("state", "undo"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ],
)
def test_a_role_reports_an_outage_and_goes_on_after_it(
    own_url: str, admin: redis.Redis, caplog: pytest.LogCaptureFixture, state: str, undo: str
) -> None:
    admin.flushall()
    store = open_store(Settings(redis_url=own_url, lease_seconds=0.2))
    id = start_workflow(store, "A -> B").id
    lifecycle = Lifecycle(store)
    thread = threading.Thread(target=lifecycle.listen)
    thread.start()
    try:
        with admin.client() as admin_client:
            admin_client.execute_command("MULTI")  # so that the role does not read the event before
            admin_client.execute_command(
                *("XADD", "workflows:run", "*", "kind", '"end-task"', "index", "1"),
                *("name", '"A"', "workflow", json.dumps(id), "attempt", "1"),
            )
            if "REPLICAOF" not in state:
                admin_client.execute_command(*state.split())
            admin_client.execute_command("EXEC")
            if "REPLICAOF" in state:
                admin_client.execute_command(*state.split())
            try:
                eventually(lambda: "cannot serve" in caplog.text)
                assert thread.is_alive()
            finally:
                admin_client.execute_command(*undo.split())
        eventually(lambda: str(admin.hget(id, "counts"), "utf-8").split()[1] == "2")
    finally:
        lifecycle.stop()
        thread.join()
        store.pool.disconnect()


def test_a_connection_that_nobody_gives_back_is_closed(own_url: str, admin: redis.Redis) -> None:
    """As if Ctrl-C came between the pool and its user."""
    pool = open_store(Settings(redis_url=own_url)).pool
    connection = pool.take()
    connection.send_command("CLIENT", "ID")
    id = str(connection.read_response())
    assert id in {client["id"] for client in admin.client_list()}
    del connection  # its last reference: nothing waits for the collector
    eventually(lambda: id not in {client["id"] for client in admin.client_list()})


def test_a_connection_whose_set_up_was_interrupted_is_not_used(own_url: str, admin: redis.Redis) -> None:
    """It has chosen no database: its commands would go to that with the number 0."""
    store = open_store(Settings(redis_url=f"{own_url}/3"))
    set_up = store.pool.connection_kwargs["redis_connect_func"]
    store.pool.connection_kwargs["redis_connect_func"] = mock.Mock(side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt), store.connect() as connection:
        connection.call("PING")
    (interrupted,) = store.pool._available_connections
    assert interrupted._sock is not None
    interrupted.redis_connect_func = set_up
    with store.connect() as connection:
        connection.call("SET", "interrupted", "value")
    assert not admin.exists("interrupted")
    with redis.Redis.from_url(f"{own_url}/3") as other:
        assert other.getdel("interrupted") == b"value"


def test_items_whose_common_transaction_is_refused_are_committed_one_by_one(
    store: Store, client: redis.Redis
) -> None:
    tries: list[list[str]] = []
    with store.connect() as connection:

        def attempt(items: Sequence[str]) -> list[Command]:
            connection.execute([("WATCH", "shared")])
            tries.append(list(items))
            if len(tries) == 1:
                client.set("shared", 1)
            return [("RPUSH", "done", *items)]

        commit_together_or_singly(connection, ["a", "b"], attempt)
    assert tries == [["a", "b"], ["a"], ["b"]]
    assert client.lrange("done", 0, -1) == ["a", "b"]
