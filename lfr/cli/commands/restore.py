"""`lfr restore`: create a workflow from an archive."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.format_change import print_change
from lfr.cli.ui.options import (
    add_connection_options,
    add_json_option,
    add_reason_option,
    open_store_to_change,
    read_json_option,
)
from lfr.cli.ui.terminal import Terminal
from lfr.values.json import MAX_DOCUMENT_DEPTH

_MAX_OBJECT_BYTES: Final = 2**30
"""A larger archive does not fit into one transaction of Redis."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE|URI", help="output of lfr archive, or s3://BUCKET/KEY; - for stdin"
    )
    parser.add_argument("--workflow-id", metavar="ID", help="id of the new workflow (default: as archived)")
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.file.startswith("s3://"):
        store = open_store_to_change(arguments)
        from lfr.outbound.archive_objects import (  # imports urllib3
            parse_archive_object,
            read_archive_object,
        )
        from lfr.outbound.object_store import parse_object_uri

        location = parse_object_uri(arguments.file)
        content = read_archive_object(store.settings, location, _MAX_OBJECT_BYTES)
        document = parse_archive_object(location, content)
    else:
        document = read_json_option("FILE", f"@{arguments.file}", terminal, max_depth=MAX_DOCUMENT_DEPTH)
        store = open_store_to_change(arguments)
    from lfr.operations.archive.archive import restore_workflow

    id = restore_workflow(store, document, arguments.workflow_id)
    print_change(terminal, id, {"id": id}, as_json=arguments.json)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Prints the id of the workflow: the archived id if it is free, else a new one. A workflow that was "
    "running when it was archived is TERMINATED; lfr restart continues it with all its outputs.",
    (
        ("restore build.json", ""),
        ("restore build.json --workflow-id build-again", ""),
        ("restore s3://archives/builds/build-5f0c.json", ""),
    ),
    WORKFLOW_ERRORS,
)
