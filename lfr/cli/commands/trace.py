"""`lfr trace`: print the spans of a workflow."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.options import add_workflow_arguments, find_workflow, open_store
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.traces.load import describe_trace

    terminal.print_json(describe_trace(store, find_workflow(store, arguments)))


HANDLER = Handler(
    _add_arguments,
    _run,
    "Prints one JSON object: what the role traces posts for the workflow, an export request of OTLP/HTTP, as "
    "of now. The spans are rebuilt from the history, with the ids that they have in each export; what has "
    "not ended ends now. It needs neither the role nor a receiver.",
    (("trace build-5f0c", "curl -H 'Content-Type: application/json' -d @- URL posts it to a receiver"),),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
