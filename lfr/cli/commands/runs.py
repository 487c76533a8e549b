"""`lfr runs`: show the latest runs of a flow, step by step."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_duration, format_start
from lfr.cli.ui.format_workflow import STATE_COLOURS
from lfr.cli.ui.options import add_connection_options, add_json_option, open_store, parse_count
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal

_COLUMNS: Final = (
    Column("started"),
    Column("state"),
    Column("duration", align_right=True),
    Column("version", align_right=True, drop=2),
    Column("id", drop=1),
    Column("failed, or slower than usual"),
)

_SLOW: Final = 2.0
"""A step that took so many times its median is slower than usual."""

_LEAST_SECONDS: Final = 1.0
"""A step that took less is never called slow."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("flow", metavar="FLOW", help="the name of the flow, as it stands in @flow")
    parser.add_argument("--limit", metavar="N", type=parse_count, default=30, help="at most N (default: 30)")
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.flow_runs import describe_runs

    described = describe_runs(store, arguments.flow, count=arguments.limit)
    if arguments.json:
        terminal.print_json(described)
    elif described["runs"]:
        terminal.print_lines(_format(terminal, described))
    else:
        terminal.print_err(
            f"no workflow of the flow {arguments.flow} is here; lfr flows lists the stored flows"
        )


def _format(terminal: Terminal, described: Mapping[str, Any]) -> Iterator[str]:
    yield _format_statistics(described["statistics"])
    yield ""
    yield from format_table(terminal, _COLUMNS, [_row(run, described["steps"]) for run in described["runs"]])


def _format_statistics(statistics: Mapping[str, Any]) -> str:
    states = ", ".join(
        f"{statistics[state]} {state}"
        for state in ("finished", "failed", "terminated", "running")
        if statistics[state]
    )
    runs = "1 run" if statistics["runs"] == 1 else f"{statistics['runs']} runs"
    text = f"{runs}: {states}"
    if statistics["success"] is not None:
        text += f"; success {statistics['success']:.0%}"
    seconds = statistics["seconds"]
    if seconds["median"] is not None:
        lower, median, upper = (format_duration(seconds[name]) for name in ("lower", "median", "upper"))
        text += f"; median {median}, half of them {lower} to {upper}"
    return text


def _row(run: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Row:
    return [
        format_start(run["started"]),
        Cell(run["state"], STATE_COLOURS[run["state"]]),
        format_duration(run["seconds"]),
        "" if run["version"] is None else str(run["version"]),
        run["id"].removeprefix("workflow:"),
        _remarks(run, steps),
    ]


def _remarks(run: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> str:
    """Name the steps that failed, and those that took much longer than the median of all runs."""
    remarks = []
    for step, cell in zip(steps, run["steps"], strict=True):
        if cell is None:
            continue
        if cell["state"] == "FAILED":
            remarks.append(f"{step['title']} failed")
        elif _is_slow(cell["seconds"], step["seconds"]):
            remarks.append(f"{step['title']} {format_duration(cell['seconds'])}")
    return ", ".join(remarks)


def _is_slow(seconds: float | None, median: float | None) -> bool:
    return seconds is not None and median is not None and seconds > max(_SLOW * median, _LEAST_SECONDS)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Shows the latest runs of one flow, newest first: how each ended, how long it took, which steps failed "
    "or took more than twice their median. The flow need not be stored.",
    (
        ("runs order", "the latest 30"),
        ("runs order --limit 100 --json", "with the state of each step of each run"),
    ),
    (ExitCode.BAD_INPUT, *REDIS_ERRORS),
)
