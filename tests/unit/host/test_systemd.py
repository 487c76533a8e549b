"""Notifications to systemd, read from a socket like its own; the output of `systemctl show`."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from lfr.host.systemd import ServiceManager, UnitState, parse_unit_states

OUTPUT = """\
Id=lfr@wait.service
ActiveState=activating
SubState=auto-restart
UnitFileState=enabled
NRestarts=4
StatusText=

Id=lfr@lifecycle.2.service
ActiveState=active
SubState=running
UnitFileState=disabled
NRestarts=0
StatusText=0 to read, 3 pending; a=b

Id=lfr-valkey.service
ActiveState=inactive
SubState=dead
UnitFileState=
NRestarts=0
"""


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens, and its name as NOTIFY_SOCKET has it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@lfr-test-{uuid4()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.settimeout(5)
        yield receiver, name


def test_all_is_sent_in_one_datagram(listening: tuple[socket.socket, str]) -> None:
    receiver, name = listening
    manager = ServiceManager.from_environment({"NOTIFY_SOCKET": name})
    assert manager.is_present
    manager.notify("READY=1", "STATUS=two\nlines → one")
    assert receiver.recv(1000).decode() == "READY=1\nSTATUS=two lines → one"


def test_without_a_socket_nothing_is_sent() -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
        manager = ServiceManager.from_environment(environment)
        assert not manager.is_present
        manager.notify("READY=1")


def test_a_missing_service_manager_is_no_error(tmp_path: Path) -> None:
    ServiceManager.from_environment({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify("READY=1")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_that_of_this_process(environment: dict[str, str], seconds: float) -> None:
    manager = ServiceManager.from_environment({"NOTIFY_SOCKET": "/run/notify", **environment})
    assert manager.watchdog_seconds == seconds


def test_the_units_are_those_that_are_installed_or_run() -> None:
    assert list(parse_unit_states(OUTPUT)) == [
        UnitState("lfr@wait.service", "activating", "auto-restart", True, 4, ""),
        UnitState("lfr@lifecycle.2.service", "active", "running", False, 0, "0 to read, 3 pending; a=b"),
    ]
    assert [unit.is_broken for unit in parse_unit_states(OUTPUT)] == [True, False]


def test_nothing_is_no_unit() -> None:
    assert list(parse_unit_states("")) == []
