"""`lfr graph`: draw a flow. No Redis is needed."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import replace

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.options import add_base, base_of, read_flow, write_file
from lfr.cli.ui.terminal import Terminal
from lfr.flow import Flow


def _add_graph_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the flow; - is stdin")
    add_base(parser, default="shown as they are written")
    parser.add_argument(
        "--format", choices=("mermaid", "dot", "json", "svg"), default="mermaid", help="mermaid if left out"
    )
    parser.add_argument("--no-docs", action="store_true", help="without the documentation of flow and tasks")
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to stdout")
    parser.add_argument("--vertical", action="store_true", help="from top to bottom, not left to right")


def _graph(arguments: Namespace, terminal: Terminal) -> int:
    text, source = read_flow(arguments.file, terminal)
    from lfr.language import compile_flow

    base = None if arguments.base is None else base_of(arguments.base, arguments.file)
    flow = compile_flow(text, base, source=source)
    picture = _drawn(flow, arguments)
    if arguments.output is None:
        terminal.out.write(picture)
    else:
        write_file(arguments.output, picture)
    return Exit.OK


def _drawn(flow: Flow, arguments: Namespace) -> str:
    vertical, docs = arguments.vertical, not arguments.no_docs
    match arguments.format:
        case "dot":
            from lfr.drawing.dot import to_dot

            return to_dot(flow, vertical=vertical, docs=docs)
        case "json":
            told = flow.to_dict() if docs else replace(flow, doc="", docs={}).to_dict()
            return json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        case "svg":
            from lfr.drawing.svg import to_svg

            return to_svg(flow, vertical=vertical, docs=docs)
    from lfr.drawing.mermaid import to_mermaid

    return to_mermaid(flow, vertical=vertical, docs=docs)


HANDLERS: Handlers = {"graph": Handler(_add_graph_arguments, _graph)}
