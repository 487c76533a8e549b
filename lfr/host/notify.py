"""Tells systemd how this process is: READY, STATUS, RELOADING, STOPPING, WATCHDOG. (sd_notify(3))

Each is a datagram to the socket that `NOTIFY_SOCKET` names. A process that systemd has not started, or
that it does not ask, has nobody to tell, and that is no error.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """Who wants to be told how this process is.

    address           of the socket: a path, or a name that begins with a NUL (unix(7), "abstract"); empty:
                      nobody wants to be told
    watchdog_seconds  after so long without a sign of life it kills the process; 0: it does not look
    """

    address: str = ""
    watchdog_seconds: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The one that has started this process. (sd_notify(3), sd_watchdog_enabled(3))"""
        environment = os.environ if environment is None else environment
        named = environment.get("NOTIFY_SOCKET", "")
        if not named.startswith(("/", "@")):
            return cls()
        address = "\0" + named[1:] if named.startswith("@") else named
        return cls(address, _watchdog_seconds(environment))

    @property
    def is_present(self) -> bool:
        """Whether somebody wants to be told."""
        return bool(self.address)

    def tell(self, *assignments: str) -> None:
        """Tell these, each as `NAME=VALUE`, in one datagram. What cannot be told is not told: a role does
        not fail because its supervisor is busy."""
        if not (self.address and assignments):
            return
        lines = "\n".join(" ".join(assignment.split("\n")) for assignment in assignments)
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link,
        ):
            link.sendto(lines.encode(errors="replace"), self.address)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """How long the watchdog waits, if it waits for this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    with suppress(ValueError):
        return max(0, int(environment.get("WATCHDOG_USEC", "0"))) / 1e6
    return 0.0
