"""`lfr workers`: list the tasks by name: who does each, how fast, what waits, and which nobody does."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS
from lfr.cli.ui.format_values import format_duration, seconds_between
from lfr.cli.ui.options import add_connection_options, add_flag, open_store
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable
from lfr.values.times import format_span

_COLUMNS: Final = (
    Column("task"),
    Column("done by", max_width=24),
    Column("processes", align_right=True, drop=3),
    Column("waiting", align_right=True),
    Column("oldest", align_right=True),
    Column("ended", align_right=True, drop=2),
    Column("failed", align_right=True, drop=2),
    Column("median", align_right=True, drop=1),
    Column("last done", drop=4),
)


def _add_arguments(parser: ArgumentParser) -> None:
    add_flag(parser, "--json", "print a JSON list, with the processes of each task")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.task_list import list_tasks

    tasks = list_tasks(store)
    if arguments.json:
        terminal.print_json(tasks)
        return
    if not tasks:
        terminal.print_err("nobody does a task yet; lfr tasks FILE.py runs a worker")
        return
    terminal.print_lines(format_table(terminal, _COLUMNS, list(map(_row, tasks))))
    if any(task["shares_queue"] and task["waiting"] for task in tasks):
        terminal.print_err("*: in the queue of the group, which has all of its tasks")
    for task in tasks:
        if task["warning"] is not None:
            terminal.print_err(f"lfr: {terminal.paint(printable(task['warning']), 'red', terminal.err)}")


def _row(task: Mapping[str, Any]) -> Row:
    shared = "*" if task["shares_queue"] and task["waiting"] else ""
    return [
        Cell(task["task"], "bold"),
        _doer(task),
        f"{task['process_count']:,}" if task["process_count"] else "",
        f"{task['waiting']:,}{shared}" if task["waiting"] else "",
        "" if task["oldest"] is None else format_span(task["oldest"]),
        f"{task['ended']:,}" if task["ended"] else "",
        Cell(f"{task['failed']:,}", "red") if task["failed"] else "",
        format_duration(task["median"]),
        _last(task),
    ]


def _doer(task: Mapping[str, Any]) -> str | Cell:
    if task["kind"] == "foreign":
        return Cell("foreign workers", "dim")
    if task["problem"] is not None:
        return Cell("nobody", "red" if task["waiting"] else "dim")
    if task["kind"] == "nobody":
        return Cell("simulated, or others", "dim")
    return str(task["group"] or "wait")


def _last(task: Mapping[str, Any]) -> str:
    if task["never"]:
        return "never"
    if task["last"] is None:
        return ""
    by = task["last"]["by"]
    is_other = by is not None and by != task["group"]
    ago = format_span(seconds_between(task["last"]["at"], None) or 0.0)
    return f"{ago} ago" + (f" by {by}" if is_other else "")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Lists the tasks by name: the group of workers that does each, in how many live processes; how many "
    "wait, and the oldest of these for how long; how many have ended and failed since lfr has counted them; "
    "the median time in the worker; when a worker did it last. Tasks that wait although nobody does them "
    "come first, and stderr says what to do. `lfr status` shows roles, streams and groups.",
    (
        ("workers", ""),
        ("workers --json", "a JSON list, with host and pid of each process"),
    ),
    REDIS_ERRORS,
)
