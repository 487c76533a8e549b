"""`lfr latches`: list latches with their waiters, or reset one to zero."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.options import add_connection_options, add_flag, add_reason_option, open_store_to_change
from lfr.cli.ui.table import Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput
from lfr.values.printable import printable

_COLUMNS: Final = (
    Column("value", align_right=True),
    Column("waiters", align_right=True),
    Column("latch", max_width=60),
    Column("who waits"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", metavar="reset", nargs="?", choices=("reset",), help="reset a latch to zero")
    parser.add_argument("name", metavar="NAME", nargs="?", help="the latch to reset")
    add_reason_option(parser)
    add_flag(parser, "--json", "print JSON: name, value, waiters, waiting")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.what and not arguments.name:
        raise BadInput("reset needs the name of a latch", hint="lfr latches shows them")
    store = open_store_to_change(arguments)
    from lfr.operations.latches import list_latches, reset_latch

    result: Any = reset_latch(store, arguments.name) if arguments.what else list_latches(store)
    if arguments.json:
        terminal.print_json(result)
    elif arguments.what:
        name, value, waiters = printable(result["name"]), _value(result), result["waiters"]
        terminal.print(f"{name} was {value}, and is 0; {waiters} went on")
    elif result:
        terminal.print_lines(format_table(terminal, _COLUMNS, [_row(latch) for latch in result]))
    else:
        terminal.print_err("no latch is held")


def _row(latch: Mapping[str, Any]) -> Row:
    waiting = ", ".join(f"{step['workflow']} {step['index']}" for step in latch["waiting"])
    return [_value(latch), str(latch["waiters"]), latch["name"], waiting]


def _value(latch: Mapping[str, Any]) -> str:
    return "no number" if latch["value"] is None else str(latch["value"])


HANDLER = Handler(
    _add_arguments,
    _run,
    "Lists the latches that workflows hold, with the count of each and the steps that wait for it, and "
    "the latches that reached zero within the last hour. `reset NAME` sets a latch to zero, whoever "
    "holds it, and resumes all steps that wait for it; later releases of its holders are refused.",
    (
        ("latches", ""),
        ("latches --json", "a JSON list"),
        ("latches reset house-12", "after its holder has died"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *CHANGE_ERRORS),
)
