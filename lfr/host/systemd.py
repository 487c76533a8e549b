"""Notifies systemd of the state of this process (sd_notify(3)); asks it for the state of lfr's units."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_UNITS: Final = ("lfr@*.service", "lfr-valkey.service")
_PROPERTIES: Final = ("Id", "ActiveState", "SubState", "UnitFileState", "NRestarts", "StatusText")


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The service manager that has started this process, if there is one.

    address           of the socket NOTIFY_SOCKET: a path, or a name that begins with a NUL (unix(7),
                      "abstract"); empty: no service manager
    watchdog_seconds  after so long without a notification it kills the process; 0: never
    """

    address: str = ""
    watchdog_seconds: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Return the service manager that the environment names, by default that of this process.

        Its address is empty if there is none. (sd_notify(3), sd_watchdog_enabled(3))
        """
        environment = os.environ if environment is None else environment
        path = environment.get("NOTIFY_SOCKET", "")
        if not path.startswith(("/", "@")):
            return cls()
        address = "\0" + path[1:] if path.startswith("@") else path
        return cls(address, _watchdog_seconds(environment))

    @property
    def is_present(self) -> bool:
        """Return whether there is a service manager."""
        return bool(self.address)

    def notify(self, *assignments: str) -> None:
        """Send texts `NAME=VALUE` in one datagram: READY, STATUS, RELOADING, STOPPING, WATCHDOG.

        Without a service manager, do nothing. Errors are ignored: a role must not fail because it is busy.
        """
        if not (self.address and assignments):
            return
        lines = "\n".join(" ".join(assignment.split("\n")) for assignment in assignments)
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection,
        ):
            connection.sendto(lines.encode(errors="replace"), self.address)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Return the time-out of the watchdog; 0: none, or it is for another process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    with suppress(ValueError):
        return max(0, int(environment.get("WATCHDOG_USEC", "0"))) / 1e6
    return 0.0


@dataclass(frozen=True, slots=True)
class UnitState:
    """The state of a unit of this host.

    active    `active`, `inactive`, `failed`, `activating` ...; `sub`: in more detail (`auto-restart`)
    enabled   whether it starts with the host
    restarts  how often systemd has restarted it by itself
    status    the last status that the role has sent
    """

    name: str
    active: str
    sub: str
    enabled: bool
    restarts: int
    status: str

    @property
    def is_broken(self) -> bool:
        """Return whether it should run and does not: it has failed, or systemd is about to restart it."""
        return self.active == "failed" or self.sub == "auto-restart"


def is_booted() -> bool:
    """Return whether systemd runs this host. (sd_booted(3))"""
    return Path("/run/systemd/system").is_dir()


def load_unit_states() -> list[UnitState]:
    """Return the units of roles and Valkey by name; empty where systemd does not run. (systemctl(1))"""
    import subprocess  # here: roles notify systemd, and do not need it

    if not is_booted():
        return []
    command = ["systemctl", "show", "--all", f"--property={','.join(_PROPERTIES)}", *_UNITS]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return sorted(parse_unit_states(process.stdout), key=lambda state: state.name)


def parse_unit_states(output: str) -> Iterator[UnitState]:
    """Yield the units in the output of `systemctl show`: lines `NAME=VALUE`, a blank line between units.

    A unit that has no file and does not run is left out.
    """
    for block in output.split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        state = properties.get("UnitFileState", "") + properties.get("ActiveState", "")
        if properties.get("Id") and state != "inactive":
            yield UnitState(
                name=properties["Id"],
                active=properties.get("ActiveState", ""),
                sub=properties.get("SubState", ""),
                enabled=properties.get("UnitFileState") == "enabled",
                restarts=int(properties.get("NRestarts") or 0),
                status=properties.get("StatusText", ""),
            )
