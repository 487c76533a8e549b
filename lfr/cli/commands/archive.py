"""`lfr archive`, `restore`, `delete`: a workflow as a file, back again, and gone."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.options import add_connection, open_store, read_json_option, write_file
from lfr.cli.ui.terminal import Terminal


def _add_archive_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to stdout")
    add_connection(parser)


def _archive(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.archive.archive import archive_workflow
    from lfr.values.json import encode_json

    text = encode_json(archive_workflow(store, arguments.id))
    if arguments.output is None:
        terminal.print(text)
    else:
        write_file(arguments.output, text + "\n")
    return Exit.OK


def _add_restore_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what lfr archive has written; - for stdin")
    parser.add_argument("--workflow-id", metavar="ID", help="its id (default: as it was, if that is free)")
    add_connection(parser)


def _restore(arguments: Namespace, terminal: Terminal) -> int:
    document = read_json_option("FILE", f"@{arguments.file}", terminal)
    store = open_store(arguments)
    from lfr.operations.archive.archive import restore_workflow

    terminal.print(restore_workflow(store, document, arguments.workflow_id))
    return Exit.OK


def _add_delete_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="+", help="workflows that have ended")
    add_connection(parser)


def _delete(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.intervene import delete_workflow

    for id in arguments.id:
        delete_workflow(store, id)
    return Exit.OK


HANDLERS: Handlers = {
    "archive": Handler(_add_archive_arguments, _archive),
    "restore": Handler(_add_restore_arguments, _restore),
    "delete": Handler(_add_delete_arguments, _delete),
}
