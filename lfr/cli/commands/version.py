"""`lfr version`: print the version. `main` answers the plain command; this module has its help."""

from __future__ import annotations

from argparse import Namespace

from lfr import __version__
from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.terminal import Terminal


def _version(arguments: Namespace, terminal: Terminal) -> int:
    terminal.print(f"lfr {__version__}")
    return ExitCode.OK


HANDLERS: Handlers = {"version": Handler(lambda parser: None, _version, examples=(("version", ""),))}
