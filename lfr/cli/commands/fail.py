"""`lfr fail`: make a running task fail."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.format_change import print_step_change
from lfr.cli.ui.options import add_json_option, add_step_arguments, find_workflow, open_store_to_change
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_step_arguments(parser)
    parser.add_argument(
        "--reason", metavar="TEXT", default="failed by hand", help="the reason in the workflow"
    )
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store_to_change(arguments)
    from lfr.operations.intervene import fail_task

    change = fail_task(store, find_workflow(store, arguments), arguments.index, arguments.reason)
    print_step_change(terminal, change, f"has failed: {arguments.reason}", as_json=arguments.json)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Starts no further attempt. The workflow FAILS; lfr restart continues it from there.",
    (("fail build-5f0c 4 --reason 'host is gone'", ""),),
    WORKFLOW_ERRORS,
)
