"""`lfr version`: print the version."""

from __future__ import annotations

from argparse import Namespace

from lfr import __version__
from lfr.cli.command_table import Handler
from lfr.cli.ui.terminal import Terminal


def _run(arguments: Namespace, terminal: Terminal) -> None:
    terminal.print(f"lfr {__version__}")


# `main` answers the plain command without importing this.
HANDLER = Handler(lambda parser: None, _run, examples=(("version", ""),))
