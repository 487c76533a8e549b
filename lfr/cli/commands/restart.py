"""`lfr restart`: continue a failed or terminated workflow."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.bulk_command import add_where_options, is_many, run_where
from lfr.cli.ui.format_change import print_change
from lfr.cli.ui.options import (
    add_json_option,
    add_reason_option,
    add_workflow_arguments,
    find_workflow,
    open_store_to_change,
)
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser, is_optional=True)
    add_where_options(parser)
    add_reason_option(parser)
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    if is_many(arguments, arguments.id):
        return run_where(arguments, terminal)
    store = open_store_to_change(arguments)
    from lfr.operations.intervene import restart_workflow

    id = find_workflow(store, arguments)
    state = restart_workflow(store, id)
    print_change(terminal, f"{id} is {state}", {"id": id, "state": state.value}, as_json=arguments.json)
    return None


HANDLER = Handler(
    _add_arguments,
    _run,
    "Starts the steps again that failed or were stopped. Steps that have ended are not repeated.",
    (
        ("restart build-5f0c", ""),
        (
            "restart --where 'state=FAILED since=1d reason~timeout'",
            "what timed out today; it asks before",
        ),
    ),
    WORKFLOW_ERRORS,
)
