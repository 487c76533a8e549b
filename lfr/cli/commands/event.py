"""`lfr event`: send an event."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.format_change import print_change
from lfr.cli.ui.options import (
    add_connection_options,
    add_flag,
    add_json_option,
    add_reason_option,
    open_store_to_change,
    read_json_option,
)
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput
from lfr.values.json import ABSENT, Json

if TYPE_CHECKING:
    from lfr.store.redis.connection import Store


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="the kind of event, for example `approved`")
    parser.add_argument("--data", metavar="JSON|@FILE", help="the event's fields, an object", dest="fields")
    help = "send it once for each different set of fields with which somebody waits for it, with these fields"
    add_flag(parser, "--each", help)
    parser.add_argument("--flow", metavar="NAME", help="with --each: for workflows of the flow NAME alone")
    help = "with --each: for workflows that match alone, as 'since=1d label.tenant=7' (docs/commands.md)"
    parser.add_argument("--where", metavar="FILTER", help=help)
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser, has_data_option=True)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    fields = read_json_option("--data", arguments.fields, terminal)
    if fields is ABSENT:
        fields = {}
    if not isinstance(fields, dict):
        raise BadInput('--data must be an object, as {"order": 7}')
    if not arguments.each and (arguments.flow is not None or arguments.where is not None):
        raise BadInput("--flow and --where go with --each: an event alone is for all who wait for it")
    store = open_store_to_change(arguments)
    if arguments.each:
        _send_to_each(store, arguments, fields, terminal)
        return
    from lfr.operations.events import send_event

    id = send_event(store, arguments.kind, fields)
    print_change(terminal, id, {"id": id, "kind": arguments.kind}, as_json=arguments.json)


def _send_to_each(store: Store, arguments: Namespace, fields: dict[str, Json], terminal: Terminal) -> None:
    from lfr.operations.list_workflows import make_filter
    from lfr.operations.waits.list_waits import send_event_to_waits

    filter = make_filter(store, name=arguments.flow, where=arguments.where, source="--where")
    ids = send_event_to_waits(store, arguments.kind, fields, filter)
    if arguments.json:
        terminal.print_json({"ids": ids, "kind": arguments.kind})
    elif ids:
        terminal.print_lines(ids)
    else:
        terminal.print_err(f"nobody waits for {arguments.kind}: no event was sent")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Appends an event of any kind to the stream and prints its id. An event ends all waits that it matches. "
    "With --each, sends one for each different set of fields that waits for this kind ask for now, with "
    "these fields, and prints their ids; `lfr waiting --event KIND` shows who waits.",
    (
        ("event approved --data '{\"order\": 7}'", ""),
        ("event approved --data @order.json", ""),
        ("event approved --each --flow order", "what all workflows of this flow wait for"),
    ),
    (ExitCode.BAD_INPUT, *CHANGE_ERRORS),
)
