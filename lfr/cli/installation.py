"""The options and steps that `lfr install` and `lfr uninstall` share."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lfr.cli.ui.options import add_flag
from lfr.cli.ui.terminal import Terminal
from lfr.errors import Conflict, Refused
from lfr.host.install_actions import Action

WANTS_FOLDER: Final = Path("/etc/systemd/system/lfr.target.wants")
"""The folder in which systemd links the units that are enabled."""


def add_installation_options(parser: ArgumentParser) -> None:
    """Add --prefix, the folder to install below, and --dry-run, which `check_host` and `run_actions` read."""
    parser.add_argument(
        "--prefix", metavar="DIR", type=_parse_folder, default=Path("/usr/local"), help="default: /usr/local"
    )
    add_flag(parser, "--dry-run", "print the steps and change nothing")


def _parse_folder(text: str) -> Path:
    path = Path(text).absolute()
    if any(character.isspace() or character in "%$\"'\\" for character in str(path)):
        raise ArgumentTypeError(f"{text!r} has characters that a unit file cannot hold")
    return path


def check_host(arguments: Namespace, command: str) -> None:
    """Raise Refused without root rights, unless with --dry-run; Conflict without systemd."""
    if os.geteuid() and not arguments.dry_run:
        hint = f"sudo lfr {command}; --dry-run prints the steps"
        raise Refused(f"only root can {command} services", hint=hint)
    if shutil.which("systemctl") is None:
        raise Conflict("this host has no systemd", hint="lfr up runs all of it in one process tree")


def run_actions(actions: Iterable[Action], arguments: Namespace, terminal: Terminal) -> None:
    """Perform each action after printing it on stderr; with --dry-run only print it, on stdout."""
    for action in actions:
        if arguments.dry_run:
            terminal.print(str(action))
        else:
            terminal.print_err(str(action))
            action.perform()
