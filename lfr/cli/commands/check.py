"""`lfr check`: what is wrong with flows, or doubtful. No Redis is needed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit, exit_code
from lfr.cli.ui.format_workflow import long_json
from lfr.cli.ui.options import add_base, base_of, read_flow
from lfr.cli.ui.terminal import Terminal, printable
from lfr.errors import LfrError
from lfr.flow import StepKind
from lfr.values.json import Json

if TYPE_CHECKING:
    from lfr.language import CheckResult, Diagnostic

_MOST_SAID: Final = 5
"""Warnings that a command tells which was asked for something else."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="flows; - is stdin")
    parser.add_argument(
        "--json", action="store_true", help="one JSON list of all errors and warnings, for editors"
    )
    add_base(parser)
    parser.add_argument("--strict", action="store_true", help="take warnings for errors")


def _check(arguments: Namespace, terminal: Terminal) -> int:
    diagnostics: list[Json] = []
    codes: list[int] = []
    for file in arguments.files:
        try:
            text, source = read_flow(file, terminal)
            base = base_of(arguments.base, file)
        except LfrError as error:  # the other files are looked at nevertheless
            terminal.say(f"lfr: {printable(str(error))}")
            codes.append(exit_code(error))
            continue
        from lfr.language import check_flow

        checked = check_flow(text, base, source=source)
        if arguments.json:
            diagnostics.extend(_as_json(source, diagnostic) for diagnostic in checked.diagnostics)
        else:
            terminal.print(_report(source, checked))
        is_bad = checked.flow is None or (arguments.strict and checked.diagnostics)
        codes.append(Exit.BAD_INPUT if is_bad else Exit.OK)
    if arguments.json:
        terminal.print(long_json(diagnostics))
    return next(filter(None, codes), Exit.OK)


def _as_json(file: str, diagnostic: Diagnostic) -> Json:
    keys = ("line", "column", "end_column", "severity", "message", "hint")
    return {"file": file, **{key: getattr(diagnostic, key) for key in keys}}


def _report(source: str, checked: CheckResult) -> str:
    from lfr.language import format_diagnostics

    told = format_diagnostics(checked.diagnostics)
    if checked.flow is None:
        return told
    flow = checked.flow
    tasks = sum(step.kind is StepKind.TASK for step in flow.steps)
    named = f" ({printable(flow.name)})" if flow.name else ""
    doubts = f", {_count(checked.diagnostics)}" if checked.diagnostics else ""
    summary = f"{printable(source)}: ok{named}{doubts}: {len(flow.steps)} steps, {tasks} of them tasks"
    return f"{told}\n{summary}" if told else summary


def _count(warnings: Sequence[Diagnostic]) -> str:
    return "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"


def say_warnings(warnings: Iterable[Diagnostic], terminal: Terminal) -> None:
    """Tell on stderr what is doubtful about a flow, a line for each, if there are not too many."""
    said = [f"lfr: {printable(warning.headline)}" for warning in warnings]
    for line in said[:_MOST_SAID]:
        terminal.say(line)
    if len(said) > _MOST_SAID:
        terminal.say(f"lfr: and {len(said) - _MOST_SAID} warnings more (lfr check tells all)")


HANDLERS: Handlers = {"check": Handler(_add_arguments, _check)}
