"""`lfr archive`: write a workflow to one JSON document."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.options import add_workflow_arguments, find_workflow, open_store, write_file
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    parser.add_argument("--output", metavar="FILE", help="write to FILE instead of stdout")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.archive.archive import archive_workflow
    from lfr.values.json import encode_json
    from lfr.values.printable import printable_json

    id = find_workflow(store, arguments)
    text = encode_json(archive_workflow(store, id))
    if arguments.output is None:
        terminal.print(printable_json(text))
    else:
        write_file(arguments.output, text + "\n")
        terminal.print_err(f"{id} is archived in {arguments.output}")


HANDLER = Handler(
    _add_arguments,
    _run,
    "The document holds the flow, the progress, the outputs and the history. lfr restore creates a "
    "workflow from it, on this Redis or on another one.",
    (("archive build-5f0c --output build.json", ""),),
    (ExitCode.CANNOT_WRITE, ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CONFLICT, *REDIS_ERRORS),
)
