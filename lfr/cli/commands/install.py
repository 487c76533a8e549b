"""`lfr install`, `uninstall`, `units`: lfr as services of this host's systemd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lfr.cli.command_table import COMMANDS, ROLE, Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.table import Cell, Column, draw_table
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import DEFAULT, load_with_origins
from lfr.errors import Conflict, Refused, Unreachable
from lfr.host.install_actions import Action
from lfr.host.install_plan import (
    STORE,
    TARGET,
    InstallOptions,
    Program,
    file_actions,
    old_build_removals,
    start_actions,
    uninstall_actions,
)
from lfr.host.systemd import is_booted
from lfr.host.units import FILES, load_unit_file

_PYTHON: Final = "/usr/bin/python3"
"""What the one file's first line names."""

_WANTS: Final = Path("/etc/systemd/system/lfr.target.wants")
"""Where systemd keeps what is enabled."""

_STORE_SECONDS: Final = 60.0

_CONSOLE_PORT: Final = 8000
_TOKEN: Final = "/var/lib/lfr/api-token"

_FILE_COLUMNS = (Column("file"), Column("goes to", most=60), Column("what it is"))


def _add_install_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--enable",
        metavar="ROLE",
        nargs="+",
        action="extend",
        type=_role,
        default=[],
        help="roles that start with this host; lifecycle.2 is a second process of one",
    )
    parser.add_argument("--now", action="store_true", help="start them at once, and start anew what runs")
    parser.add_argument(
        "--no-valkey", action="store_true", help="leave out the Valkey that comes along (default: see above)"
    )
    _add_common(parser)


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--prefix", metavar="DIR", type=_folder, default=Path("/usr/local"), help="default: /usr/local"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the steps, and do none")


def _role(text: str) -> str:
    """The type of an option that takes a role, perhaps with a number."""
    name, dot, number = text.partition(".")
    roles = [command.name for command in COMMANDS.values() if command.group == ROLE]
    if name not in roles or (dot and not number.isdecimal()):
        raise ArgumentTypeError(f"there is no role {text!r}; there are {', '.join(roles)}")
    return text


def _folder(text: str) -> Path:
    path = Path(text).absolute()
    if any(character.isspace() or character in "%$\"'\\" for character in str(path)):
        raise ArgumentTypeError(f"{text!r} cannot stand in a unit as it is")
    return path


def _install(arguments: Namespace, terminal: Terminal) -> int:
    _need_root(arguments, "install")
    if arguments.now and not (is_booted() or arguments.dry_run):
        raise Conflict("systemd does not run this host, so nothing can be started", hint="leave out --now")
    wish = InstallOptions(
        prefix=arguments.prefix,
        roles=list(dict.fromkeys(arguments.enable)),
        store=bool(arguments.enable) and not arguments.no_valkey and _needs_store(),
        now=arguments.now,
        is_booted=is_booted() or arguments.dry_run,
    )
    tree = wish.prefix / "lib" / "lfr"
    _do(file_actions(_program(), wish), arguments, terminal)
    _do(start_actions(wish), arguments, terminal)
    _do(old_build_removals(tree), arguments, terminal)
    if arguments.dry_run:
        return Exit.OK
    if wish.now and wish.store:
        _wait_for_store()
    _tell_what_is_next(terminal, wish)
    return Exit.OK


def _do(steps: Iterable[Action], arguments: Namespace, terminal: Terminal) -> None:
    for step in steps:
        if arguments.dry_run:
            terminal.print(str(step))
        else:
            terminal.say(str(step))
            step.do()


def _need_root(arguments: Namespace, what: str) -> None:
    if os.geteuid() and not arguments.dry_run:
        raise Refused(f"only root can {what} services", hint=f"sudo lfr {what}; --dry-run prints the steps")
    if shutil.which("systemctl") is None:
        raise Conflict("this host has no systemd", hint="lfr up runs all of it in one process tree")


def _program() -> Program:
    """What runs now, to be installed. Raises Conflict if that is no file of lfr."""
    from lfr.errors import NotFound
    from lfr.host.valkey import find_bundled_server

    file = Path(sys.argv[0])
    if not (file.is_file() and zipfile.is_zipfile(file)):
        raise Conflict("only the one file can be installed", hint="python3 build.py; sudo dist/lfr install")
    try:
        server: Path | None = find_bundled_server()
    except NotFound:
        server = None
    return Program(file.resolve(), server, "" if _is_new_enough(_PYTHON) else sys.executable)


def _is_new_enough(python: str) -> bool:
    try:
        told = subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False)
    except OSError:
        return False
    return told.returncode == 0


def _needs_store() -> bool:
    """Whether roles would find no Redis but ours: none is configured, and no other listens where they look.

    The environment does not count, for roles do not have that of this shell.
    """
    from lfr.host.valkey import Address, is_reachable

    loaded = load_with_origins({}, environment={})
    names = ("redis_url", "redis_host", "redis_port")
    if any(loaded.origins[name] != DEFAULT for name in names):
        return False
    ours = (_WANTS / STORE).is_symlink()
    return ours or not is_reachable(Address("127.0.0.1", loaded.settings.redis_port))


def _wait_for_store() -> None:
    """Wait until Valkey has read its data: who has installed lfr wants to use it. Raises Unreachable."""
    from lfr.host.valkey import Address, is_reachable

    deadline = time.monotonic() + _STORE_SECONDS
    while not is_reachable(Address("127.0.0.1", 6379)):
        if time.monotonic() > deadline:
            raise Unreachable(
                f"Valkey does not answer after {_STORE_SECONDS:.0f} s", hint=f"journalctl -u {STORE}"
            )
        time.sleep(0.1)


def _tell_what_is_next(terminal: Terminal, wish: InstallOptions) -> None:
    if wish.now:
        terminal.say("lfr: installed and started; lfr status shows how it is")
        if "console" in wish.roles:
            where = f"http://{socket.gethostname()}:{_CONSOLE_PORT}/"
            terminal.say(f"lfr: the console: {where}, with the token api.token or else that in {_TOKEN}")
    elif not wish.units:
        terminal.say("lfr: installed; --enable ROLE ... says what is to start with this host")
    else:
        terminal.say(f"lfr: installed; systemctl start {TARGET} starts it")


def _add_uninstall_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--purge", action="store_true", help="configuration, data of Valkey, logs and users too"
    )
    _add_common(parser)


def _uninstall(arguments: Namespace, terminal: Terminal) -> int:
    _need_root(arguments, "uninstall")
    enabled = [TARGET, *sorted(path.name for path in _WANTS.glob("lfr*"))]
    steps = uninstall_actions(arguments.prefix, enabled, purge=arguments.purge, is_booted=is_booted())
    _do(list(steps), arguments, terminal)
    if not (arguments.purge or arguments.dry_run):
        terminal.say("lfr: configuration and data are still there; lfr uninstall --purge removes them")
    return Exit.OK


def _add_units_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="FILE", nargs="?", help="print this one")


def _units(arguments: Namespace, terminal: Terminal) -> int:
    if arguments.name is not None:
        terminal.print(load_unit_file(arguments.name).rstrip("\n"))
        return Exit.OK
    rows = [[Cell(file.name, "bold"), Cell(file.target), Cell(file.help)] for file in FILES]
    for line in draw_table(terminal, _FILE_COLUMNS, rows):
        terminal.print(line)
    return Exit.OK


HANDLERS: Handlers = {
    "install": Handler(_add_install_arguments, _install),
    "uninstall": Handler(_add_uninstall_arguments, _uninstall),
    "units": Handler(_add_units_arguments, _units),
}
