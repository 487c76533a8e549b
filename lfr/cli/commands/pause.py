"""`lfr pause`: start nothing new, of one workflow, a flow, a task, or at all."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.bulk_command import add_where_options, is_many, run_where
from lfr.cli.ui.format_change import print_change
from lfr.cli.ui.options import (
    add_connection_options,
    add_json_option,
    add_reason_option,
    open_store_to_change,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.pause_scope import add_scope_arguments, parse_scope
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_scope_arguments(parser)
    add_where_options(parser)
    help = "whether deadlines run on or stop meanwhile (default: run)"
    parser.add_argument("--deadlines", choices=("run", "stop"), default="run", help=help)
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    names = arguments.id or arguments.flow or arguments.task or ("--all" if arguments.all else None)
    if is_many(arguments, names):
        if arguments.deadlines == "stop":
            raise UsageError("--deadlines stop goes with a scope, not with --where (lfr pause --help)")
        return run_where(arguments, terminal)
    scope, name = parse_scope(arguments)
    store = open_store_to_change(arguments)
    from lfr.operations.find_workflow import find_workflow_id
    from lfr.operations.pause import pause, pause_workflow

    if scope == "workflow":
        id = find_workflow_id(store, name)
        state = pause_workflow(store, id, deadlines=arguments.deadlines)
        fields = {"id": id, "state": state.value}
        print_change(terminal, f"{id} is paused", fields, as_json=arguments.json)
        return None
    description = pause(store, scope, name, deadlines=arguments.deadlines)
    what = "everything" if scope == "all" else f"the {scope} {name}"
    print_change(terminal, f"{what} is paused", description, as_json=arguments.json)
    return None


HANDLER = Handler(
    _add_arguments,
    _run,
    "What runs may end, and its results are stored; nothing new starts until lfr resume. Workflows that are "
    "started meanwhile are accepted, and wait. Tasks that stand in a queue already count as running: a "
    "worker may still begin them. With --deadlines stop, the deadlines of tasks, of waits for events and of "
    "workflows stand still meanwhile; delays go on.",
    (
        ("pause build-5f0c", "one workflow, with its items"),
        ("pause --flow build", "all workflows of a flow"),
        ("pause --task 'request:*'", "all steps that invoke a task, here all HTTP requests"),
        ("pause --where 'flow=build label.tenant=7'", "all workflows that match, each by itself"),
        ("pause --all --deadlines stop", "everything, for maintenance"),
    ),
    WORKFLOW_ERRORS,
)
