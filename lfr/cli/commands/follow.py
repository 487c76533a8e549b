"""`lfr follow`: follow a workflow to its end, as `lfr run --wait` does."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.options import add_workflow_arguments, find_workflow, open_store
from lfr.cli.ui.terminal import Terminal
from lfr.cli.watch import add_wait_options, follow_to_end


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    add_wait_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    return follow_to_end(store, find_workflow(store, arguments), arguments, terminal)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Shows what has happened and what happens until the workflow has ended, on stderr; then its output as "
    "JSON on stdout. The exit code says how it ended. An interruption does not stop the workflow.",
    (
        ("follow build-5f0c", ""),
        ("follow build-5f0c --timeout 10m", "stop following after ten minutes"),
        ("follow build-5f0c --json", "the outcome as inspect --json prints it"),
    ),
    (
        *(ExitCode.FAILED, ExitCode.TERMINATED, ExitCode.TIMED_OUT),
        *(ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
    ),
)
