"""`lfr version`: print the version."""

from __future__ import annotations

from argparse import Namespace

from lfr import __version__
from lfr.cli.command_table import Handler
from lfr.cli.ui.options import add_json_option
from lfr.cli.ui.terminal import Terminal


def _run(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.json:
        terminal.print_json({"version": __version__})
    else:
        terminal.print(f"lfr {__version__}")


# `main` answers the plain command without importing this.
HANDLER = Handler(add_json_option, _run, examples=(("version", ""), ("version --json", "an object")))
