"""`lfr fmt`: format flow texts in the canonical layout. Needs no Redis."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode, exit_code
from lfr.cli.ui.options import STDIN, add_flag, read_flow_text, write_file
from lfr.cli.ui.terminal import Terminal
from lfr.errors import LfrError


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="+", help="flow text to rewrite in place; - is stdin to stdout"
    )
    add_flag(parser, "--check", "write nothing; print the files that would change")


def _run(arguments: Namespace, terminal: Terminal) -> int:
    codes = [_format_file(file, arguments.check, terminal) for file in arguments.file]
    return next((code for code in codes if code), ExitCode.OK)


def _format_file(file: str, only_check: bool, terminal: Terminal) -> int:
    """Format one file. For a file with errors, print these and leave it as it is."""
    from lfr.language.formatter import format_flow

    try:
        text, name = read_flow_text(file, terminal)
        formatted = format_flow(text, source=name)
        if file == STDIN and not only_check:
            terminal.out.write(formatted)
            return ExitCode.OK
        is_formatted = formatted == text if file == STDIN else formatted.encode() == Path(file).read_bytes()
        if is_formatted:
            return ExitCode.OK
        if only_check:
            terminal.print(file)
            return ExitCode.FAILED
        write_file(file, formatted)
        terminal.print_err(f"{file} has been changed")
        return ExitCode.OK
    except LfrError as error:
        terminal.print_error(error)
        return exit_code(error)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Rewrites each FILE in place and keeps its comments. A file with errors stays as it is. With --check "
    "it writes nothing: it prints the files that would change, and the exit code is 1. Needs no Redis.",
    (
        ("fmt build.flow", ""),
        ("fmt --check build.flow deploy.flow", "for a commit hook"),
        ("fmt -", "from stdin to stdout"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CANNOT_WRITE),
)
