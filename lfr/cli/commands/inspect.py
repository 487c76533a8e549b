"""`lfr inspect`: show a workflow and each of its steps."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_workflow import format_history, format_workflow
from lfr.cli.ui.options import add_flag, add_workflow_arguments, open_store
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    add_flag(parser, "--all", "add the history: each change with its time")
    add_flag(parser, "--json", "print one JSON object, with nothing cut")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.inspect.workflow import inspect_workflow

    workflow = inspect_workflow(store, arguments.id, history=arguments.all)
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
    "output or reason.",
    (
        ("inspect workflow:build-5f0c", ""),
        ("inspect build-5f0c --all", "with the history"),
        ("inspect build-5f0c --json", "one JSON object, nothing cut"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
