"""`lfr inspect`: show a workflow and each of its steps."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_step import format_step
from lfr.cli.ui.format_workflow import format_history, format_workflow
from lfr.cli.ui.options import add_flag, add_workflow_arguments, find_workflow, open_store
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    help = "show this step alone, whole: parameters, guard, input, output, attempts"
    parser.add_argument("index", metavar="INDEX", nargs="?", type=int, help=help)
    add_flag(parser, "--all", "add the history: each change with its time")
    add_flag(parser, "--json", "print one JSON object, with nothing cut")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.inspect.workflow import inspect_step, inspect_workflow

    id = find_workflow(store, arguments)
    if arguments.index is not None:
        step = inspect_step(store, id, arguments.index)
        if arguments.json:
            terminal.print_json(step)
        else:
            terminal.print_lines(format_step(terminal, id, step))
        return
    workflow = inspect_workflow(store, id, history=arguments.all, size=True)
    if arguments.json:
        terminal.print_json(workflow)
        return
    terminal.print_lines(format_workflow(terminal, workflow))
    if arguments.all:
        terminal.print_lines(["", *format_history(terminal, workflow)])


HANDLER = Handler(
    _add_arguments,
    _run,
    "Prints the state, input and output of the workflow, and of each step the state, times, attempt, and "
    "output or reason. With INDEX, prints one step whole, with nothing cut.",
    (
        ("inspect workflow:build-5f0c", ""),
        ("inspect build-5f0c 4", "one step, whole"),
        ("inspect build-5f0c --all", "with the history"),
        ("inspect build-5f0c --json", "one JSON object, nothing cut"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
