"""`lfr end`: complete a task by hand, in place of its worker."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.options import add_workflow_arguments, open_store, read_json_option
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
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


def _run(arguments: Namespace, terminal: Terminal) -> None:
    output = read_json_option("--output", arguments.output, terminal)
    store = open_store(arguments)
    from lfr.operations.complete_task import complete_task

    result = {"status": arguments.status, "reason": arguments.reason, "output": output}
    terminal.print(complete_task(store, arguments.id, arguments.name, arguments.index, **result))


HANDLER = Handler(
    _add_arguments,
    _run,
    "Sends the end-task event that the worker of step INDEX would send, and prints the id of the event. "
    "NAME protects against a wrong INDEX: the task at INDEX must have this name.",
    (
        ("end build-5f0c approve 4", ""),
        ('end build-5f0c approve 4 --output \'{"by": "ann"}\'', "with an output"),
        ("end build-5f0c deploy 5 --status FAILURE --reason 'host is gone'", "the workflow FAILS"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
