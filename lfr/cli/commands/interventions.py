"""`lfr end`, `event`, `terminate`, `restart`, `retry`, `skip`, `fail`: what people do by hand."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.options import add_connection, open_store, read_json_option
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput


def _add_id(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")


def _add_only_id(parser: ArgumentParser) -> None:
    _add_id(parser)
    add_connection(parser)


def _add_end_arguments(parser: ArgumentParser) -> None:
    _add_id(parser)
    parser.add_argument("name", metavar="NAME", help="the task's name, as the flow has it")
    parser.add_argument("index", metavar="INDEX", type=int, help="the step's number; lfr inspect shows it")
    parser.add_argument(
        "--status",
        metavar="STATUS",
        type=str.upper,
        choices=("SUCCESS", "FAILURE"),
        default="SUCCESS",
        help="SUCCESS (the default) or FAILURE",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why it failed")
    parser.add_argument("--output", metavar="JSON|@FILE", help="what the task gives to the next steps")
    add_connection(parser)


def _end(arguments: Namespace, terminal: Terminal) -> int:
    output = read_json_option("--output", arguments.output, terminal)
    store = open_store(arguments)
    from lfr.operations.complete_task import complete_task

    terminal.print(
        complete_task(
            store,
            arguments.id,
            arguments.name,
            arguments.index,
            status=arguments.status,
            reason=arguments.reason,
            output=output,
        )
    )
    return Exit.OK


def _add_event_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="what kind of event, as `approved`")
    parser.add_argument("--data", metavar="JSON|@FILE", help="its fields, as an object", dest="fields")
    add_connection(parser, data_is_taken=True)


def _event(arguments: Namespace, terminal: Terminal) -> int:
    fields = read_json_option("--data", arguments.fields, terminal)
    if fields is not None and not isinstance(fields, dict):
        raise BadInput('--data must be an object, as {"order": 7}')
    store = open_store(arguments)
    from lfr.operations.events import send_event

    terminal.print(send_event(store, arguments.kind, fields))
    return Exit.OK


def _terminate(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.intervene import terminate_workflow

    terminal.print(terminate_workflow(store, arguments.id))
    return Exit.OK


def _restart(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.intervene import restart_workflow

    terminal.print(restart_workflow(store, arguments.id))
    return Exit.OK


def _add_step(parser: ArgumentParser) -> None:
    _add_id(parser)
    parser.add_argument("index", metavar="INDEX", type=int, help="the step's number; lfr inspect shows it")
    add_connection(parser)


def _retry(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.intervene import retry_task

    retry_task(store, arguments.id, arguments.index)
    return Exit.OK


def _add_skip_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--output", metavar="JSON|@FILE", help="its output (default: its input)")
    _add_step(parser)


def _skip(arguments: Namespace, terminal: Terminal) -> int:
    output = read_json_option("--output", arguments.output, terminal)
    store = open_store(arguments)
    from lfr.operations.intervene import skip_task

    skip_task(store, arguments.id, arguments.index, output)
    return Exit.OK


def _add_fail_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="TEXT", default="failed by hand", help="why")
    _add_step(parser)


def _fail(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.intervene import fail_task

    fail_task(store, arguments.id, arguments.index, arguments.reason)
    return Exit.OK


HANDLERS: Handlers = {
    "end": Handler(_add_end_arguments, _end),
    "event": Handler(_add_event_arguments, _event),
    "terminate": Handler(_add_only_id, _terminate),
    "restart": Handler(_add_only_id, _restart),
    "retry": Handler(_add_step, _retry),
    "skip": Handler(_add_skip_arguments, _skip),
    "fail": Handler(_add_fail_arguments, _fail),
}
