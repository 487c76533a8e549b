"""`lfr failures`: why workflows have failed, grouped by flow, step and reason."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_duration, format_start
from lfr.cli.ui.options import add_connection_options, add_flag, open_store
from lfr.cli.ui.table import Column, format_table
from lfr.cli.ui.terminal import Terminal, truncate
from lfr.values.printable import printable

_COLUMNS: Final = (
    Column("failure", is_whole=True),
    Column("count", align_right=True),
    Column("flow", max_width=30),
    Column("step", max_width=30),
    Column("first", drop=2),
    Column("last", drop=1),
    Column("trend", drop=3, is_whole=True),
)

_BARS: Final = "▁▂▃▄▅▆▇█"
_NO_BAR: Final = "·"

_UNLIMITED: Final = 100_000


def _add_arguments(parser: ArgumentParser) -> None:
    help = "what failed since then: an age, a time in ISO 8601, or all (default: 1d)"
    parser.add_argument("--since", metavar="TIME", default="1d", help=help)
    parser.add_argument("--flow", metavar="NAME", help="only workflows of the flow NAME")
    add_flag(parser, "--json", "print one JSON object")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.failures.group import group_failures

    failures = group_failures(store, arguments.since, arguments.flow)
    if arguments.json:
        terminal.print_json(failures)
        return
    if failures["groups"]:
        terminal.print_lines(_format_groups(terminal, failures["groups"]))
    for note in _notes(failures, arguments.since):
        terminal.print_err(note)


def _format_groups(terminal: Terminal, groups: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a row for each group, and below it the reason."""
    width = terminal.width if terminal.out.isatty() else _UNLIMITED
    rows = [
        [
            group["failure"],
            f"{group['count']:,}",
            group["flow"] or "-",
            group["step"] or "-",
            format_start(group["first"]),
            format_start(group["last"]),
            draw_trend(group["trend"]),
        ]
        for group in groups
    ]
    heading, *lines = format_table(terminal, _COLUMNS, rows, width=width)
    yield heading
    for group, line in zip(groups, lines, strict=True):
        yield line
        yield terminal.paint(truncate(f"    {printable(group['reason'] or 'no reason')}", width), "red")


def draw_trend(counts: Sequence[int]) -> str:
    """Return a bar for each count, the highest for the greatest; a dot for none."""
    most = max(counts, default=0)
    return "".join(_BARS[(count * len(_BARS) - 1) // most] if count else _NO_BAR for count in counts)


def _notes(failures: Mapping[str, Any], period: str) -> Iterator[str]:
    """Yield what the table does not show; `period` is what --since says."""
    groups, since = failures["groups"], format_start(failures["since"])
    if not failures["failed"]:
        yield f"no workflow has failed since {since}"
    else:
        part = format_duration(failures["part_seconds"])
        yield f"{failures['failed']:,} failed since {since}; each character of the trend is {part}"
    if failures["earlier"]:
        yield f"{failures['earlier']:,} failed before that; --since all shows them"
    if failures["left_out"]:
        yield f"{failures['left_out']:,} failed by other causes than these {len(groups)}"
    if not failures["is_complete"]:
        yield f"only the {failures['examined']:,} that started last were looked at; --flow looks at one flow"
    if groups:
        ended = "" if period == "all" else f" ended={period}"
        yield f"restart a group: lfr restart --where 'failure={groups[0]['failure']}{ended}'"


HANDLER = Handler(
    _add_arguments,
    _run,
    "Numbers, ids, times, addresses and quoted texts do not count: reasons that differ in nothing else are "
    "one group. The latest failure comes first. lfr restart --where 'failure=ID' restarts a group.",
    (
        ("failures", "what failed within a day"),
        ("failures --since 12h --flow order", "of one flow, last night"),
    ),
    (ExitCode.BAD_INPUT, *REDIS_ERRORS),
)
