"""`lfr why`: say why a workflow or one of its steps stands, and what to do."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_workflow import STATE_COLOURS
from lfr.cli.ui.options import add_json_option, add_workflow_arguments, find_workflow, open_store
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable


def _add_arguments(parser: ArgumentParser) -> None:
    add_workflow_arguments(parser)
    parser.add_argument("index", metavar="INDEX", nargs="?", type=int, help="this step, whatever its state")
    add_json_option(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.explain.explanation import explain_workflow

    explanation = explain_workflow(store, find_workflow(store, arguments), arguments.index)
    if arguments.json:
        terminal.print_json(explanation)
    else:
        terminal.print_lines(_format(terminal, explanation))


def _format(terminal: Terminal, explanation: Mapping[str, Any]) -> Iterator[str]:
    yield _head(terminal, terminal.paint(explanation["id"], "bold"), explanation["state"])
    if explanation["cause"] is not None:
        yield from _cause(terminal, explanation, "  ")
    for step in explanation["steps"]:
        yield from _step(terminal, step, "  ")
        for item in step.get("items", ()):
            yield _head(terminal, f"    {item['id']}", item["state"])
            for item_step in item["steps"]:
                yield from _step(terminal, item_step, "      ")
    if explanation["more"]:
        yield f"  ... and {explanation['more']:,} more steps that stand"


def _step(terminal: Terminal, step: Mapping[str, Any], indent: str) -> Iterator[str]:
    name = f" {printable(step['name'])}" if step["name"] else ""
    yield _head(terminal, f"{indent}step {step['index']}{name}", step["state"])
    yield from _cause(terminal, step, f"{indent}  ")


def _head(terminal: Terminal, title: str, state: str) -> str:
    return f"{title}  {terminal.paint(state, STATE_COLOURS[state])}"


def _cause(terminal: Terminal, cause: Mapping[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}{printable(cause['text'])}"
    if cause["cure"]:
        yield f"{indent}{terminal.paint('-> ' + printable(cause['cure']), 'green')}"


HANDLER = Handler(
    _add_arguments,
    _run,
    "Names the one cause why each step that runs or has failed does not go on, and what to do about it: "
    "nobody does its task; it stands in a queue; a worker has it; it waits for an event, a latch, a time, "
    "the next attempt; workflows wait for each other; no lifecycle runs; Redis refuses writes. With INDEX, "
    "also why a step has not started.",
    (
        ("why build-5f0c", "each step that stands"),
        ("why build-5f0c 4", "one step"),
        ("why build-5f0c --json", "one JSON object"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
