"""`lfr inspect`: show a workflow and each of its steps. `lfr list`: list workflows, newest first."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import long_json
from lfr.cli.ui.format_workflow import format_history, format_list, format_workflow
from lfr.cli.ui.options import add_connection_options, open_store, parse_count
from lfr.cli.ui.terminal import Terminal
from lfr.states import WorkflowState


def _add_inspect_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")
    parser.add_argument("--all", action="store_true", help="add the history: each change with its time")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with nothing cut")
    add_connection_options(parser)


def _inspect(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.inspect.workflow import inspect_workflow

    workflow = inspect_workflow(store, arguments.id, history=arguments.all)
    if arguments.json:
        terminal.print(long_json(workflow))
        return ExitCode.OK
    terminal.print_lines(format_workflow(terminal, workflow))
    if arguments.all:
        terminal.print_lines(["", *format_history(terminal, workflow)])
    return ExitCode.OK


def _add_list_arguments(parser: ArgumentParser) -> None:
    states = ", ".join(WorkflowState)
    parser.add_argument("--state", metavar="STATE", type=str.upper, help=f"only workflows in STATE: {states}")
    parser.add_argument("--name", metavar="NAME", help="only workflows of the flow NAME")
    parser.add_argument("--limit", metavar="N", type=parse_count, default=50, help="at most N (default: 50)")
    parser.add_argument("--json", action="store_true", help="print a JSON list, with the counts of steps")
    add_connection_options(parser)


def _list(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.list_workflows import list_workflows

    workflows = list_workflows(store, state=arguments.state, name=arguments.name, limit=arguments.limit)
    if arguments.json:
        terminal.print(long_json(workflows))
        return ExitCode.OK
    if not workflows:
        has_filter = arguments.state or arguments.name
        terminal.print_err("no workflow matches" if has_filter else "no workflows yet; lfr run starts one")
        return ExitCode.OK
    terminal.print_lines(format_list(terminal, workflows))
    if len(workflows) == arguments.limit:
        terminal.print_err(f"the latest {arguments.limit}; --limit shows more")
    return ExitCode.OK


HANDLERS: Handlers = {
    "inspect": Handler(
        _add_inspect_arguments,
        _inspect,
        "Prints the state, input and output of the workflow, and of each step the state, times, attempt, and "
        "output or reason.",
        (
            ("inspect workflow:build-5f0c", ""),
            ("inspect build-5f0c --all", "with the history"),
            ("inspect build-5f0c --json", "one JSON object, nothing cut"),
        ),
        (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
    ),
    "list": Handler(
        _add_list_arguments,
        _list,
        examples=(
            ("list", "the latest 50"),
            ("list --state FAILED --name build", "the failed workflows of one flow"),
            ("list --limit 1000 --json", "a JSON list"),
        ),
        exit_codes=(ExitCode.BAD_INPUT, *REDIS_ERRORS),
    ),
}
