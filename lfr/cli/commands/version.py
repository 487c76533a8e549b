"""`lfr version`: print the version, and those of what is bundled."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from lfr import __version__
from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_flag, add_json_option
from lfr.cli.ui.table import Column, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.errors import NotFound
from lfr.values.json import Json, decode_json

_BILL: Final = Path(__file__).parents[2] / "components.cdx.json"

_COLUMNS: Final = (Column("component"), Column("version"), Column("licence"), Column("what"))


def _add_arguments(parser: ArgumentParser) -> None:
    add_flag(parser, "--all", "also list every component that this file bundles, with version and licence")
    add_json_option(parser, "one JSON object; with --all the bill of materials (CycloneDX)")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.all:
        bill = _read_bill()
        if arguments.json:
            terminal.print_json(bill)
            return
        terminal.print(f"lfr {__version__}\n")
        rows = [
            (each["name"], each["version"], each["licenses"][0]["license"]["name"], each["description"])
            for each in bill["components"]
        ]
        terminal.print_lines(format_table(terminal, _COLUMNS, rows))
    elif arguments.json:
        terminal.print_json({"version": __version__})
    else:
        terminal.print(f"lfr {__version__}")


def _read_bill() -> Json:
    """Return the bill of materials. Raises NotFound if this is not the built file."""
    try:
        return decode_json(_BILL.read_bytes())
    except FileNotFoundError:
        hint = "python3 build.py; dist/lfr version --all"
        raise NotFound("only the built file knows its components", hint=hint) from None


# `main` answers the plain command without importing this.
HANDLER = Handler(
    _add_arguments,
    _run,
    examples=(
        ("version", ""),
        ("version --json", "an object"),
        ("version --all", "what is in this file, for a search for known holes"),
    ),
    exit_codes=(ExitCode.NOT_FOUND,),
)
