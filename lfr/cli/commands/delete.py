"""`lfr delete`: delete workflows that have ended."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.bulk_command import add_where_options, is_many, run_where
from lfr.cli.ui.options import (
    add_connection_options,
    add_json_option,
    add_reason_option,
    open_store_to_change,
)
from lfr.cli.ui.terminal import Terminal
from lfr.values.json import Json


def _add_arguments(parser: ArgumentParser) -> None:
    help = "workflows that have ended; for each its id, or a beginning that no other id has"
    parser.add_argument("id", metavar="ID", nargs="*", help=help)
    add_where_options(parser)
    add_reason_option(parser)
    add_json_option(parser, "a list of the deleted ids, with --where an object")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    if is_many(arguments, arguments.id):
        return run_where(arguments, terminal)
    store = open_store_to_change(arguments)
    from lfr.operations.find_workflow import find_workflow_id
    from lfr.operations.intervene import delete_workflow

    deleted: list[Json] = []
    try:
        for text in arguments.id:
            id = find_workflow_id(store, text)
            delete_workflow(store, id)
            deleted.append(id)
            if not arguments.json:
                terminal.print(f"{id} is deleted")
    finally:  # an error names the id that is not deleted
        if arguments.json:
            terminal.print_json(deleted)
    return None


HANDLER = Handler(
    _add_arguments,
    _run,
    "Removes everything that Redis holds of them, with their items. Without an archive it is lost.",
    (
        ("delete build-5f0c", ""),
        ("delete --where 'flow=order older=30d' --dry-run", "say how many"),
    ),
    WORKFLOW_ERRORS,
)
