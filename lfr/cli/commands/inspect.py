"""`lfr inspect` and `lfr list`: look at workflows."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.format_workflow import draw_history, draw_list, draw_workflow, long_json
from lfr.cli.ui.options import add_connection, count, open_store
from lfr.cli.ui.terminal import Terminal
from lfr.states import WorkflowState


def _add_inspect_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow, with or without workflow:")
    parser.add_argument("--all", action="store_true", help="with the history: each change, with its time")
    parser.add_argument("--json", action="store_true", help="one JSON object, with nothing cut")
    add_connection(parser)


def _inspect(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.inspect.workflow import inspect_workflow

    workflow = inspect_workflow(store, arguments.id, history=arguments.all)
    if arguments.json:
        terminal.print(long_json(workflow))
        return Exit.OK
    for line in draw_workflow(terminal, workflow):
        terminal.print(line)
    if arguments.all:
        terminal.print()
        for line in draw_history(terminal, workflow):
            terminal.print(line)
    return Exit.OK


def _add_list_arguments(parser: ArgumentParser) -> None:
    states = ", ".join(WorkflowState)
    parser.add_argument("--state", metavar="STATE", type=str.upper, help=f"only those that are {states}")
    parser.add_argument("--name", metavar="NAME", help="only those of this flow")
    parser.add_argument("--limit", metavar="N", type=count, default=50, help="at most so many (default: 50)")
    parser.add_argument("--json", action="store_true", help="a JSON list, with counts of steps of each")
    add_connection(parser)


def _list(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.operations.list_workflows import list_workflows

    workflows = list_workflows(store, state=arguments.state, name=arguments.name, limit=arguments.limit)
    if arguments.json:
        terminal.print(long_json(workflows))
        return Exit.OK
    if not workflows:
        chosen = arguments.state or arguments.name
        terminal.say("no workflow is like that" if chosen else "no workflows yet; lfr run starts one")
        return Exit.OK
    for line in draw_list(terminal, workflows):
        terminal.print(line)
    if len(workflows) == arguments.limit:
        terminal.say(f"the latest {arguments.limit}; --limit shows more")
    return Exit.OK


HANDLERS: Handlers = {
    "inspect": Handler(_add_inspect_arguments, _inspect),
    "list": Handler(_add_list_arguments, _list),
}
