"""`lfr delete`: delete workflows that have ended."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.options import add_connection_options, open_store
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="+", help="workflows that have ended")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.intervene import delete_workflow

    for id in arguments.id:
        delete_workflow(store, id)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Removes everything that Redis holds of them, with their items. Without an archive it is lost.",
    (("delete build-5f0c", ""),),
    WORKFLOW_ERRORS,
)
