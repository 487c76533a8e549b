"""`lfr resume`: end a pause."""

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
from lfr.cli.ui.pause_scope import add_scope_arguments, parse_scope
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_scope_arguments(parser)
    add_where_options(parser)
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    names = arguments.id or arguments.flow or arguments.task or ("--all" if arguments.all else None)
    if is_many(arguments, names):
        return run_where(arguments, terminal)
    scope, name = parse_scope(arguments)
    store = open_store_to_change(arguments)
    from lfr.operations.find_workflow import find_workflow_id
    from lfr.operations.pause import resume, resume_workflow

    if scope == "workflow":
        id = find_workflow_id(store, name)
        state = resume_workflow(store, id)
        fields = {"id": id, "state": state.value}
        print_change(terminal, f"{id} is resumed", fields, as_json=arguments.json)
        return None
    description = resume(store, scope, name)
    what = "everything" if scope == "all" else f"the {scope} {name}"
    print_change(terminal, f"{what} is resumed", description, as_json=arguments.json)
    return None


HANDLER = Handler(
    _add_arguments,
    _run,
    "Starts what the pause has held back, and nothing else. What another pause holds back as well, waits "
    "until that one ends, too: --all ends only the pause of --all. lfr status shows what is paused.",
    (
        ("resume build-5f0c", "one workflow"),
        ("resume --flow build", "all workflows of a flow"),
        ("resume --where 'flow=build label.tenant=7'", "all workflows that match, each by itself"),
        ("resume --all", "everything"),
    ),
    WORKFLOW_ERRORS,
)
