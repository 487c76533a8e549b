"""`lfr terminate`: stop a workflow."""

from __future__ import annotations

from argparse import Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.options import add_workflow_arguments, open_store
from lfr.cli.ui.terminal import Terminal


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.intervene import terminate_workflow

    terminal.print(terminate_workflow(store, arguments.id))


HANDLER = Handler(
    add_workflow_arguments,
    _run,
    "No further step starts, and the results of running tasks are ignored.",
    (("terminate build-5f0c", ""),),
    WORKFLOW_ERRORS,
)
