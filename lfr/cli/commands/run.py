"""`lfr run`: start a workflow, and with --wait follow it to its end."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
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
    read_json_lines,
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
    help = "start a workflow for each line of this file (- is stdin): a line has the input of one, as JSON"
    parser.add_argument("--inputs", metavar="FILE", help=help)
    help = "the id; the same id, flow and input start once; with --inputs the ids are ID-1, ID-2, ..."
    parser.add_argument("--workflow-id", metavar="ID", help=help)
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
        "print an object: id and is_new, with --inputs a list of them; with --wait the outcome, as inspect; "
        "with --local also the trace",
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
    inputs = (
        [read_json_option("--input", arguments.input, terminal)]
        if arguments.inputs is None
        else read_json_lines(arguments.inputs, terminal)
    )
    if arguments.flow is not None:
        store = open_store_to_change(arguments)
        from lfr.operations.stored_flows import start_stored_flows

        workflows = start_stored_flows(
            *(store, arguments.flow, inputs, _ids(arguments, len(inputs))),
            labels=dict(map(parse_label, arguments.label)),
            traceparent=arguments.traceparent or "",
        )
        return _report(store, workflows, arguments, terminal)
    return _run_file(inputs, arguments, terminal)


def _ids(arguments: Namespace, count: int) -> list[str] | None:
    """Return the ids of so many workflows, or None if they are generated."""
    id = arguments.workflow_id
    if id is None or arguments.inputs is None:
        return None if id is None else [id]
    return [f"{id}-{number}" for number in range(1, count + 1)]


def _run_file(inputs: Sequence[Json], arguments: Namespace, terminal: Terminal) -> int:
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
        return run_flow_here(flow, inputs[0], terminal, with_trace=arguments.json)
    from lfr.operations.start import start_workflows

    name = "" if arguments.file == STDIN else Path(arguments.file).stem
    workflows = start_workflows(
        store,
        text,
        inputs,
        _ids(arguments, len(inputs)),
        base=base,
        source=source,
        flow=checked.flow,
        name=name,
        labels=dict(map(parse_label, arguments.label)),
        traceparent=arguments.traceparent or "",
    )
    return _report(store, workflows, arguments, terminal)


def _report(
    store: Store, workflows: Sequence[StartedWorkflow], arguments: Namespace, terminal: Terminal
) -> int:
    """Print what was started, and with --wait follow it; return the exit code."""
    if arguments.inputs is not None:
        return _report_many(workflows, arguments, terminal)
    [workflow] = workflows
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


def _report_many(workflows: Sequence[StartedWorkflow], arguments: Namespace, terminal: Terminal) -> int:
    """Print the ids of all workflows, and how many of them had been started before."""
    if old := sum(not workflow.is_new for workflow in workflows):
        terminal.print_err(f"lfr: {old:,} of {len(workflows):,} had been started before")
    if arguments.json:
        terminal.print_json([{"id": workflow.id, "is_new": workflow.is_new} for workflow in workflows])
    else:
        for workflow in workflows:
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
    if arguments.inputs is not None:
        for flag, is_set in (("--input", arguments.input is not None), ("--wait", arguments.wait)):
            if is_set:
                raise UsageError(f"{flag} does not go with --inputs (lfr run --help)")
    if arguments.local:
        set_options = {
            "--wait": arguments.wait,
            "--timeout": arguments.timeout is not None,
            "--workflow-id": arguments.workflow_id is not None,
            "--flow": arguments.flow is not None,
            "--label": bool(arguments.label),
            "--traceparent": arguments.traceparent is not None,
            "--inputs": arguments.inputs is not None,
        }
        for flag in [flag for flag, is_set in set_options.items() if is_set]:
            raise UsageError(f"{flag} does not go with --local, which starts no workflow (lfr run --help)")
        for flag in connection_flags(arguments):
            raise UsageError(f"{flag} does not go with --local, which uses no Redis (lfr run --help)")
    elif arguments.timeout is not None and not arguments.wait:
        raise UsageError("--timeout goes with --wait (lfr run --help)")
    if arguments.file == STDIN and (arguments.input == f"@{STDIN}" or arguments.inputs == STDIN):
        raise UsageError("the flow and the input cannot both come from stdin (lfr run --help)")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Compiles FILE, or reads the stored flow NAME, starts a workflow and prints its id, and nothing else, "
    "on stdout. With --wait it shows the progress on stderr until the workflow has ended, with its id and "
    "how it ended; stdout then has its output as JSON, and nothing if it did not finish; the exit code "
    "says how it ended. If the command is interrupted or times out, the workflow continues: lfr follow "
    "takes it up again. With --inputs it starts a workflow for each line of a file, many in a "
    "transaction, and prints their ids in this order; nothing starts if a line is wrong. With --local it "
    "runs the flow in this process, without Redis: each task returns its input, stderr shows each step, "
    "stdout the result. It loads files, but stores, sends and fetches nothing and does not wait.",
    (
        ("run build.flow", "start it"),
        ('run build.flow --input \'{"branch": "main"}\' --wait', "start it and follow it"),
        ("run build.flow --input @input.json --wait --json", "for a script"),
        ("run build.flow --workflow-id nightly-2026-01-31", "starts once, however often it is run"),
        ("run --flow order --label tenant=7 --label prio=high", "lfr list --label tenant=7 finds it"),
        ("run order.flow --inputs orders.jsonl", "many: a workflow for each line of the file"),
        ("run -", "read the flow from stdin"),
        ("run --flow order@3 --wait", "a stored flow; without @3 its latest version"),
        ("run build.flow --local --input '{}'", "try it: no Redis, no workers"),
    ),
    (ExitCode.FAILED, ExitCode.TERMINATED, ExitCode.TIMED_OUT, ExitCode.SYSTEM, *WORKFLOW_ERRORS),
)
