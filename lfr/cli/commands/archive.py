"""`lfr archive`: write a workflow to one JSON document."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.bulk_command import add_where_options, is_many, run_where
from lfr.cli.ui.options import (
    add_json_option,
    add_workflow_arguments,
    find_workflow,
    open_store,
    write_file,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser, is_optional=True)
    parser.add_argument(
        "--output",
        metavar="FILE|URI",
        help="write to a file or to s3://BUCKET/KEY, not to stdout; with --where into this folder",
    )
    add_where_options(parser)
    add_json_option(parser, "with --where, one JSON object")


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    if is_many(arguments, arguments.id):
        if arguments.output is None:
            raise UsageError("archive --where needs --output DIR, a folder (lfr archive --help)")
        return run_where(arguments, terminal, folder=arguments.output)
    if arguments.json:
        raise UsageError("--json goes with --where (lfr archive --help)")
    store = open_store(arguments)
    from lfr.operations.archive.archive import archive_workflow
    from lfr.values.json import encode_json
    from lfr.values.printable import printable_json

    id = find_workflow(store, arguments)
    document = archive_workflow(store, id)
    output = arguments.output
    if output is None:
        terminal.print(printable_json(encode_json(document)))
        return None
    if output.startswith("s3://"):
        from lfr.outbound.archive_objects import parse_archive_uri, write_archive_object  # imports urllib3

        location = parse_archive_uri(output, document)
        write_archive_object(store.settings, location, document)
        output = str(location)
    else:
        write_file(output, encode_json(document) + "\n")
    terminal.print_err(f"{id} is archived in {output}")
    return None


HANDLER = Handler(
    _add_arguments,
    _run,
    "The document holds the flow, the progress, the outputs and the history. lfr restore creates a "
    "workflow from it, on this Redis or on another one. The settings s3.* say how S3 is reached.",
    (
        ("archive build-5f0c --output build.json", ""),
        ("archive build-5f0c --output s3://archives/builds/", "in S3, as build-5f0c.json"),
        ("archive --where 'flow=order since=7d' --output orders --yes", "a file for each"),
    ),
    (ExitCode.CANNOT_WRITE, ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CONFLICT, *REDIS_ERRORS),
)
