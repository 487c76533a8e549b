"""`lfr restart`: continue a failed or terminated workflow."""

from __future__ import annotations

from argparse import Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.options import add_workflow_arguments, open_store
from lfr.cli.ui.terminal import Terminal


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.intervene import restart_workflow

    terminal.print(restart_workflow(store, arguments.id))


HANDLER = Handler(
    add_workflow_arguments,
    _run,
    "Starts the steps again that failed or were stopped. Steps that have ended are not repeated.",
    (("restart build-5f0c", ""),),
    WORKFLOW_ERRORS,
)
