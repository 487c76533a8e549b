"""`lfr skip`: continue without a task."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.options import add_step_arguments, open_store, read_json_option
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_step_arguments(parser)
    parser.add_argument("--output", metavar="JSON|@FILE", help="the step's output (default: its input)")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.intervene import skip_task

    output = read_json_option("--output", arguments.output, terminal)
    skip_task(store, arguments.id, arguments.index, output)


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
