"""Signals during the start of a child; role processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import redis

from lfr.host.child_processes import RoleProcesses, deferred_signals, own_command
from tests.support.waiting import eventually


def test_an_interruption_comes_when_the_block_is_done() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us without it
    done = []
    with pytest.raises(KeyboardInterrupt):
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("to the end")
        done.append("not reached")
    assert done == ["to the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interruption_nothing_is_changed() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with deferred_signals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_in_another_thread_nothing_is_deferred() -> None:
    reached = threading.Event()

    def work() -> None:
        with deferred_signals():
            reached.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached.is_set()


def test_a_checkout_is_started_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/nowhere/lfr/__main__.py"])
    assert own_command()[-2:] == ["-m", "lfr"]


@pytest.mark.needs_file
def test_the_one_file_is_started_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [os.environ["LFR_FILE"]])
    assert own_command()[-1] == os.environ["LFR_FILE"]


@pytest.mark.needs_file
def test_role_processes_write_to_their_logs_and_their_end_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [os.environ["LFR_FILE"]])
    with RoleProcesses({}, tmp_path) as processes:
        child = processes.start(["lifecycle", "--port", "nonsense"])
        assert eventually(processes.pop_exited) == [child]
        assert processes.running == []
        assert "nonsense" in child.log_tail()


@pytest.mark.needs_file
def test_role_processes_are_stopped_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    monkeypatch.setattr(sys, "argv", [os.environ["LFR_FILE"]])
    with RoleProcesses({"LFR_REDIS_URL": redis_url}, tmp_path) as processes:
        started = [processes.start([role]) for role in ("lifecycle", "wait")]
        client = redis.Redis.from_url(redis_url)
        eventually(lambda: client.exists("workflows:run") and len(client.xinfo_groups("workflows:run")) == 2)
    assert [child.process.returncode for child in started] == [0, 0]
    client.close()


@pytest.mark.parametrize(
    ("role", "secrets"),
    [
        ("lifecycle", {"REDIS_PASSWORD"}),
        ("resource", {"REDIS_PASSWORD"}),
        ("request", {"REDIS_PASSWORD", "LFR_REQUEST_TOKEN", "ISSUER"}),
        ("worker", {"REDIS_PASSWORD", "LFR_REQUEST_TOKEN", "ISSUER"}),
        ("api", {"REDIS_PASSWORD", "LFR_API_TOKEN", "LFR_API_READ_TOKEN"}),
        ("console", {"REDIS_PASSWORD", "LFR_API_TOKEN", "LFR_API_READ_TOKEN"}),
    ],
)
def test_a_role_gets_its_own_secrets_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, role: str, secrets: set[str]
) -> None:
    for name in ("REDIS_PASSWORD", "LFR_REQUEST_TOKEN", "ISSUER", "LFR_API_TOKEN", "LFR_API_READ_TOKEN"):
        monkeypatch.setenv(name, "top secret")
    program = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    monkeypatch.setattr("lfr.host.child_processes.own_command", lambda: program)
    with RoleProcesses({}, tmp_path) as processes:
        assert processes.start([role]).process.wait() == 0
    environment = json.loads((tmp_path / f"{role}.log").read_text())
    assert {name for name, value in environment.items() if value == "top secret"} == secrets
