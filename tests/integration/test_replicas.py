"""`redis.replicas`: what is confirmed, and what is said if it is not."""

from __future__ import annotations

import logging
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from lfr.cli.exit_codes import ExitCode
from lfr.cli.main import main
from lfr.client import Client
from lfr.config.settings import Settings
from lfr.errors import Unconfirmed, WrongServer
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store, open_store
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.worker.executor import TaskExecutor
from tests.support.replication import HOST, Replication, replicated
from tests.support.servers import KINDS, program
from tests.support.waiting import eventually
from tests.web.conftest import Caller

INSTALLED = [kind for kind in KINDS if program(kind)]


@pytest.fixture(scope="module", params=INSTALLED)
def replication(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replication]:
    """A primary with one replica, and no Sentinel."""
    folder = tmp_path_factory.mktemp("replicated")
    with replicated(request.param, folder, replicas=1, sentinels=0) as replication:
        yield replication


@pytest.fixture
def settings(replication: Replication) -> Settings:
    url = f"redis://{HOST}:{replication.servers[0].port}"
    return Settings(redis_url=url, redis_replicas=1, redis_replicas_timeout_seconds=0.2)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)


@contextmanager
def frozen(replication: Replication) -> Iterator[None]:
    """Freeze the replica."""
    replica = replication.servers[1]
    replica.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        replica.signal(signal.SIGCONT)
        with replication.servers[0].client() as client:
            client.set("key", 1)
            eventually(lambda: client.wait(1, 1000) == 1)


def patient(settings: Settings) -> Settings:
    """Return the settings for changes that are to be confirmed, however busy the machine is."""
    return replace(settings, redis_replicas_timeout_seconds=24, redis_timeout_seconds=60)


def client_of(settings: Settings) -> Client:
    names = [name for name in Settings.__dataclass_fields__ if name.startswith(("redis_url", "redis_rep"))]
    names.append("redis_timeout_seconds")
    return Client(**{name: getattr(settings, name) for name in names})


def changes_of(client: Client) -> dict[str, Any]:
    """Return the methods that change something, each with the call of it."""
    return {
        "run": lambda: client.run("a", {}, "workflow:run"),
        "run again": lambda: client.run("a", {}, "workflow:run"),
        "event": lambda: client.event("kind"),
        "end": lambda: client.end("workflow:run", 1),
        "retry": lambda: client.retry("workflow:run", 1),
        "skip": lambda: client.skip("workflow:skip", 1),
        "fail": lambda: client.fail("workflow:fail", 1),
        "terminate": lambda: client.terminate("workflow:run"),
        "restart": lambda: client.restart("workflow:run"),
        "terminate again": lambda: client.terminate("workflow:run"),
        "restore": lambda: client.restore(client.archive("workflow:run"), "workflow:restored"),
        "delete": lambda: client.delete("workflow:run"),
    }


def test_each_change_is_confirmed_or_says_that_it_is_not(
    settings: Settings, replication: Replication
) -> None:
    client, well = client_of(settings), client_of(patient(settings))
    calls = changes_of(client)
    well.run("a", {}, "workflow:skip")
    well.run("a", {}, "workflow:fail")
    assert well.run("a", {}, "workflow:before") == "workflow:before"  # with the replica, all is well
    with frozen(replication):
        for name, call in calls.items():
            with pytest.raises(Unconfirmed, match="0 of 1 replicas have confirmed it within") as caught:
                call()
            if name.startswith("run"):
                assert caught.value.result == "workflow:run"
        states = {each["id"]: each["state"] for each in client.list()}
    assert (
        states
        == {  # all of it was done
            "workflow:before": "RUNNING",
            "workflow:skip": "RUNNING",
            "workflow:fail": "FAILED",
            "workflow:restored": "TERMINATED",
        }
        or states["workflow:skip"] == "FINISHED"
    )
    well.delete("workflow:restored")
    well.delete("workflow:fail")


def test_a_start_that_is_there_already_is_confirmed_anew(
    store: Store, settings: Settings, replication: Replication
) -> None:
    """The first call ended without a confirmation. The second starts nothing, but must not say that all is
    well before the replica has what the first one has written."""
    with frozen(replication):
        for is_new in (True, False):
            confirming, confirmations = store.confirming()
            assert start_workflow(confirming, "a", workflow_id="workflow:twice").is_new is is_new
            assert confirmations.problem
    confirming, confirmations = open_store(patient(settings)).confirming()
    assert not start_workflow(confirming, "a", workflow_id="workflow:twice").is_new
    assert not confirmations.problem


def test_the_command_line(
    settings: Settings, replication: Replication, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    flow = tmp_path / "a.flow"
    flow.write_text("a")
    config = tmp_path / "lfr.yaml"
    place = ("--config", str(config), "--url", settings.redis_url)
    config.write_text("redis: {replicas: 1, replicas_timeout: 24s, timeout: 60s}\n")
    assert main(["run", str(flow), *place]) == ExitCode.OK
    capsys.readouterr()
    config.write_text("redis: {replicas: 1, replicas_timeout: 200ms}\n")
    with frozen(replication):
        assert main(["run", str(flow), *place]) == ExitCode.UNCONFIRMED
        out, err = capsys.readouterr()
        assert re.fullmatch(r"workflow:\S+\n", out)
        assert "lfr: it is stored, but 0 of 1 replicas have confirmed it within 0.2 s" in err
        assert main(["event", "kind", *place]) == ExitCode.UNCONFIRMED
        assert re.fullmatch(r"\d+-\d+\n", capsys.readouterr().out)
        assert main(["run", str(flow), "--wait", "--timeout", "1ms", *place]) == ExitCode.TIMED_OUT
        assert capsys.readouterr().err.count("0 of 1 replicas") == 1
        assert main(["list", *place]) == ExitCode.OK  # it changes nothing
        assert main(["latches", *place]) == ExitCode.OK


def test_the_api(store: Store, settings: Settings, replication: Replication) -> None:
    call = Caller(make_app(open_store(patient(settings)), AccessPolicy(is_open=True), max_body=1000))
    started = call("POST", "/workflows/start", {"workflow": "a", "id": "workflow:api"})
    assert (started.status, started.headers["Lfr-Replicas"]) == (201, "confirmed")
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=1000))
    with frozen(replication):
        started = call("POST", "/workflows/start", {"workflow": "a", "id": "workflow:other"})
        assert (started.status, started.json) == (202, {"workflow": "workflow:other"})
        problem = "unconfirmed; 0 of 1 replicas have confirmed it within 0.2 s"
        assert started.headers["Lfr-Replicas"] == problem
        wrong = call("POST", "/workflows/start", {"workflow": "a", "input": 1, "id": "workflow:other"})
        assert wrong.status == 409
        assert "Lfr-Replicas" not in call("GET", "/workflows").headers


def test_the_status(store: Store, settings: Settings, replication: Replication) -> None:
    assert load_status(store)["redis"]["replicas"] == 1
    assert not any("replicas" in problem for problem in load_status(store)["problems"])
    asks_for_two = open_store(replace(settings, redis_replicas=2))
    assert any(
        problem.startswith("1 of the 2 replicas that redis.replicas asks for are online")
        for problem in load_status(asks_for_two)["problems"]
    )


def test_a_role_waits_once_a_pass_and_goes_on_without_replicas(
    store: Store, replication: Replication, stepper: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lifecycle = stepper(Lifecycle(store))
    worker = stepper(TaskExecutor(store, "group", lambda task: None, claims=("a",), concurrency=2))
    with frozen(replication), caplog.at_level(logging.INFO):
        ids = [start_workflow(store, "a").id for _ in range(3)]

        def are_finished() -> bool:
            lifecycle.step()
            worker.step()
            with store.connect() as connection:
                return all(connection.call("HGET", id, "state") == b"FINISHED" for id in ids)

        eventually(are_finished)
        lifecycle.step()
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert 1 <= len(warnings) <= 2  # one of each role
        assert all("0 of 1 replicas have confirmed it" in record.getMessage() for record in warnings)
    start_workflow(store, "a")

    def is_well() -> bool:
        lifecycle.step()
        worker.step()
        return any("1 replicas confirm again" in record.getMessage() for record in caplog.records)

    with caplog.at_level(logging.INFO):
        eventually(is_well)


def test_a_role_asks_nobody_if_it_has_written_nothing(
    store: Store, replication: Replication, stepper: Any
) -> None:
    lifecycle = stepper(Lifecycle(store))
    for _ in range(3):
        lifecycle.step()
    with replication.servers[0].client() as client:
        client.config_resetstat()
        lifecycle.step()
        assert "cmdstat_wait" not in client.info("commandstats")
        start_workflow(store, "a")
        for _ in range(3):
            lifecycle.step()
        assert client.info("commandstats")["cmdstat_wait"]["calls"] <= 3


def test_on_disk(settings: Settings, replication: Replication) -> None:
    client = client_of(replace(settings, redis_replicas_store="disk"))
    with replication.servers[0].client() as admin:
        if "WAITAOF" not in [name.upper() for name in admin.command_list()]:
            with pytest.raises(WrongServer, match="does not know WAITAOF") as caught:
                client.event("kind")
            assert "redis.replicas_store" in caught.value.hint
            return
        client = client_of(replace(patient(settings), redis_replicas_store="disk"))
        assert client.event("kind")
        with frozen(replication), pytest.raises(Unconfirmed, match="0 of 1 replicas have it on disk within"):
            client_of(replace(settings, redis_replicas_store="disk")).event("kind")
        admin.config_set("appendonly", "no")
        with pytest.raises(Unconfirmed, match="appendonly is disabled"):
            client.event("kind")
        admin.config_set("appendonly", "yes")


def test_the_connection_breaks_while_it_waits(
    store: Store, settings: Settings, replication: Replication
) -> None:
    client = client_of(patient(settings))
    with frozen(replication), replication.servers[0].client() as admin:
        errors: list[Unconfirmed] = []

        def start() -> None:
            try:
                client.run("a", None, "workflow:cut")
            except Unconfirmed as error:
                errors.append(error)

        thread = threading.Thread(target=start)
        thread.start()

        def has_ended() -> bool:
            for each in admin.client_list():
                if each["cmd"] == "wait":
                    admin.client_kill_filter(_id=each["id"])
            return not thread.is_alive()

        eventually(has_ended)
        assert [error.result for error in errors] == ["workflow:cut"]
        assert "no replica is known to have confirmed it" in errors[0].message
        assert admin.exists("workflow:cut")
