"""What systemd is told, read from a socket such as it listens on."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from lfr.host.notify import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens, and its name as NOTIFY_SOCKET has it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@lfr-test-{uuid4()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as link:
        link.bind("\0" + name[1:] if name.startswith("@") else name)
        link.settimeout(5)
        yield link, name


def test_all_is_told_in_one_datagram(listening: tuple[socket.socket, str]) -> None:
    link, name = listening
    supervisor = ServiceManager.from_environment({"NOTIFY_SOCKET": name})
    assert supervisor.is_present
    supervisor.tell("READY=1", "STATUS=two\nlines → one")
    assert link.recv(1000).decode() == "READY=1\nSTATUS=two lines → one"


def test_without_a_socket_nobody_is_told() -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
        supervisor = ServiceManager.from_environment(environment)
        assert not supervisor.is_present
        supervisor.tell("READY=1")


def test_a_supervisor_that_has_gone_is_no_error(tmp_path: Path) -> None:
    ServiceManager.from_environment({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell("READY=1")


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
    told = ServiceManager.from_environment({"NOTIFY_SOCKET": "/run/notify", **environment})
    assert told.watchdog_seconds == seconds
