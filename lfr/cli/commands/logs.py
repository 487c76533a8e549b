"""`lfr logs`: show what the tasks of a workflow have printed and logged."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_time
from lfr.cli.ui.options import add_flag, add_workflow_arguments, find_workflow, open_store, parse_count
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable

_COLOURS: Final[Mapping[str, str]] = {
    "stderr": "yellow",
    "warning": "yellow",
    "error": "red",
    "critical": "red",
    "traceback": "red",
    "lfr": "cyan",
}

_SOURCE_WIDTH: Final = 9


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    parser.add_argument("index", metavar="INDEX", nargs="?", type=int, help="only of this step")
    parser.add_argument("--attempt", metavar="N", type=parse_count, help="only of this attempt of the step")
    add_flag(parser, "--follow", "go on until the workflow has ended")
    add_flag(parser, "--json", "print one JSON object a line, with nothing cut")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.attempt is not None and arguments.index is None:
        raise UsageError("--attempt is one of a step: lfr logs ID INDEX --attempt N (lfr logs --help)")
    store = open_store(arguments)
    from lfr.operations.task_logs import follow_task_log, read_whole_task_log

    id = find_workflow(store, arguments)
    read = follow_task_log if arguments.follow else read_whole_task_log
    is_empty = True
    for lines in read(store, id, index=arguments.index, attempt=arguments.attempt):
        is_empty = False
        if arguments.json:
            terminal.print_lines(map(json.dumps, lines))
        else:
            terminal.print_lines(_format_lines(terminal, lines, has_step=arguments.index is None))
        terminal.out.flush()
    if is_empty:
        terminal.print_err("nothing is there: no task has written anything (docs/workers.md)")


def _format_lines(terminal: Terminal, lines: Iterable[Mapping[str, Any]], *, has_step: bool) -> Iterator[str]:
    for line in lines:
        step = f"{line['index']} {printable(line['name'])} " if has_step else ""
        attempt = terminal.paint(f"{step}#{line['attempt']}", "bold")
        if "omitted" in line:
            yield f"{'':12}  {attempt}  {terminal.paint(_format_omitted(line['omitted']), 'dim')}"
            continue
        time = terminal.paint(format_time(line["at"]), "dim")
        source = terminal.paint(f"{line['source']:{_SOURCE_WIDTH}}", _COLOURS.get(line["source"], ""))
        yield f"{time}  {attempt}  {source}  {printable(line['text'])}"


def _format_omitted(count: int) -> str:
    return "… one line is left out" if count == 1 else f"… {count:,} lines are left out"


HANDLER = Handler(
    _add_arguments,
    _run,
    "Prints what functions with @task have printed and logged, and the tracebacks of those that have failed, "
    "in the order in which it came: time, step, attempt, source, text. lfr inspect ID INDEX shows which "
    "process has run each attempt. Workers in other languages can send lines, too. The lines stay as long as "
    "the workflow; the settings logs.attempt and logs.workflow bound them.",
    (
        ("logs build-5f0c", "of all steps"),
        ("logs build-5f0c 4", "of one step"),
        ("logs build-5f0c 4 --attempt 2", ""),
        ("logs build-5f0c --follow", "as they come, until the workflow has ended"),
        ("logs build-5f0c --json", "one JSON object a line"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
