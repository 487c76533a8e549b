"""`lfr check`: report errors and warnings in flow texts. Needs Redis only with --live."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode, exit_code
from lfr.cli.ui.options import (
    add_base_option,
    add_connection_options,
    add_flag,
    connection_flags,
    flow_base,
    open_store,
    read_flow_text,
    unserved_finder,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.errors import LfrError
from lfr.flow import StepKind
from lfr.values.json import Json
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.language import CheckResult, Diagnostic


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="flow texts; - is stdin")
    add_flag(parser, "--json", "print one JSON list of all errors and warnings, for editors")
    add_base_option(parser)
    add_flag(parser, "--strict", "treat warnings as errors")
    add_flag(parser, "--live", "also warn of tasks that no role and no worker does now; needs Redis")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    find_unserved = unserved_finder(open_store(arguments)) if arguments.live else None
    if not arguments.live and (flags := connection_flags(arguments)):
        raise UsageError(f"{flags[0]} goes with --live (lfr check --help)")
    diagnostics: list[Json] = []
    codes: list[int] = []
    for file in arguments.files:
        try:
            text, source = read_flow_text(file, terminal)
            base = flow_base(arguments.base, file)
        except LfrError as error:  # continue with the other files
            terminal.print_error(error)
            codes.append(exit_code(error))
            continue
        from lfr.language import check_flow

        checked = check_flow(text, base, source=source, find_unserved=find_unserved)
        if arguments.json:
            diagnostics.extend(_to_json(source, diagnostic) for diagnostic in checked.diagnostics)
        else:
            terminal.print(_format_report(source, checked))
        is_bad = checked.has_errors or (arguments.strict and checked.diagnostics)
        codes.append(ExitCode.BAD_INPUT if is_bad else ExitCode.OK)
    if arguments.json:
        terminal.print_json(diagnostics)
    return next(filter(None, codes), ExitCode.OK)


def _to_json(file: str, diagnostic: Diagnostic) -> Json:
    keys = ("line", "column", "end_column", "severity", "message", "hint")
    return {"file": file, **{key: getattr(diagnostic, key) for key in keys}}


def _format_report(source: str, checked: CheckResult) -> str:
    from lfr.language import format_diagnostics

    details = format_diagnostics(checked.diagnostics)
    flow = checked.flow
    if flow is None or checked.has_errors:
        return details
    tasks = sum(step.kind is StepKind.TASK for step in flow.steps)
    name = f" ({printable(flow.name)})" if flow.name else ""
    count = len(checked.diagnostics)
    warnings = f", {count} warning{'s' if count > 1 else ''}" if count else ""
    verdict = f"{printable(source)}: ok{name}{warnings}: {len(flow.steps)} steps, {tasks} of them tasks"
    return f"{details}\n{verdict}" if details else verdict


HANDLER = Handler(
    _add_arguments,
    _run,
    "Prints each error as FILE:LINE:COLUMN: message, with the line and a caret, and likewise each "
    "warning about a text that compiles but probably means something else. Unknown parameters of built-in "
    "tasks, and names with their prefixes that no task has, are errors. After an error it continues "
    "with the next statement. Warnings alone leave the exit code 0. Needs no Redis, but with --live: then it "
    "warns of each task that nobody does, and names the nearest that somebody does.",
    (
        ("check build.flow", ""),
        ("check *.flow --strict", "treat warnings as errors"),
        ("check --json build.flow", "for editors: file, line, column, end_column, severity, message, hint"),
        ("check build.flow --live", "is there somebody for each task?"),
        ("check -", "read the flow from stdin"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
