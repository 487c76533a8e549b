"""`lfr run`: start a workflow, and with --wait follow it to its end."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import WORKFLOW_ERRORS, ExitCode
from lfr.cli.ui.options import (
    STDIN,
    add_base_option,
    add_connection_options,
    add_flag,
    add_reason_option,
    connection_flags,
    flow_base,
    open_store_to_change,
    parse_seconds,
    raise_unconfirmed,
    read_flow_text,
    read_json_option,
    unserved_finder,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.cli.watch import follow_to_end
from lfr.errors import LfrError, Unconfirmed
from lfr.labels import parse_label
from lfr.values.json import Json
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.language import Diagnostic
    from lfr.language.check import FindUnserved
    from lfr.operations.start import StartedWorkflow
    from lfr.store.redis.connection import Store

_MAX_WARNINGS: Final = 5
"""How many warnings about the flow are printed."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="the flow text; - is stdin")
    help = "start a stored flow in place of FILE: its latest version, or this one (lfr flows)"
    parser.add_argument("--flow", metavar="NAME[@VERSION]", help=help)
    parser.add_argument("--input", metavar="JSON|@FILE", help="the workflow's input (default: {})")
    parser.add_argument("--workflow-id", metavar="ID", help="the id; the same id, flow and input start once")
    help = "a label by which it is found, as tenant=7; may be repeated"
    parser.add_argument("--label", metavar="NAME=VALUE", action="append", default=[], help=help)
    add_flag(parser, "--wait", "follow the workflow until it has ended")
    parser.add_argument(
        "--timeout", metavar="TIME", type=parse_seconds, help="with --wait: stop following after TIME, as 10m"
    )
    help = "the trace to which the workflow belongs (W3C Trace Context; default: one of its own)"
    parser.add_argument("--traceparent", metavar="TEXT", help=help)
    add_reason_option(parser)
    add_flag(
        parser,
        "--json",
        "print an object: id and is_new; with --wait the outcome, as inspect; with --local also the trace",
    )
    add_flag(
        parser,
        "--local",
        "try the flow in this process: no Redis, each task returns its input, nothing is stored or sent",
    )
    add_base_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    _check_options(arguments)
    input = read_json_option("--input", arguments.input, terminal)
    if arguments.flow is not None:
        store = open_store_to_change(arguments)
        from lfr.operations.stored_flows import start_stored_flow

        labels = dict(map(parse_label, arguments.label))
        workflow = start_stored_flow(
            *(store, arguments.flow, input, arguments.workflow_id),
            labels=labels,
            traceparent=arguments.traceparent or "",
        )
        return _report(store, workflow, arguments, terminal)
    return _run_file(input, arguments, terminal)


def _run_file(input: Json, arguments: Namespace, terminal: Terminal) -> int:
    text, source = read_flow_text(arguments.file, terminal)
    from lfr.language import check_flow, compile_flow

    base = flow_base(arguments.base, arguments.file)
    store = None if arguments.local else open_store_to_change(arguments)
    find_unserved = None if store is None else _lenient(unserved_finder(store))
    checked = check_flow(text, base, source=source, find_unserved=find_unserved)
    if checked.flow is not None:  # else the start below raises the errors
        print_warnings(checked.diagnostics, terminal)
    if store is None:
        from lfr.cli.commands.run_local import run_flow_here

        flow = checked.flow or compile_flow(text, base, source=source)
        return run_flow_here(flow, input, terminal, with_trace=arguments.json)
    from lfr.operations.start import start_workflow

    name = "" if arguments.file == STDIN else Path(arguments.file).stem
    workflow = start_workflow(
        store,
        text,
        input,
        arguments.workflow_id,
        base=base,
        source=source,
        flow=checked.flow,
        name=name,
        labels=dict(map(parse_label, arguments.label)),
        traceparent=arguments.traceparent or "",
    )
    return _report(store, workflow, arguments, terminal)


def _report(store: Store, workflow: StartedWorkflow, arguments: Namespace, terminal: Terminal) -> int:
    """Print what was started, and with --wait follow it; return the exit code."""
    if not workflow.is_new:
        terminal.print_err(f"lfr: {workflow.id} had been started before, with the same flow and input")
    if arguments.wait:
        terminal.print_err(workflow.id)
        try:
            raise_unconfirmed(arguments)
        except Unconfirmed as error:  # the outcome decides about the exit code
            terminal.print_error(error)
        arguments.confirmations = None
        return follow_to_end(replace(store, confirmations=None), workflow.id, arguments, terminal)
    if arguments.json:
        terminal.print_json({"id": workflow.id, "is_new": workflow.is_new})
    else:
        terminal.print(workflow.id)
    return ExitCode.OK


def _lenient(find_unserved: FindUnserved) -> FindUnserved:
    """Return a function that finds no tasks if Redis cannot be asked: the start reports why, if that fails,
    too."""

    def find(names: Iterable[str]) -> Mapping[str, tuple[str, str]]:
        try:
            return find_unserved(names)
        except LfrError:
            return {}

    return find


def print_warnings(warnings: Iterable[Diagnostic], terminal: Terminal) -> None:
    """Print problems of a flow that compiles on stderr, a line each, up to a limit: to `run` they are
    warnings."""
    from lfr.language import Severity

    lines = [
        f"lfr: {printable(replace(warning, severity=Severity.WARNING).headline)}" for warning in warnings
    ]
    for line in lines[:_MAX_WARNINGS]:
        terminal.print_err(line)
    if len(lines) > _MAX_WARNINGS:
        terminal.print_err(f"lfr: and {len(lines) - _MAX_WARNINGS} more warnings (lfr check shows all)")


def _check_options(arguments: Namespace) -> None:
    if (arguments.file is None) == (arguments.flow is None):
        raise UsageError("run needs FILE, or --flow NAME, and not both (lfr run --help)")
    if arguments.flow is not None and arguments.base is not None:
        raise UsageError("--base goes with FILE: a stored flow has its base (lfr run --help)")
    if arguments.local:
        set_options = {
            "--wait": arguments.wait,
            "--timeout": arguments.timeout is not None,
            "--workflow-id": arguments.workflow_id is not None,
            "--flow": arguments.flow is not None,
            "--label": bool(arguments.label),
            "--traceparent": arguments.traceparent is not None,
        }
        for flag in [flag for flag, is_set in set_options.items() if is_set]:
            raise UsageError(f"{flag} does not go with --local, which starts no workflow (lfr run --help)")
        for flag in connection_flags(arguments):
            raise UsageError(f"{flag} does not go with --local, which uses no Redis (lfr run --help)")
    elif arguments.timeout is not None and not arguments.wait:
        raise UsageError("--timeout goes with --wait (lfr run --help)")
    if arguments.file == STDIN and arguments.input == f"@{STDIN}":
        raise UsageError("the flow and the input cannot both come from stdin (lfr run --help)")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Compiles FILE, or reads the stored flow NAME, starts a workflow and prints its id, and nothing else, "
    "on stdout. With --wait it shows the progress on stderr until the workflow has ended, with its id and "
    "how it ended; stdout then has its output as JSON, and nothing if it did not finish; the exit code "
    "says how it ended. If the command is interrupted or times out, the workflow continues: lfr follow "
    "takes it up again. With --local it runs the flow in this process, without Redis: each task returns "
    "its input, stderr shows each step, stdout the result. It loads files, but stores, sends and fetches "
    "nothing and does not wait.",
    (
        ("run build.flow", "start it"),
        ('run build.flow --input \'{"branch": "main"}\' --wait', "start it and follow it"),
        ("run build.flow --input @input.json --wait --json", "for a script"),
        ("run build.flow --workflow-id nightly-2026-01-31", "starts once, however often it is run"),
        ("run --flow order --label tenant=7 --label prio=high", "lfr list --label tenant=7 finds it"),
        ("run -", "read the flow from stdin"),
        ("run --flow order@3 --wait", "a stored flow; without @3 its latest version"),
        ("run build.flow --local --input '{}'", "try it: no Redis, no workers"),
    ),
    (ExitCode.FAILED, ExitCode.TERMINATED, ExitCode.TIMED_OUT, ExitCode.SYSTEM, *WORKFLOW_ERRORS),
)
