"""`lfr skip`: continue without a task."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.format_change import print_step_change
from lfr.cli.ui.options import (
    add_json_option,
    add_reason_option,
    add_step_arguments,
    find_workflow,
    open_store_to_change,
    read_json_option,
)
from lfr.cli.ui.terminal import Terminal
from lfr.values.json import ABSENT


def _add_arguments(parser: ArgumentParser) -> None:
    add_step_arguments(parser)
    parser.add_argument("--output", metavar="JSON|@FILE", help="the step's output (default: its input)")
    add_reason_option(parser)
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    output = read_json_option("--output", arguments.output, terminal)
    store = open_store_to_change(arguments)
    from lfr.operations.intervene import skip_task

    change = skip_task(store, find_workflow(store, arguments), arguments.index, output)
    what = "is skipped: its output is " + ("its input" if output is ABSENT else "the one given")
    print_step_change(terminal, change, what, as_json=arguments.json)


HANDLER = Handler(
    _add_arguments,
    _run,
    "For a task that runs, has failed or was stopped. The workflow continues as if the task had ended.",
    (
        ("skip build-5f0c 4", "its output is its input"),
        ('skip build-5f0c 4 --output \'{"by": "ann"}\'', ""),
    ),
    WORKFLOW_ERRORS,
)
