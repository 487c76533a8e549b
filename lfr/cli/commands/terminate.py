"""`lfr terminate`: stop a workflow."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.format_change import print_change
from lfr.cli.ui.options import add_json_option, add_workflow_arguments, find_workflow, open_store_to_change
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store_to_change(arguments)
    from lfr.operations.intervene import terminate_workflow

    id = find_workflow(store, arguments)
    state = terminate_workflow(store, id)
    print_change(terminal, f"{id} is {state}", {"id": id, "state": state.value}, as_json=arguments.json)


HANDLER = Handler(
    _add_arguments,
    _run,
    "No further step starts, and the results of running tasks are ignored.",
    (("terminate build-5f0c", ""),),
    WORKFLOW_ERRORS,
)
