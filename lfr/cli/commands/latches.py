"""`lfr latches`: what the latches count, and who waits for them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, Final

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.format_workflow import long_json
from lfr.cli.ui.options import add_connection, open_store
from lfr.cli.ui.table import Cell, Column, draw_table
from lfr.cli.ui.terminal import Terminal, printable
from lfr.errors import BadInput

_COLUMNS: Final = (
    Column("value", right=True),
    Column("waiters", right=True),
    Column("latch", most=60),
    Column("who waits"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", metavar="reset", nargs="?", choices=("reset",), help="bring a latch to zero")
    parser.add_argument("name", metavar="NAME", nargs="?", help="the latch to bring to zero")
    parser.add_argument("--json", action="store_true", help="JSON: name, value, waiters, waiting")
    add_connection(parser)


def _latches(arguments: Namespace, terminal: Terminal) -> int:
    if arguments.what and not arguments.name:
        raise BadInput("reset needs the name of a latch", hint="lfr latches shows them")
    store = open_store(arguments)
    from lfr.operations.latches import list_latches, reset_latch

    if arguments.what:
        was = reset_latch(store, arguments.name)
        told = f"{printable(was['name'])} was {_value(was)}, and is 0; {was['waiters']} went on"
        terminal.print(long_json(was) if arguments.json else told)
        return Exit.OK
    latches = list_latches(store)
    if arguments.json:
        terminal.print(long_json(latches))
        return Exit.OK
    if not latches:
        terminal.say("no latch is held")
        return Exit.OK
    for line in draw_table(terminal, _COLUMNS, [_row(latch) for latch in latches]):
        terminal.print(line)
    return Exit.OK


def _row(latch: Mapping[str, Any]) -> list[Cell]:
    waiting = ", ".join(f"{each['workflow']} {each['index']}" for each in latch["waiting"])
    return [Cell(_value(latch)), Cell(str(latch["waiters"])), Cell(latch["name"]), Cell(waiting)]


def _value(latch: Mapping[str, Any]) -> str:
    return "no number" if latch["value"] is None else str(latch["value"])


HANDLERS: Handlers = {"latches": Handler(_add_arguments, _latches)}
