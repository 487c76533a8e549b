"""What lfr install and lfr uninstall do, as steps in order.

The program goes to PREFIX/bin/lfr, and is unpacked once, by root, below PREFIX/lib/lfr: roles start without
unpacking anything, and cannot change what they run. systemd's files go where it looks for an
administrator's, the configuration to /etc/lfr.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lfr.host.install_actions import Action, Remove, Run, Write
from lfr.host.units import FILES, load_unit_file, relocate_unit_file

STORE: Final = "lfr-valkey.service"
TARGET: Final = "lfr.target"

_BUILDS_KEPT: Final = 2
"""This build, and the one before it: a role that has not been started again since still runs from that."""

_DATA: Final = ("/etc/lfr", "/var/lib/lfr", "/var/lib/lfr-valkey", "/var/log/lfr")
_USERS: Final = ("lfr", "lfr-valkey")


@dataclass(frozen=True, slots=True)
class Program:
    """What is installed: the one file, the folder of the server that comes along (none for this CPU: None),
    and the interpreter that starts it if its own first line will not do."""

    file: Path
    server: Path | None
    interpreter: str = ""


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What of it is asked for.

    roles      that are to start with the host, as `lifecycle` or `lifecycle.2`
    store      whether Valkey is to start with them
    now        whether they are to start at once
    is_booted  whether systemd runs this host: else it is told nothing, and finds all at its next start
    """

    prefix: Path = Path("/usr/local")
    roles: Sequence[str] = field(default_factory=tuple)
    store: bool = False
    now: bool = False
    is_booted: bool = True

    @property
    def units(self) -> list[str]:
        """The units that are enabled."""
        return [*[STORE] * self.store, *(f"lfr@{role}.service" for role in self.roles)]


def file_actions(program: Program, wish: InstallOptions) -> Iterator[Action]:
    """Put the program and its files where they belong, and let systemd make users and folders."""
    installed, tree = wish.prefix / "bin" / "lfr", wish.prefix / "lib" / "lfr"
    if program.file.resolve() != installed.resolve():
        yield Write(installed, program.file.read_bytes(), 0o755)
    interpreter = [program.interpreter, "-sE"] if program.interpreter else []
    yield Run([*interpreter, str(installed), "version"], {"SHIV_ROOT": str(tree)})
    if program.server is not None:
        yield Write(tree / "valkey-server", program.server.read_bytes(), 0o755)
    for file in FILES:
        text = relocate_unit_file(load_unit_file(file.name), wish.prefix, program.interpreter)
        yield Write(Path(file.target), text.encode(), is_kept=file.is_kept)
    yield Run(["systemd-sysusers", "/etc/sysusers.d/lfr.conf"])
    yield Run(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/lfr.conf"])


def start_actions(wish: InstallOptions) -> Iterator[Action]:
    """Enable what is asked for; start it. Roles that run already are started anew, from the new program;
    Valkey is not, so that it is away only when somebody wants that."""
    if wish.is_booted:
        yield Run(["systemctl", "daemon-reload"])
    if wish.units:
        yield Run(["systemctl", "enable", TARGET, *wish.units])
    if wish.now:
        if wish.store:
            yield Run(["systemctl", "start", STORE])
        yield Run(["systemctl", "try-restart", "lfr@*.service"])
        yield Run(["systemctl", "start", TARGET, *wish.units])


def old_build_removals(tree: Path) -> list[Action]:
    """Remove what was unpacked for builds from before the one before this. `tree`: PREFIX/lib/lfr."""
    builds = [path for path in tree.glob("lfr_*") if path.is_dir()]
    builds.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    old = builds[_BUILDS_KEPT:]
    return [Remove(path) for build in old for path in (build, build.with_name(f".{build.name}_lock"))]


def uninstall_actions(
    prefix: Path, enabled: Sequence[str], *, purge: bool, is_booted: bool
) -> Iterator[Action]:
    """Stop and remove everything but the configuration and the data; with `purge` those too. `enabled`:
    the units that start with the host."""
    if is_booted:
        yield Run(["systemctl", "stop", TARGET, "lfr@*.service", STORE], may_fail=True)
    if enabled:
        yield Run(["systemctl", "disable", *enabled], may_fail=True)
    for file in FILES:
        if not file.is_kept:
            yield Remove(Path(file.target))
    yield Remove(prefix / "bin" / "lfr")
    yield Remove(prefix / "lib" / "lfr")
    if is_booted:
        yield Run(["systemctl", "daemon-reload"])
        yield Run(["systemctl", "reset-failed", "lfr@*.service", STORE], may_fail=True)
    if purge:
        for folder in _DATA:
            yield Remove(Path(folder))
        for user in _USERS:
            yield Run(["userdel", user], may_fail=True)
