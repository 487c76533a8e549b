"""`lfr event`: send an event."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.format_change import print_change
from lfr.cli.ui.options import (
    add_connection_options,
    add_json_option,
    add_reason_option,
    open_store_to_change,
    read_json_option,
)
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput
from lfr.values.json import ABSENT


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="the kind of event, for example `approved`")
    parser.add_argument("--data", metavar="JSON|@FILE", help="the event's fields, an object", dest="fields")
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser, has_data_option=True)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    fields = read_json_option("--data", arguments.fields, terminal)
    if fields is ABSENT:
        fields = {}
    if not isinstance(fields, dict):
        raise BadInput('--data must be an object, as {"order": 7}')
    store = open_store_to_change(arguments)
    from lfr.operations.events import send_event

    id = send_event(store, arguments.kind, fields)
    print_change(terminal, id, {"id": id, "kind": arguments.kind}, as_json=arguments.json)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Appends an event of any kind to the stream and prints its id.",
    (("event approved --data '{\"order\": 7}'", ""), ("event approved --data @order.json", "")),
    (ExitCode.BAD_INPUT, *CHANGE_ERRORS),
)
