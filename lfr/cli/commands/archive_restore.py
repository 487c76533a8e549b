"""`lfr archive` and `lfr restore`: write a workflow to a file, and create a workflow from such a file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import WORKFLOW_ERRORS, ExitCode
from lfr.cli.ui.options import add_connection_options, open_store, read_json_option, write_file
from lfr.cli.ui.terminal import Terminal


def _add_archive_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")
    parser.add_argument("--output", metavar="FILE", help="write to FILE instead of stdout")
    add_connection_options(parser)


def _archive(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.archive.archive import archive_workflow
    from lfr.values.json import encode_json

    text = encode_json(archive_workflow(store, arguments.id))
    if arguments.output is None:
        terminal.print(text)
    else:
        write_file(arguments.output, text + "\n")
    return ExitCode.OK


def _add_restore_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="output of lfr archive; - for stdin")
    parser.add_argument("--workflow-id", metavar="ID", help="id of the new workflow (default: as archived)")
    add_connection_options(parser)


def _restore(arguments: Namespace, terminal: Terminal) -> int:
    document = read_json_option("FILE", f"@{arguments.file}", terminal)
    store = open_store(arguments)
    from lfr.operations.archive.archive import restore_workflow

    terminal.print(restore_workflow(store, document, arguments.workflow_id))
    return ExitCode.OK


HANDLERS: Handlers = {
    "archive": Handler(
        _add_archive_arguments,
        _archive,
        "The document holds the flow, the progress, the outputs and the history. lfr restore creates a "
        "workflow from it, on this Redis or on another one.",
        (("archive build-5f0c --output build.json", ""),),
        (ExitCode.CANNOT_WRITE, *WORKFLOW_ERRORS),
    ),
    "restore": Handler(
        _add_restore_arguments,
        _restore,
        "Prints the id of the workflow: the archived id if it is free, else a new one. A workflow that was "
        "running when it was archived is TERMINATED; lfr restart continues it with all its outputs.",
        (("restore build.json", ""), ("restore build.json --workflow-id build-again", "")),
        WORKFLOW_ERRORS,
    ),
}
