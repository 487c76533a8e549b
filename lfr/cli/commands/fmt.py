"""`lfr fmt`: flows in their canonical layout."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit, exit_code
from lfr.cli.ui.options import STDIN, read_flow, write_file
from lfr.cli.ui.terminal import Terminal
from lfr.errors import LfrError


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="+", help="rewritten in place; - is from stdin to stdout"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; say which would change")


def _fmt(arguments: Namespace, terminal: Terminal) -> int:
    codes = [_one(file, arguments.check, terminal) for file in arguments.file]
    return next((code for code in codes if code), Exit.OK)


def _one(file: str, only_check: bool, terminal: Terminal) -> int:
    """Format a file. One that has errors is left alone, with its errors told."""
    from lfr.language.formatter import format_flow

    try:
        text, name = read_flow(file, terminal)
        formatted = format_flow(text, source=name)
        if file == STDIN and not only_check:
            terminal.out.write(formatted)
            return Exit.OK
        is_so = formatted == text if file == STDIN else formatted.encode() == Path(file).read_bytes()
        return Exit.OK if is_so else _change(file, formatted, only_check, terminal)
    except LfrError as error:
        terminal.say(str(error))
        return exit_code(error)


def _change(file: str, formatted: str, only_check: bool, terminal: Terminal) -> int:
    if only_check:
        terminal.print(file)
        return Exit.FAILED
    write_file(file, formatted)
    terminal.say(f"{file} has been changed")
    return Exit.OK


HANDLERS: Handlers = {"fmt": Handler(_add_arguments, _fmt)}
