"""`lfr install`: install lfr as services: systemd units, users, folders."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import zipfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Final

from lfr.cli.command_table import COMMANDS, ROLE, Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.installation import WANTS_FOLDER, add_installation_options, check_host, run_actions
from lfr.cli.ui.options import add_flag
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import DEFAULT, load_with_origins
from lfr.errors import Conflict, NotFound, Unreachable
from lfr.host.install_plan import (
    TARGET_UNIT,
    VALKEY_UNIT,
    InstallOptions,
    Program,
    check_prefix,
    file_actions,
    find_closed_folder,
    old_build_removals,
    start_actions,
)
from lfr.host.systemd import is_booted

_PYTHON: Final = "/usr/bin/python3"
"""The interpreter in the first line of the built file."""

_VALKEY_START_SECONDS: Final = 60.0

_CONSOLE_PORT: Final = 8000
_TOKEN: Final = "/var/lib/lfr/api-token"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--enable",
        metavar="ROLE",
        nargs="+",
        action="extend",
        type=_parse_role,
        default=[],
        help="roles that start with this host; lifecycle.2 is a second process of a role",
    )
    add_flag(parser, "--now", "start them now, and restart those that run")
    add_flag(parser, "--no-valkey", "do not install the bundled Valkey (default: see above)")
    add_installation_options(parser)


def _parse_role(text: str) -> str:
    name, dot, number = text.partition(".")
    roles = [command.name for command in COMMANDS.values() if command.group == ROLE]
    if name not in roles or (dot and not number.isdecimal()):
        raise ArgumentTypeError(f"there is no role {text!r}; there are {', '.join(roles)}")
    return text


def _run(arguments: Namespace, terminal: Terminal) -> None:
    check_host(arguments, "install")
    if arguments.now and not (is_booted() or arguments.dry_run):
        raise Conflict("systemd does not run this host, so nothing can be started", hint="leave out --now")
    options = InstallOptions(
        prefix=arguments.prefix,
        roles=list(dict.fromkeys(arguments.enable)),
        enabled=[path.stem.partition("@")[2] for path in sorted(WANTS_FOLDER.glob("lfr@*.service"))],
        valkey=bool(arguments.enable) and not arguments.no_valkey and _needs_valkey(),
        now=arguments.now,
        is_booted=is_booted() or arguments.dry_run,
    )
    tree = options.prefix / "lib" / "lfr"
    if not arguments.dry_run:
        check_prefix(tree)
        os.umask(0o022)  # roles have users of their own, who must be able to read what this writes
    run_actions(file_actions(_find_program(), options), arguments, terminal)
    closed = None if arguments.dry_run else find_closed_folder(tree)
    if closed is not None:
        raise Conflict(f"the users of the roles may not enter {closed}", hint=f"chmod go+rx {closed}")
    run_actions(start_actions(options), arguments, terminal)
    run_actions(old_build_removals(tree, _build_id()), arguments, terminal)
    if arguments.dry_run:
        return
    if options.now and options.valkey:
        _wait_for_valkey()
    _print_next_steps(terminal, options)


def _build_id() -> str:
    """Return the id of the build that runs now: the end of the name of the folder it is unpacked into."""
    return Path(sys.path[0]).parent.name.rpartition("_")[2]


def _find_program() -> Program:
    """Return the program that runs now. Raises Conflict if it is not the built file."""
    from lfr.host.valkey import find_bundled_server

    file = Path(sys.argv[0])
    if not (file.is_file() and zipfile.is_zipfile(file)):
        raise Conflict("only the one file can be installed", hint="python3 build.py; sudo dist/lfr install")
    try:
        server: Path | None = find_bundled_server()
    except NotFound:
        server = None
    return Program(file.resolve(), server, "" if _is_supported(_PYTHON) else sys.executable)


def _is_supported(python: str) -> bool:
    script = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", script], check=False).returncode == 0
    except OSError:
        return False


def _needs_valkey() -> bool:
    """Return whether roles need our Valkey: no Redis is configured, and no other one answers on the port.

    Ignores the environment: roles do not have the environment of this shell.
    """
    from lfr.host.valkey_address import Address, is_reachable

    loaded = load_with_origins({}, environment={})
    names = ("redis_url", "redis_host", "redis_port")
    if any(loaded.origins[name] != DEFAULT for name in names):
        return False
    is_installed = (WANTS_FOLDER / VALKEY_UNIT).is_symlink()
    return is_installed or not is_reachable(Address(port=loaded.settings.redis_port))


def _wait_for_valkey() -> None:
    """Wait until Valkey has loaded its data, so that lfr is usable after the command. Raises Unreachable."""
    from lfr.host.valkey_address import INSTALLED_SOCKET, Address, is_reachable

    deadline = time.monotonic() + _VALKEY_START_SECONDS
    while not is_reachable(Address(INSTALLED_SOCKET)):
        if time.monotonic() > deadline:
            raise Unreachable(
                f"Valkey does not answer after {_VALKEY_START_SECONDS:.0f} s",
                hint=f"journalctl -u {VALKEY_UNIT}",
            )
        time.sleep(0.1)


def _print_next_steps(terminal: Terminal, options: InstallOptions) -> None:
    if options.now:
        terminal.print_err("lfr: installed and started; lfr status shows its state")
        if "console" in options.roles:
            url = f"http://{socket.gethostname()}:{_CONSOLE_PORT}/"
            terminal.print_err(f"lfr: the console: {url}, with the token of api.token, else of {_TOKEN}")
    elif not options.units:
        terminal.print_err("lfr: installed; --enable ROLE ... makes roles start with this host")
    else:
        terminal.print_err(f"lfr: installed; systemctl start {TARGET_UNIT} starts it")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Copies this file to PREFIX/bin/lfr, unpacks it below PREFIX/lib/lfr, writes the files that `lfr "
    "units` lists, and enables lfr@ROLE for each role. Also enables the bundled Valkey, unless the "
    "configuration names a Redis or one answers on port 6379. To upgrade, run it again with a newer "
    "file: configuration and data stay.",
    (
        ("install --enable lifecycle wait receipts --now", ""),
        ("install --enable lifecycle lifecycle.2 --no-valkey", "two processes; Redis is elsewhere"),
        ("install --dry-run", "print the steps and change nothing"),
    ),
    (ExitCode.CONFLICT, ExitCode.CANNOT_WRITE, *REDIS_ERRORS),
)
