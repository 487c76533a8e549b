"""`lfr retry`: start a new attempt of a task."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.format_change import print_step_change
from lfr.cli.ui.options import add_json_option, add_step_arguments, find_workflow, open_store_to_change
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_step_arguments(parser)
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store_to_change(arguments)
    from lfr.operations.intervene import retry_task

    change = retry_task(store, find_workflow(store, arguments), arguments.index)
    what = "starts again" if change.attempt is None else f"starts attempt {change.attempt}"
    print_step_change(terminal, change, what, as_json=arguments.json)


HANDLER = Handler(
    _add_arguments,
    _run,
    "For a task that hangs: starts another attempt, and ignores the result of the current one. If the "
    "step has failed, the workflow continues as after lfr restart.",
    (("retry build-5f0c 4", ""),),
    WORKFLOW_ERRORS,
)
