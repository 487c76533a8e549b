"""`lfr waiting`: list who waits, for what, since when and until when."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_duration, parse_time, seconds_between, short_json
from lfr.cli.ui.options import add_connection_options, add_flag, open_store, parse_count
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput
from lfr.labels import parse_label

_COLUMNS: Final = (
    Column("waits for", max_width=30),
    Column("since", align_right=True, drop=2),
    Column("ends", align_right=True, drop=1),
    Column("step", max_width=24, drop=3),
    Column("workflow", is_whole=True),
)

_KINDS: Final = ("event", "latch", "delay", "retry", "pause", "deadline")

_MAX_GROUPS: Final = 5
"""How many groups the last line names."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--event", metavar="KIND", help="only those who wait for the event KIND")
    parser.add_argument("--latch", metavar="NAME", help="only those who wait for the latch NAME")
    help = "only this kind of waits; deadline: tasks that run, and when they fail"
    parser.add_argument("--kind", metavar="WHAT", choices=_KINDS, help=f"{help}: {', '.join(_KINDS)}")
    parser.add_argument("--flow", metavar="NAME", help="only workflows of the flow NAME")
    help = "only workflows with this label; may be repeated"
    parser.add_argument("--label", metavar="NAME=VALUE", action="append", default=[], help=help)
    help = "only workflows that match, as 'since=1d label.tenant=7' (docs/commands.md)"
    parser.add_argument("--where", metavar="FILTER", help=help)
    parser.add_argument("--limit", metavar="N", type=parse_count, default=50, help="at most N (default: 50)")
    add_flag(parser, "--json", "print one JSON object: waits, and groups, which counts them")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    kind, name = _group_of(arguments)
    store = open_store(arguments)
    from lfr.operations.list_workflows import make_filter
    from lfr.operations.waits.list_waits import collect_waits

    labels = dict(map(parse_label, arguments.label))
    filter = make_filter(store, name=arguments.flow, labels=labels, where=arguments.where, source="--where")
    page = collect_waits(store, kind=kind, name=name, filter=filter, limit=arguments.limit)
    waits = page.waits
    if arguments.json:
        terminal.print_json({"waits": waits, "groups": page.groups})
        return
    if waits:
        terminal.print_lines(format_table(terminal, _COLUMNS, list(map(_row, waits))))
    else:
        terminal.print_err("nobody waits for that" if page.groups else "nobody waits")
    if page.next is not None:
        terminal.print_err(f"the first {len(waits)}; --limit shows more. In all: {_summary(page.groups)}")


def _group_of(arguments: Namespace) -> tuple[str | None, str | None]:
    """Return the kind and the name of the group that the options select; None: all. Raises BadInput."""
    named = {"event": arguments.event, "latch": arguments.latch}
    kinds = {kind for kind, name in named.items() if name is not None} | {arguments.kind} - {None}
    if len(kinds) > 1 or (arguments.event is not None and arguments.latch is not None):
        raise BadInput("--event, --latch and --kind select different waits", hint="give one of them")
    kind = next(iter(kinds), None)
    return kind, named.get(kind or "")


def _summary(groups: Sequence[Mapping[str, Any]]) -> str:
    texts = [
        f"{group['count']:,} {_describe_group(group)}" for group in groups if group["kind"] != "deadline"
    ]
    more = len(texts) - _MAX_GROUPS
    return ", ".join(texts[:_MAX_GROUPS]) + (f" and {more} more events and latches" if more > 0 else "")


def _describe_group(group: Mapping[str, Any]) -> str:
    kind, name = group["kind"], group["name"]
    return f"for the {kind} {name}" if name else f"for {_SUBJECTS[kind]}"


_SUBJECTS: Final = {
    "delay": "the end of a delay",
    "retry": "the next attempt",
    "pause": "the end of a pause",
    "deadline": "its task; the deadline fails it",
}


def _row(wait: Mapping[str, Any]) -> Row:
    until = "" if wait["until"] is None else f"in {format_duration(_seconds_until(wait['until']))}"
    return [
        Cell(_subject(wait), "bold"),
        format_duration(seconds_between(wait["since"], None)),
        Cell(until, "red" if wait["fails"] and until else ""),
        wait["step"] if wait["index"] is None else f"{wait['index']} {wait['step']}".strip(),
        wait["workflow"].removeprefix("workflow:"),
    ]


def _seconds_until(time: str) -> float:
    return max(0.0, (parse_time(time) - datetime.now(UTC)).total_seconds())


def _subject(wait: Mapping[str, Any]) -> str:
    if wait["event"] is not None:
        condition = f" with {short_json(wait['match'])}" if wait["match"] else ""
        return f"the event {wait['event']}{condition}"
    if wait["latch"] is not None:
        return f"the latch {wait['latch']}"
    if wait["kind"] == "deadline":
        return f"the task {wait['task']}" if wait["task"] else "its end"
    return _SUBJECTS[wait["kind"]]


HANDLER = Handler(
    _add_arguments,
    _run,
    "Lists the steps that wait for an event, a latch, the end of a delay, the next attempt or the end of a "
    "pause: how long they have waited, and when the clock ends that, in red if the step then fails. With "
    "--kind deadline, lists tasks and workflows that run and have a deadline. Of the items of a step, and of "
    "the child of a call, --flow, --label and --where select the outermost workflow.",
    (
        ("waiting", "the first 50"),
        ("waiting --event approved --flow order", "who waits for one event"),
        ("waiting --kind delay --limit 500", "the delays, the one that ends next first"),
        ("waiting --json", "one JSON object, with `groups`, which counts them"),
    ),
    (ExitCode.BAD_INPUT, *REDIS_ERRORS),
)
