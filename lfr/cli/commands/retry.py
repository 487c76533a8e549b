"""`lfr retry`: start a new attempt of a task."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.bulk_command import add_where_options, is_many, run_where
from lfr.cli.ui.format_change import print_step_change
from lfr.cli.ui.options import (
    add_json_option,
    add_reason_option,
    add_workflow_arguments,
    find_workflow,
    open_store_to_change,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.values.checks import WHOLE_NUMBER_TEXT


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser, is_optional=True)
    help = "the step's index; lfr inspect shows it"
    parser.add_argument("index", metavar="INDEX", type=int, nargs="?", help=help)
    add_where_options(parser)
    add_reason_option(parser)
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    if arguments.where is not None and arguments.index is None:  # the only word is the index
        return _retry_many(arguments, terminal)
    if is_many(arguments, arguments.id) or arguments.index is None:
        raise UsageError("retry needs ID and INDEX, or INDEX and --where (lfr retry --help)")
    store = open_store_to_change(arguments)
    from lfr.operations.intervene import retry_task

    change = retry_task(store, find_workflow(store, arguments), arguments.index)
    what = "starts again" if change.attempt is None else f"starts attempt {change.attempt}"
    print_step_change(terminal, change, what, as_json=arguments.json)
    return None


def _retry_many(arguments: Namespace, terminal: Terminal) -> int | None:
    index = WHOLE_NUMBER_TEXT.read(arguments.id)
    if index is None:
        raise UsageError("retry --where needs the INDEX of a step (lfr retry --help)")
    return run_where(arguments, terminal, index=index)


HANDLER = Handler(
    _add_arguments,
    _run,
    "For a task that hangs: starts another attempt, and ignores the result of the current one. If the "
    "step has failed, the workflow continues as after lfr restart.",
    (
        ("retry build-5f0c 4", ""),
        ("retry 4 --where 'flow=build state=FAILED'", "step 4 of all of them; it asks before"),
    ),
    WORKFLOW_ERRORS,
)
