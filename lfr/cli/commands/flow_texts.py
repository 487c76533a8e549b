"""`lfr check`, `fmt` and `graph`: check, format and draw flow texts. They need no Redis."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import ExitCode, exit_code
from lfr.cli.ui.format_values import long_json
from lfr.cli.ui.options import STDIN, add_base_option, flow_base, read_flow_text, write_file
from lfr.cli.ui.terminal import Terminal, printable
from lfr.errors import LfrError
from lfr.flow import Flow, StepKind
from lfr.values.json import Json

if TYPE_CHECKING:
    from lfr.language import CheckResult, Diagnostic

_MAX_WARNINGS: Final = 5
"""How many warnings a command prints whose purpose is not to check."""


def _add_check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="flow texts; - is stdin")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON list of all errors and warnings, for editors"
    )
    add_base_option(parser)
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")


def _check(arguments: Namespace, terminal: Terminal) -> int:
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

        checked = check_flow(text, base, source=source)
        if arguments.json:
            diagnostics.extend(_to_json(source, diagnostic) for diagnostic in checked.diagnostics)
        else:
            terminal.print(_format_report(source, checked))
        is_bad = checked.flow is None or (arguments.strict and checked.diagnostics)
        codes.append(ExitCode.BAD_INPUT if is_bad else ExitCode.OK)
    if arguments.json:
        terminal.print(long_json(diagnostics))
    return next(filter(None, codes), ExitCode.OK)


def _to_json(file: str, diagnostic: Diagnostic) -> Json:
    keys = ("line", "column", "end_column", "severity", "message", "hint")
    return {"file": file, **{key: getattr(diagnostic, key) for key in keys}}


def _format_report(source: str, checked: CheckResult) -> str:
    from lfr.language import format_diagnostics

    details = format_diagnostics(checked.diagnostics)
    flow = checked.flow
    if flow is None:
        return details
    tasks = sum(step.kind is StepKind.TASK for step in flow.steps)
    name = f" ({printable(flow.name)})" if flow.name else ""
    count = len(checked.diagnostics)
    warnings = f", {count} warning{'s' if count > 1 else ''}" if count else ""
    verdict = f"{printable(source)}: ok{name}{warnings}: {len(flow.steps)} steps, {tasks} of them tasks"
    return f"{details}\n{verdict}" if details else verdict


def print_warnings(warnings: Iterable[Diagnostic], terminal: Terminal) -> None:
    """Print warnings about a flow on stderr, a line each, up to a limit."""
    lines = [f"lfr: {printable(warning.headline)}" for warning in warnings]
    for line in lines[:_MAX_WARNINGS]:
        terminal.print_err(line)
    if len(lines) > _MAX_WARNINGS:
        terminal.print_err(f"lfr: and {len(lines) - _MAX_WARNINGS} more warnings (lfr check shows all)")


def _add_fmt_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="+", help="flow text to rewrite in place; - is stdin to stdout"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; print the files that would change"
    )


def _fmt(arguments: Namespace, terminal: Terminal) -> int:
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


def _add_graph_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the flow text; - is stdin")
    add_base_option(parser, default="relative resources stay as written")
    parser.add_argument(
        "--format", choices=("mermaid", "dot", "json", "svg"), default="mermaid", help="default: mermaid"
    )
    parser.add_argument("--no-docs", action="store_true", help="leave out the docs of flow and tasks")
    parser.add_argument("--output", metavar="FILE", help="write to FILE instead of stdout")
    parser.add_argument("--vertical", action="store_true", help="draw from top to bottom")


def _graph(arguments: Namespace, terminal: Terminal) -> int:
    text, source = read_flow_text(arguments.file, terminal)
    from lfr.language import compile_flow

    base = None if arguments.base is None else flow_base(arguments.base, arguments.file)
    drawing = _draw(compile_flow(text, base, source=source), arguments)
    if arguments.output is None:
        terminal.out.write(drawing)
    else:
        write_file(arguments.output, drawing)
    return ExitCode.OK


def _draw(flow: Flow, arguments: Namespace) -> str:
    vertical, docs = arguments.vertical, not arguments.no_docs
    match arguments.format:
        case "dot":
            from lfr.drawing.dot import to_dot

            return to_dot(flow, vertical=vertical, docs=docs)
        case "json":
            data = flow.to_dict() if docs else replace(flow, doc="", docs={}).to_dict()
            return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        case "svg":
            from lfr.drawing.svg import to_svg

            return to_svg(flow, vertical=vertical, docs=docs)
    from lfr.drawing.mermaid import to_mermaid

    return to_mermaid(flow, vertical=vertical, docs=docs)


HANDLERS: Handlers = {
    "check": Handler(
        _add_check_arguments,
        _check,
        "Prints each error as FILE:LINE:COLUMN: message, with the line and a caret, and likewise each "
        "warning about a text that compiles but probably means something else. After an error it continues "
        "with the next statement. Warnings alone leave the exit code 0. Needs no Redis.",
        (
            ("check build.flow", ""),
            ("check *.flow --strict", "treat warnings as errors"),
            (
                "check --json build.flow",
                "for editors: file, line, column, end_column, severity, message, hint",
            ),
            ("check -", "read the flow from stdin"),
        ),
        (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND),
    ),
    "fmt": Handler(
        _add_fmt_arguments,
        _fmt,
        "Rewrites each FILE in place and keeps its comments. A file with errors stays as it is. With --check "
        "it writes nothing: it prints the files that would change, and the exit code is 1. Needs no Redis.",
        (
            ("fmt build.flow", ""),
            ("fmt --check build.flow deploy.flow", "for a commit hook"),
            ("fmt -", "from stdin to stdout"),
        ),
        (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CANNOT_WRITE),
    ),
    "graph": Handler(
        _add_graph_arguments,
        _graph,
        "SVG is a picture for every browser; many tools draw mermaid and DOT; JSON is the compiled flow. "
        "Needs no Redis.",
        (
            ("graph build.flow --format svg --output build.svg", "a picture"),
            ("graph build.flow --vertical", "mermaid, from top to bottom"),
            ("graph build.flow --format json", "steps and edges, for programs"),
        ),
        (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CANNOT_WRITE),
    ),
}
