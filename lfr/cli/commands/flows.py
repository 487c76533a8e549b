"""`lfr flows`: list the stored flows, or show one."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_date_time
from lfr.cli.ui.options import add_connection_options, add_flag, add_json_option, open_store, parse_count
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.table import Column, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable

_LIST_COLUMNS: Final = (
    Column("name", max_width=40),
    Column("version", align_right=True),
    Column("steps", align_right=True, drop=1),
    Column("applied", drop=2),
    Column("documentation"),
)

_VERSION_COLUMNS: Final = (
    Column("version", align_right=True),
    Column("steps", align_right=True),
    Column("applied"),
    Column("digest"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    help = "show this flow with its versions; NAME@VERSION: as it was in that version"
    parser.add_argument("name", metavar="NAME", nargs="?", help=help)
    add_flag(parser, "--text", "print the flow text of NAME, and nothing else")
    help = "without NAME: only flows whose names begin with this"
    parser.add_argument("--prefix", metavar="TEXT", help=help)
    help = "without NAME: at most N, by name (default: 100)"
    parser.add_argument("--limit", metavar="N", type=parse_count, help=help)
    help = "without NAME: only flows behind this one, to go on"
    parser.add_argument("--after", metavar="FLOW", help=help)
    add_json_option(parser, "a list, or with NAME an object")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.text and (arguments.name is None or arguments.json):
        raise UsageError("--text goes with NAME, and not with --json (lfr flows --help)")
    is_page = any(each is not None for each in (arguments.prefix, arguments.limit, arguments.after))
    if is_page and arguments.name is not None:
        raise UsageError("--prefix, --limit and --after go without NAME (lfr flows --help)")
    store = open_store(arguments)
    from lfr.operations.stored_flows import describe_flow, list_flows

    limit = arguments.limit or 100
    result: Any = (
        list_flows(store, prefix=arguments.prefix or "", after=arguments.after or "", size=limit)
        if arguments.name is None
        else describe_flow(store, arguments.name)
    )
    if arguments.json:
        terminal.print_json(result)
    elif arguments.text:
        terminal.print(result["text"].removesuffix("\n"))
    elif arguments.name is not None:
        terminal.print_lines(_flow_lines(terminal, result))
    elif result:
        rows = [
            [
                flow["name"],
                str(flow["version"]),
                str(flow["steps"]),
                format_date_time(flow["applied"]),
                " ".join(flow["doc"].split()),
            ]
            for flow in result
        ]
        terminal.print_lines(format_table(terminal, _LIST_COLUMNS, rows))
        if len(result) == limit:
            terminal.print_err(f"the first {limit}; --after {result[-1]['name']} goes on, --limit shows more")
    elif is_page:
        terminal.print_err("no stored flow is one of these")
    else:
        terminal.print_err("no flow is stored (lfr apply FILE stores one)")


def _flow_lines(terminal: Terminal, description: Mapping[str, Any]) -> Iterator[str]:
    name, version, steps = (description[key] for key in ("name", "version", "steps"))
    yield f"{terminal.paint(name, 'bold')}  version {version}, {steps} steps"
    for line in description["doc"].strip().splitlines():
        yield f"  {printable(line.strip())}".rstrip()
    if description["inputs"]:
        yield "\n  inputs:"
    for input, declaration in description["inputs"].items():
        yield printable(f"    {input}: {json.dumps(declaration, ensure_ascii=False)}")
    yield ""
    rows = [
        [str(each["version"]), str(each["steps"]), format_date_time(each["applied"]), each["digest"][:12]]
        for each in description["versions"]
    ]
    yield from format_table(terminal, _VERSION_COLUMNS, rows)
    if description["changes"]:
        yield f"\n  version {version} differs from the one before:"
        for line in description["changes"]:
            yield printable(f"    {line}")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Lists the flows that `lfr apply` has stored: name, latest version, documentation. With NAME, shows the "
    "documentation, the declared inputs and all versions of this flow.",
    (
        ("flows", ""),
        ("flows --prefix build --limit 1000", "those whose names begin with build"),
        ("flows order", "its documentation and its versions"),
        ("flows order@2 --text", "the flow text of version 2"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
