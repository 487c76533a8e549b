"""`lfr traces`: run the role traces; test the receiver of spans."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.role_context import role_context
from lfr.cli.ui.options import add_connection_options, add_json_option, open_store
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable


def _add_arguments(parser: ArgumentParser) -> None:
    help = "export a specimen, and say whether the receiver has taken it (default: run the role)"
    parser.add_argument("what", metavar="test", nargs="?", choices=("test",), help=help)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    if arguments.what == "test":
        return _test(arguments, terminal)
    if arguments.json:
        raise UsageError("--json goes with test (lfr traces --help)")
    from lfr.roles.traces import run

    store = open_store(arguments)
    return run(store, role_context(store, arguments, terminal))


def _test(arguments: Namespace, terminal: Terminal) -> int | None:
    store = open_store(arguments)
    from lfr.operations.traces.receiver import send_test

    result = send_test(store)
    problem = result["problem"]
    if arguments.json:
        terminal.print_json(result)
    elif problem is None:
        terminal.print(f"the receiver has taken the trace {result['trace_id']}")
    else:
        terminal.print(printable(f"the receiver has not taken a span: {problem}"))
    return None if problem is None else ExitCode.CONFLICT


HANDLER = Handler(
    _add_arguments,
    _run,
    "Without a word behind it, it runs the role, as `lfr lifecycle` does its own, until SIGTERM or Ctrl-C. "
    "test lets the role export a span of a trace of its own, and says what the receiver has answered.",
    (
        ("traces", "run the role"),
        ("traces test", "is there a receiver at traces.endpoint, and does it take spans?"),
    ),
    (ExitCode.CONFLICT, *CHANGE_ERRORS),
)
