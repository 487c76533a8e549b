"""The plan of lfr install and lfr uninstall: the files on the host, and the actions in order.

The program goes to PREFIX/bin/lfr, and is unpacked once, by root, below PREFIX/lib/lfr: roles start without
unpacking anything, and cannot change their own code. The files for systemd go where it looks for those of an
administrator, the configuration to /etc/lfr.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lfr.errors import Conflict, NotFound
from lfr.host.install_actions import Action, Remove, Run, Write
from lfr.host.role_credentials import drop_in_removals, drop_in_writes, holds_only_credentials
from lfr.host.zipapp_main import find_danger, unused_copies

VALKEY_UNIT: Final = "lfr-valkey.service"
TARGET_UNIT: Final = "lfr.target"

PREFIX: Final = "/usr/local/"
"""The prefix in the texts of the files."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A file that lfr install puts on a host; `is_kept`: an existing one stays, because people edit it."""

    name: str
    target: str
    help: str
    is_kept: bool = False


FILES: Final = (
    UnitFile("lfr@.service", "/etc/systemd/system/lfr@.service", "a role; lfr@lifecycle.2 is a second one"),
    UnitFile("lfr.target", "/etc/systemd/system/lfr.target", "all roles of this host, and Valkey"),
    UnitFile("lfr-valkey.service", "/etc/systemd/system/lfr-valkey.service", "the bundled Valkey"),
    UnitFile("lfr.sysusers", "/etc/sysusers.d/lfr.conf", "the users lfr and lfr-valkey"),
    UnitFile("lfr.tmpfiles", "/etc/tmpfiles.d/lfr.conf", "folders and modes of the configuration"),
    UnitFile("lfr.yaml", "/etc/lfr/lfr.yaml", "settings; an existing file is kept", True),
    UnitFile("valkey.conf", "/etc/lfr/valkey.conf", "Valkey's settings; an existing file is kept", True),
)

_PACKAGE: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_PACKAGE / "units", _PACKAGE.parent / "units")
"""Where the files are in the one file, and in a checkout."""

_UNIT_FOLDERS: Final = tuple(
    Path(root, name) for root in ("/etc/systemd", "/run/systemd") for name in ("system", "system.control")
)
_CHANGES: Final = ("lfr@*.service", "lfr@*.service.d", "lfr-valkey.service.d", "lfr.target.d")
"""What systemctl edit, mask and set-property write for our units."""

_DATA: Final = ("/etc/lfr", "/var/lib/lfr", "/var/lib/lfr-valkey", "/var/log/lfr")
_USERS: Final = ("lfr", "lfr-valkey")


@dataclass(frozen=True, slots=True)
class Program:
    """The program to install.

    file         the one file
    server       the program of the bundled server; None if there is none for this CPU
    interpreter  the Python that starts the file, if the file's first line does not find one
    """

    file: Path
    server: Path | None
    interpreter: str = ""


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """The options of lfr install.

    roles      to start with the host, as `lifecycle` or `lifecycle.2`
    valkey     whether the bundled Valkey starts with them
    enabled    roles that start with the host already
    now        whether they start at once
    is_booted  whether systemd runs this host; if not, it finds the units when it starts
    """

    prefix: Path = Path("/usr/local")
    roles: Sequence[str] = ()
    enabled: Sequence[str] = ()
    valkey: bool = False
    now: bool = False
    is_booted: bool = True

    @property
    def units(self) -> list[str]:
        """Return the units to enable, besides the target: the bundled Valkey first, then the roles."""
        return [*[VALKEY_UNIT] * self.valkey, *(f"lfr@{role}.service" for role in self.roles)]


def file_actions(program: Program, options: InstallOptions) -> Iterator[Action]:
    """Yield the actions that install the program and its files, and let systemd make users and folders."""
    installed, tree = options.prefix / "bin" / "lfr", options.prefix / "lib" / "lfr"
    if program.file.resolve() != installed.resolve():
        yield Write(installed, program.file.read_bytes(), 0o755)
    interpreter = [program.interpreter, "-sE"] if program.interpreter else []
    yield Run([*interpreter, str(installed), "version"], {"SHIV_ROOT": str(tree)})
    if program.server is not None:
        yield Write(tree / "valkey-server", program.server.read_bytes(), 0o755)
    for file in FILES:
        text = relocate_unit_file(load_unit_file(file.name), options.prefix, program.interpreter)
        yield Write(Path(file.target), text.encode(), is_kept=file.is_kept)
    yield from drop_in_writes([*options.roles, *options.enabled])
    yield Run(["systemd-sysusers", "/etc/sysusers.d/lfr.conf"])
    yield Run(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/lfr.conf"])


def start_actions(options: InstallOptions) -> Iterator[Action]:
    """Yield the actions that enable units and, with `now`, start them and restart running roles.

    The roles then run the new program. Valkey is not restarted: only an operator decides that.
    """
    if options.is_booted:
        yield Run(["systemctl", "daemon-reload"])
    if options.units:
        yield Run(["systemctl", "enable", TARGET_UNIT, *options.units])
    if options.now:
        if options.valkey:
            yield Run(["systemctl", "start", VALKEY_UNIT])
        yield Run(["systemctl", "try-restart", "lfr@*.service"])
        yield Run(["systemctl", "start", TARGET_UNIT, *options.units])


def old_build_removals(tree: Path, installed: str) -> list[Action]:
    """Return the actions that remove unpacked builds below PREFIX/lib/lfr, the folder `tree`.

    The build with the id `installed`, those that processes run from, and the newest other one stay.
    """
    if not tree.is_dir():
        return []
    copies: list[str] = unused_copies(str(tree), [f"lfr_{installed}"])  # type: ignore[no-untyped-call]
    removals: list[Action] = []
    for copy in map(Path, copies):
        removals += [Remove(copy), Remove(copy.with_name(f".{copy.name}_lock"))]
    return removals


def uninstall_actions(
    prefix: Path,
    enabled: Sequence[str],
    *,
    purge: bool,
    is_booted: bool,
    changed_units: Sequence[Path] = (),
) -> Iterator[Action]:
    """Yield the actions that stop and remove everything but configuration, data and users.

    With `purge`, these too. `enabled` are the units that start with the host; `changed_units`, the result of
    `find_changed_units`, belong to the configuration.
    """
    if is_booted:
        yield Run(["systemctl", "stop", TARGET_UNIT, "lfr@*.service", VALKEY_UNIT], may_fail=True)
    if enabled:
        yield Run(["systemctl", "disable", *enabled], may_fail=True)
    for file in FILES:
        if not file.is_kept:
            yield Remove(Path(file.target))
    yield from drop_in_removals()
    yield Remove(prefix / "bin" / "lfr")
    yield Remove(prefix / "lib" / "lfr")
    for path in changed_units if purge else ():
        yield Remove(path)
    if is_booted:
        yield Run(["systemctl", "daemon-reload"])
        yield Run(["systemctl", "reset-failed", "lfr@*.service", VALKEY_UNIT], may_fail=True)
    if purge:
        for folder in _DATA:
            yield Remove(Path(folder))
        for user in _USERS:
            yield Run(["userdel", user], may_fail=True)


def find_changed_units(folders: Sequence[Path] = _UNIT_FOLDERS) -> list[Path]:
    """Return the drop-ins, masks and changed properties of our units, which operators have made."""
    paths = {path for folder in folders for pattern in _CHANGES for path in folder.glob(pattern)}
    own = {file.target for file in FILES}
    return sorted(path for path in paths if str(path) not in own and not holds_only_credentials(path))


def check_prefix(tree: Path) -> None:
    """Check that only root can change what is installed below a prefix, the folder PREFIX/lib/lfr and the
    programs. Raises Conflict."""
    for folder in (tree, tree.parents[1] / "bin"):
        if danger := find_danger(str(folder)):  # type: ignore[no-untyped-call]
            raise Conflict(f"what stands in {folder} is not safe: {danger}")


def find_closed_folder(folder: Path) -> Path | None:
    """Return the first of a folder and those above it that not everybody may enter; None if there is none."""
    for each in (folder, *folder.parents):
        if each.exists() and each.stat().st_mode & 0o5 != 0o5:
            return each
    return None


def load_unit_file(name: str) -> str:
    """Return the text of one of `FILES`, by name, with the prefix /usr/local. Raises NotFound."""
    if name not in {file.name for file in FILES}:
        raise NotFound(f"there is no file {name}", hint="one of " + ", ".join(file.name for file in FILES))
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise NotFound(f"{name} is not in this installation of lfr; only the one file contains it")


def relocate_unit_file(text: str, prefix: Path, interpreter: str = "") -> str:
    """Return the text of a file for another prefix and, if one is named, another interpreter."""
    if interpreter:
        for start in ("ExecStart=", "ExecStartPre=-"):
            text = text.replace(f"{start}{PREFIX}bin/lfr ", f"{start}{interpreter} -sE {PREFIX}bin/lfr ")
    return text.replace(PREFIX, f"{prefix}/")
