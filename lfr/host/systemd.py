"""What systemd says of lfr's units on this host. (systemctl(1))"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OURS: Final = ("lfr@*.service", "lfr-valkey.service")
_PROPERTIES: Final = ("Id", "ActiveState", "SubState", "UnitFileState", "NRestarts", "StatusText")


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit of this host.

    active    active, inactive, failed, activating ...; sub: the same more closely (`auto-restart`)
    enabled   whether it starts with the host
    restarts  how often systemd has started it again by itself
    status    what the role last said of itself
    """

    name: str
    active: str
    sub: str
    enabled: bool
    restarts: int
    status: str

    @property
    def is_broken(self) -> bool:
        """Whether it should run and does not."""
        return self.active == "failed" or self.sub == "auto-restart"


def is_booted() -> bool:
    """Whether systemd runs this host. (sd_booted(3))"""
    return Path("/run/systemd/system").is_dir()


def load_unit_states() -> list[UnitState]:
    """lfr's units that systemd knows of, by name; none where systemd does not run the host."""
    if not is_booted():
        return []
    told = subprocess.run(
        ["systemctl", "show", "--all", f"--property={','.join(_PROPERTIES)}", *_OURS],
        capture_output=True,
        text=True,
        check=False,
    )
    return sorted(parse_unit_states(told.stdout), key=lambda state: state.name)


def parse_unit_states(shown: str) -> Iterator[UnitState]:
    """The units of what `systemctl show` prints: `NAME=VALUE` lines, a blank line between two units."""
    for block in shown.split("\n\n"):
        told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if told.get("Id") and told.get("UnitFileState", "") + told.get("ActiveState", "") != "inactive":
            yield UnitState(
                name=told["Id"],
                active=told.get("ActiveState", ""),
                sub=told.get("SubState", ""),
                enabled=told.get("UnitFileState") == "enabled",
                restarts=int(told.get("NRestarts") or 0),
                status=told.get("StatusText", ""),
            )
