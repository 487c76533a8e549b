"""`lfr retry`: start a new attempt of a task."""

from __future__ import annotations

from argparse import Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.options import add_step_arguments, open_store
from lfr.cli.ui.terminal import Terminal


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.intervene import retry_task

    retry_task(store, arguments.id, arguments.index)


HANDLER = Handler(
    add_step_arguments,
    _run,
    "For a task that hangs: starts another attempt, and ignores the result of the current one. If the "
    "step has failed, the workflow continues as after lfr restart.",
    (("retry build-5f0c 4", ""),),
    WORKFLOW_ERRORS,
)
