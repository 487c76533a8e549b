"""`lfr units`: list the files that `lfr install` writes, or print one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_json_option
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.host.install_plan import FILES, load_unit_file

_COLUMNS: Final = (Column("file"), Column("goes to", max_width=60), Column("what it is", drop=1))


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="FILE", nargs="?", help="print this file")
    add_json_option(parser, "a list of the files, or of this one its content")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.name is not None:
        text = load_unit_file(arguments.name)
        if arguments.json:
            terminal.print_json({"name": arguments.name, "content": text})
        else:
            terminal.print(text.rstrip("\n"))
        return
    if arguments.json:
        terminal.print_json([{"name": file.name, "target": file.target, "help": file.help} for file in FILES])
        return
    rows: list[Row] = [[Cell(file.name, "bold"), file.target, file.help] for file in FILES]
    terminal.print_lines(format_table(terminal, _COLUMNS, rows))


HANDLER = Handler(
    _add_arguments,
    _run,
    examples=(("units", ""), ("units lfr@.service", "print it")),
    exit_codes=(ExitCode.NOT_FOUND,),
)
