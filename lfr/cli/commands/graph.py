"""`lfr graph`: draw a flow as mermaid, Graphviz DOT, JSON or SVG. Needs no Redis."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import replace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_base_option, add_flag, flow_base, read_flow_text, write_file
from lfr.cli.ui.terminal import Terminal
from lfr.flow import Flow


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the flow text; - is stdin")
    add_base_option(parser, default="relative resources stay as written")
    parser.add_argument(
        "--format", choices=("mermaid", "dot", "json", "svg"), default="mermaid", help="default: mermaid"
    )
    parser.add_argument(
        "--json", action="store_const", dest="format", const="json", help="the same as --format json"
    )
    add_flag(parser, "--no-docs", "leave out the docs of flow and tasks")
    parser.add_argument("--output", metavar="FILE", help="write to FILE instead of stdout")
    add_flag(parser, "--vertical", "draw from top to bottom")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    text, source = read_flow_text(arguments.file, terminal)
    from lfr.language import compile_flow

    base = None if arguments.base is None else flow_base(arguments.base, arguments.file)
    drawing = _draw(compile_flow(text, base, source=source), arguments)
    if arguments.output is None:
        terminal.out.write(drawing)
    else:
        write_file(arguments.output, drawing)


def _draw(flow: Flow, arguments: Namespace) -> str:
    vertical, docs = arguments.vertical, not arguments.no_docs
    match arguments.format:
        case "dot":
            from lfr.drawing.dot import to_dot

            return to_dot(flow, vertical=vertical, docs=docs)
        case "json":
            data = flow.to_dict() if docs else replace(flow, doc="", docs={}).to_dict()
            return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        case "svg":
            from lfr.drawing.svg import to_svg

            return to_svg(flow, vertical=vertical, docs=docs)
    from lfr.drawing.mermaid import to_mermaid

    return to_mermaid(flow, vertical=vertical, docs=docs)


HANDLER = Handler(
    _add_arguments,
    _run,
    "SVG is a picture for every browser; many tools draw mermaid and DOT; JSON is the compiled flow. "
    "Needs no Redis.",
    (
        ("graph build.flow --format svg --output build.svg", "a picture"),
        ("graph build.flow --vertical", "mermaid, from top to bottom"),
        ("graph build.flow --format json", "steps and edges, for programs"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CANNOT_WRITE),
)
