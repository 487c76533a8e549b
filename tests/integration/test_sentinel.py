"""Redis behind Sentinels: who is asked, what is said when something is away, and what a failover does."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lfr.config.settings import Settings
from lfr.errors import LfrError, Refused, Unreachable, WrongServer
from lfr.host.valkey import free_port
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.store.redis.connection import open_store
from tests.support.replication import HOST, Replication, replicated
from tests.support.servers import KINDS, program, running_with
from tests.support.waiting import eventually

INSTALLED = [kind for kind in KINDS if program(kind)]


@pytest.fixture(scope="module", params=INSTALLED)
def replication(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replication]:
    """A primary with a replica and a Sentinel, of each kind of server in turn."""
    with replicated(request.param, tmp_path_factory.mktemp("replicated"), replicas=1) as replication:
        yield replication


def error_of(url: str, **settings: Any) -> LfrError:
    store = open_store(replace(Settings(redis_url=url), **settings))
    with store.connect() as connection, pytest.raises(LfrError) as caught:
        connection.call("PING")
    return caught.value


def test_a_primary_that_becomes_a_replica_is_noticed_at_the_first_write(replication: Replication) -> None:
    store = open_store(Settings(redis_url=replication.url + "/1"))
    before = replication.primary()
    with store.connect() as connection:
        assert connection.call("SET", "key", "1") == b"OK"
        replication.fail_over()
        with pytest.raises(Unreachable):
            eventually(lambda: connection.call("SET", "key", "2") != b"OK")
    after = replication.primary()
    assert after is not before
    with store.connect() as connection:
        assert connection.call("SET", "key", "3") == b"OK"
    with after.client() as client:
        client.select(1)
        assert client.get("key") == "3"
    eventually(replication.is_in_step)


def test_a_connection_to_a_primary_that_was_cut_off_is_used_no_more(replication: Replication) -> None:
    """It may go on as a primary for itself. A later connection has met the new one."""
    store = open_store(Settings(redis_url=replication.url))
    with store.connect() as connection:
        connection.call("PING")
    assert store.sentinels is not None
    real, store.sentinels.primary = store.sentinels.primary, (HOST, 1)
    with store.connect() as connection:
        connection.call("PING")
    assert store.sentinels.primary == real
    assert connection._pool._created_connections == 1


def test_the_sentinels_name_a_server_that_is_a_replica(replication: Replication) -> None:
    [replica] = replication.replicas()
    with stopped(replication):
        primary = replication.primary()
        with primary.client() as admin:
            admin.replicaof(*replica.address)
            try:
                error = error_of(replication.url)
            finally:
                admin.replicaof("NO", "ONE")
    assert isinstance(error, Unreachable)
    place = f"{HOST}:{primary.port} (the primary of {replication.url})"
    assert str(error) == (
        f"Redis at {place} cannot serve: it is a replica, and the Sentinels have not named its primary yet"
    )
    eventually(replication.is_in_step)


@contextmanager
def stopped(replication: Replication) -> Iterator[None]:
    """Keep the Sentinels from doing anything, but let them answer: they are told to wait for a day."""
    for sentinel in replication.sentinels:
        with sentinel.client() as client:
            client.execute_command("SENTINEL", "SET", "mymaster", "down-after-milliseconds", "86400000")
    try:
        yield
    finally:
        for sentinel in replication.sentinels:
            with sentinel.client() as client:
                client.execute_command("SENTINEL", "SET", "mymaster", "down-after-milliseconds", "1500")


def test_a_sentinel_that_is_away(replication: Replication) -> None:
    port = replication.sentinels[0].port
    away = free_port()
    store = open_store(Settings(redis_url=f"redis+sentinel://{HOST}:{away},{HOST}:{port}/mymaster"))
    with store.connect() as connection:
        connection.call("PING")
    assert store.sentinels is not None
    assert store.sentinels._servers == ((HOST, port), (HOST, away))  # the next one to ask is one that answers


def test_a_failover_that_has_begun_is_known(replication: Replication) -> None:
    """The former primary goes on for a while, and so do the replicas that are not promoted."""
    store = open_store(Settings(redis_url=replication.url))
    with store.connect() as connection:
        connection.call("PING")
    sentinels, before = store.sentinels, replication.primary().address
    assert sentinels is not None
    assert sentinels.find_risk(before) == ""
    assert "have made another server the primary" in sentinels.find_risk((HOST, 1))
    eventually(replication.is_whole)
    with replication.sentinels[0].client() as client:
        client.execute_command("SENTINEL", "FAILOVER", "mymaster")
        assert sentinels.find_risk(before)  # from the first moment on
        client.execute_command("CLIENT", "KILL", "TYPE", "normal")
    assert sentinels.find_risk(before)  # it has connected again
    eventually(lambda: replication.primary().address != before)
    assert sentinels.find_risk(before)
    eventually(lambda: not sentinels.find_risk(replication.primary().address))
    eventually(replication.is_in_step)


def test_no_sentinel_answers() -> None:
    away = free_port()
    error = error_of(f"redis+sentinel://{HOST}:{away}/mymaster")
    assert isinstance(error, Unreachable)
    assert f"no Sentinel answers at {HOST}:{away}: " in error.message and "redis.url" in error.hint


def test_a_name_that_no_sentinel_knows(replication: Replication) -> None:
    port = replication.sentinels[0].port
    error = error_of(f"redis+sentinel://{HOST}:{port}/other")
    assert isinstance(error, WrongServer)
    assert error.message == f"the Sentinel at {HOST}:{port} does not know a primary called other"


def test_what_answers_is_no_sentinel(redis_url: str) -> None:
    place = redis_url.removeprefix("redis://").partition("/")[0]
    error = error_of(f"redis+sentinel://{place}/mymaster")
    assert isinstance(error, WrongServer) and error.message == f"what answers at {place} is no Sentinel"


@pytest.mark.parametrize("kind", INSTALLED)
def test_passwords_on_both_sides(kind: str, tmp_path: Path) -> None:
    with replicated(kind, tmp_path, replicas=0, password="inner", sentinel_password="outer") as replication:
        places = replication.url.removeprefix("redis+sentinel://")
        url = f"redis+sentinel://:inner@{places}?sentinel_password=outer"
        assert load_status(open_store(Settings(redis_url=url)))["redis"]["is_known"]
        passwords = {"redis_password": "inner", "redis_sentinel_password": "outer"}
        settings = replace(Settings(redis_url=replication.url), **passwords)
        assert start_workflow(open_store(settings), "a").is_new
        error = error_of(replication.url, redis_password="inner")
        assert isinstance(error, Refused) and "redis.sentinel_password" in error.hint
        error = error_of(replication.url, redis_password="inner", redis_sentinel_password="Wrong")
        assert isinstance(error, Refused) and "redis.sentinel_password" in error.hint
        assert "Wrong" not in str(error)
        error = error_of(replication.url, redis_sentinel_password="outer")
        assert isinstance(error, Refused) and "REDIS_PASSWORD" in error.hint


@pytest.mark.skipif(program("redis") is None, reason="the bundled Valkey has no TLS")
def test_tls_on_both_sides(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ("-subj", "/CN=lfr", "-addext", f"subjectAltName=IP:{HOST}")
    files = ("-keyout", str(key), "-out", str(certificate))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *subject]
    subprocess.run(command, check=True, capture_output=True)
    with replicated("redis", tmp_path, replicas=1, certificate=certificate, key=key) as replication:
        query = f"?ssl_ca_certs={certificate}"
        url = replication.url.replace("redis+", "rediss+", 1)
        assert start_workflow(open_store(Settings(redis_url=url + query)), "a").is_new
        assert isinstance(error_of(url), Unreachable)  # nobody vouches for the certificate
        assert isinstance(error_of(replication.url), Unreachable)


@pytest.mark.parametrize("command", [("BLPOP", "key", 60), ("XREAD", "BLOCK", 60_000, "STREAMS", "key", "$")])
def test_a_blocked_read_on_a_primary_that_becomes_a_replica(
    command: tuple[str | int, ...], tmp_path: Path
) -> None:
    with running_with(tmp_path) as url:
        store = open_store(Settings(redis_url=url))
        with store.connect() as admin, store.connect() as connection:
            connection.send([command])
            eventually(lambda: b"blocked_clients:1" in admin.call("INFO", "clients"))
            admin.call("REPLICAOF", HOST, 1)
            with pytest.raises(Unreachable, match="UNBLOCKED"):
                connection.check(connection.receive(1), keep_errors=True)


def test_a_frozen_primary_is_left(replication: Replication) -> None:
    """It answers nobody, so the Sentinels promote its replica; and when it wakes, they make it a replica."""
    store = open_store(Settings(redis_url=replication.url, redis_timeout_seconds=1))
    before = replication.primary()
    with store.connect() as connection:
        connection.call("SET", "key", 1)
        before.signal(signal.SIGSTOP)
        try:
            with pytest.raises(Unreachable):
                connection.call("SET", "key", 2)
            eventually(lambda: replication.primary() is not before)

            def write() -> bool:
                try:
                    with store.connect() as again:
                        return bool(again.call("SET", "key", 3) == b"OK")
                except Unreachable:
                    return False

            eventually(write)
        finally:
            before.signal(signal.SIGCONT)
    eventually(replication.is_in_step)
