"""`lfr end`: complete a task by hand, in place of its worker."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS
from lfr.cli.ui.format_change import print_change, step_text
from lfr.cli.ui.options import (
    add_json_option,
    add_workflow_arguments,
    find_workflow,
    open_store_to_change,
    read_json_option,
)
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
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    output = read_json_option("--output", arguments.output, terminal)
    store = open_store_to_change(arguments)
    from lfr.operations.complete_task import complete_task

    result = {"status": arguments.status, "reason": arguments.reason, "output": output}
    id = find_workflow(store, arguments)
    event_id = complete_task(store, id, arguments.name, arguments.index, **result)
    step = step_text(arguments.index, arguments.name)
    sentence = f"{step} of {id} ends with {arguments.status}, by the event {event_id}"
    fields = {"id": event_id, "workflow": id, "index": arguments.index, "status": arguments.status}
    print_change(terminal, sentence, fields, as_json=arguments.json)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Sends the end-task event that the worker of step INDEX would send; the step must run. NAME protects "
    "against a wrong INDEX: the task at INDEX must have this name.",
    (
        ("end build-5f0c approve 4", ""),
        ('end build-5f0c approve 4 --output \'{"by": "ann"}\'', "with an output"),
        ("end build-5f0c deploy 5 --status FAILURE --reason 'host is gone'", "the workflow FAILS"),
    ),
    WORKFLOW_ERRORS,
)
