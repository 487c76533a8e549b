"""`lfr check` and `lfr graph`: look at a flow's text. No Redis is needed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.commands import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.options import add_base, base_of, read_flow
from lfr.cli.terminal import Terminal, printable
from lfr.flow import Kind


def _add_file(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the flow; - is stdin")


def _add_check_arguments(parser: ArgumentParser) -> None:
    _add_file(parser)
    add_base(parser)


def _add_graph_arguments(parser: ArgumentParser) -> None:
    _add_file(parser)
    add_base(parser, default="shown as they are written")
    parser.add_argument("--vertical", action="store_true", help="from top to bottom, not left to right")


def _check(arguments: Namespace, terminal: Terminal) -> int:
    text, source = read_flow(arguments.file, terminal)
    from lfr.language import compile_flow

    flow = compile_flow(text, base_of(arguments), source=source)
    tasks = sum(step.kind is Kind.TASK for step in flow.steps)
    named = f" ({printable(flow.name)})" if flow.name else ""
    terminal.print(f"{source}: ok{named}: {len(flow.steps)} steps, {tasks} of them tasks")
    return Exit.OK


def _graph(arguments: Namespace, terminal: Terminal) -> int:
    text, source = read_flow(arguments.file, terminal)
    from lfr.language import compile_flow
    from lfr.language.draw import to_mermaid

    as_written = arguments.base is None
    flow = compile_flow(text, None if as_written else base_of(arguments), source=source)
    terminal.out.write(to_mermaid(flow, vertical=arguments.vertical))
    return Exit.OK


HANDLERS: Handlers = {
    "check": Handler(_add_check_arguments, _check),
    "graph": Handler(_add_graph_arguments, _graph),
}
