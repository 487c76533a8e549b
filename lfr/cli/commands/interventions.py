"""`lfr terminate`, `restart`, `delete` for workflows; `lfr retry`, `skip`, `fail` for steps."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import WORKFLOW_ERRORS, ExitCode
from lfr.cli.ui.options import add_connection_options, open_store, read_json_option
from lfr.cli.ui.terminal import Terminal


def _add_workflow(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")
    add_connection_options(parser)


def _add_workflows(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="+", help="workflows that have ended")
    add_connection_options(parser)


def _add_step(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")
    parser.add_argument("index", metavar="INDEX", type=int, help="the step's index; lfr inspect shows it")
    add_connection_options(parser)


def _add_skip_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--output", metavar="JSON|@FILE", help="the step's output (default: its input)")
    _add_step(parser)


def _add_fail_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--reason", metavar="TEXT", default="failed by hand", help="the reason in the workflow"
    )
    _add_step(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    """Run the operation that has the name of the command."""
    store = open_store(arguments)
    from lfr.operations import intervene

    match arguments.command:
        case "terminate":
            terminal.print(intervene.terminate_workflow(store, arguments.id))
        case "restart":
            terminal.print(intervene.restart_workflow(store, arguments.id))
        case "delete":
            for id in arguments.id:
                intervene.delete_workflow(store, id)
        case "retry":
            intervene.retry_task(store, arguments.id, arguments.index)
        case "skip":
            output = read_json_option("--output", arguments.output, terminal)
            intervene.skip_task(store, arguments.id, arguments.index, output)
        case "fail":
            intervene.fail_task(store, arguments.id, arguments.index, arguments.reason)
    return ExitCode.OK


HANDLERS: Handlers = {
    "terminate": Handler(
        _add_workflow,
        _run,
        "No further step starts, and the results of running tasks are ignored.",
        (("terminate build-5f0c", ""),),
        WORKFLOW_ERRORS,
    ),
    "restart": Handler(
        _add_workflow,
        _run,
        "Starts the steps again that failed or were stopped. Steps that have ended are not repeated.",
        (("restart build-5f0c", ""),),
        WORKFLOW_ERRORS,
    ),
    "delete": Handler(
        _add_workflows,
        _run,
        "Removes everything that Redis holds of them, with their items. Without an archive it is lost.",
        (("delete build-5f0c", ""),),
        WORKFLOW_ERRORS,
    ),
    "retry": Handler(
        _add_step,
        _run,
        "For a task that hangs: starts another attempt, and ignores the result of the current one. If the "
        "step has failed, the workflow continues as after lfr restart.",
        (("retry build-5f0c 4", ""),),
        WORKFLOW_ERRORS,
    ),
    "skip": Handler(
        _add_skip_arguments,
        _run,
        "For a task that runs, has failed or was stopped. The workflow continues as if the task had ended.",
        (
            ("skip build-5f0c 4", "its output is its input"),
            ('skip build-5f0c 4 --output \'{"by": "ann"}\'', ""),
        ),
        WORKFLOW_ERRORS,
    ),
    "fail": Handler(
        _add_fail_arguments,
        _run,
        "Starts no further attempt. The workflow FAILS; lfr restart continues it from there.",
        (("fail build-5f0c 4 --reason 'host is gone'", ""),),
        WORKFLOW_ERRORS,
    ),
}
