"""`lfr compare`: compare two workflows."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_date_time, format_duration
from lfr.cli.ui.format_workflow import STATE_COLOURS
from lfr.cli.ui.options import add_json_option, add_workflow_arguments, find_workflow, open_store
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable

_RUN_COLUMNS: Final = (
    Column(""),
    Column("state"),
    Column("started"),
    Column("duration", align_right=True),
    Column("version", align_right=True),
    Column("id"),
)

_STEP_COLUMNS: Final = (
    Column("step", max_width=30),
    Column("first"),
    Column("duration", align_right=True),
    Column("second"),
    Column("duration", align_right=True),
    Column("differs"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    parser.add_argument("other", metavar="OTHER", help="the workflow to compare with, likewise")
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.compare_runs import compare_runs
    from lfr.operations.find_workflow import find_workflow_id

    comparison = compare_runs(
        store, find_workflow(store, arguments), find_workflow_id(store, arguments.other)
    )
    if arguments.json:
        terminal.print_json(comparison)
    else:
        terminal.print_lines(_format(terminal, comparison))


def _format(terminal: Terminal, comparison: Mapping[str, Any]) -> Iterator[str]:
    runs = [_run_row(name, comparison[name]) for name in ("first", "second")]
    yield from format_table(terminal, _RUN_COLUMNS, runs)
    yield from _section("flow", [f"  {printable(line)}" for line in comparison["changes"]])
    for name in ("input", "output"):
        yield from _section(name, [_format_difference(each) for each in comparison[name]])
    yield ""
    yield from format_table(terminal, _STEP_COLUMNS, [_step_row(step) for step in comparison["steps"]])


def _run_row(name: str, run: Mapping[str, Any]) -> Row:
    return [
        name,
        Cell(run["state"], STATE_COLOURS[run["state"]]),
        format_date_time(run["started"]),
        format_duration(run["seconds"]),
        "" if run["version"] is None else str(run["version"]),
        run["id"],
    ]


def _section(name: str, lines: Sequence[str]) -> Iterator[str]:
    yield ""
    if lines:
        yield f"{name} differs:"
        yield from lines
    else:
        yield f"{name}: the same"


def _format_difference(difference: Mapping[str, Any]) -> str:
    first, second = (
        "nothing" if difference[name] is None else difference[name] for name in ("first", "second")
    )
    return printable(f"  {difference['path']}: {first} -> {second}")


def _step_row(step: Mapping[str, Any]) -> Row:
    row: list[str | Cell] = [step["title"]]
    for name in ("first", "second"):
        run_step = step[name]
        if run_step is None:
            row += ["-", ""]
        else:
            state = run_step["state"]
            row += [Cell(state, STATE_COLOURS[state]), format_duration(run_step["seconds"])]
    return [*row, ", ".join(name for name in ("input", "output") if step[name] is False)]


HANDLER = Handler(
    _add_arguments,
    _run,
    "Shows in what two workflows differ: their flows, inputs and outputs, and for each step its state, its "
    "duration, and whether its input and output are the same. The difference of a value names each place.",
    (
        ("compare order-5f0c order-77a1", "a run that failed with one that did not"),
        ("compare order-5f0c order-77a1 --json", "one JSON object"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
