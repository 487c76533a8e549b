"""`lfr graph`: draw a flow. No Redis is needed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.commands import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.options import add_base, base_of, read_flow
from lfr.cli.terminal import Terminal


def _add_graph_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the flow; - is stdin")
    add_base(parser, default="shown as they are written")
    parser.add_argument("--vertical", action="store_true", help="from top to bottom, not left to right")


def _graph(arguments: Namespace, terminal: Terminal) -> int:
    text, source = read_flow(arguments.file, terminal)
    from lfr.language import compile_flow
    from lfr.language.draw import to_mermaid

    base = None if arguments.base is None else base_of(arguments.base, arguments.file)
    flow = compile_flow(text, base, source=source)
    terminal.out.write(to_mermaid(flow, vertical=arguments.vertical))
    return Exit.OK


HANDLERS: Handlers = {"graph": Handler(_add_graph_arguments, _graph)}
