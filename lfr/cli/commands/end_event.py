"""`lfr end`: complete a task by hand, in place of its worker. `lfr event`: send an event."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.options import add_connection_options, open_store, read_json_option
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput


def _add_end_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")
    parser.add_argument("name", metavar="NAME", help="the task's name, as in the flow")
    parser.add_argument("index", metavar="INDEX", type=int, help="the step's index; lfr inspect shows it")
    parser.add_argument(
        "--status",
        metavar="STATUS",
        type=str.upper,
        choices=("SUCCESS", "FAILURE"),
        default="SUCCESS",
        help="SUCCESS (the default) or FAILURE",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why the task failed")
    parser.add_argument("--output", metavar="JSON|@FILE", help="the output of the task")
    add_connection_options(parser)


def _end(arguments: Namespace, terminal: Terminal) -> int:
    output = read_json_option("--output", arguments.output, terminal)
    store = open_store(arguments)
    from lfr.operations.complete_task import complete_task

    result = {"status": arguments.status, "reason": arguments.reason, "output": output}
    terminal.print(complete_task(store, arguments.id, arguments.name, arguments.index, **result))
    return ExitCode.OK


def _add_event_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="the kind of event, for example `approved`")
    parser.add_argument("--data", metavar="JSON|@FILE", help="the event's fields, an object", dest="fields")
    add_connection_options(parser, has_data_option=True)


def _event(arguments: Namespace, terminal: Terminal) -> int:
    fields = read_json_option("--data", arguments.fields, terminal)
    if fields is not None and not isinstance(fields, dict):
        raise BadInput('--data must be an object, as {"order": 7}')
    store = open_store(arguments)
    from lfr.operations.events import send_event

    terminal.print(send_event(store, arguments.kind, fields))
    return ExitCode.OK


HANDLERS: Handlers = {
    "end": Handler(
        _add_end_arguments,
        _end,
        "Sends the end-task event that the worker of step INDEX would send, and prints the id of the event. "
        "NAME protects against a wrong INDEX: the task at INDEX must have this name.",
        (
            ("end build-5f0c approve 4", ""),
            ('end build-5f0c approve 4 --output \'{"by": "ann"}\'', "with an output"),
            ("end build-5f0c deploy 5 --status FAILURE --reason 'host is gone'", "the workflow FAILS"),
        ),
        (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
    ),
    "event": Handler(
        _add_event_arguments,
        _event,
        "Appends an event of any kind to the stream and prints its id.",
        (("event approved --data '{\"order\": 7}'", ""), ("event approved --data @order.json", "")),
        (ExitCode.BAD_INPUT, *REDIS_ERRORS),
    ),
}
