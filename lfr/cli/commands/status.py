"""`lfr status`: show the state of the roles on all hosts, of streams and groups, and of this host's units."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_pause, format_start
from lfr.cli.ui.options import add_connection_options, add_flag, open_store
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.errors import LfrError
from lfr.values.printable import printable
from lfr.values.times import format_span

if TYPE_CHECKING:
    from lfr.host.systemd import UnitState

_ROLE_COLUMNS = (
    Column("role"),
    Column("host"),
    Column("pid", align_right=True, drop=2),
    Column("version", drop=3),
    Column("since", drop=1),
    Column("events", align_right=True),
    Column("heartbeat"),
)
_GROUP_COLUMNS = (
    Column("group"),
    Column("consumers", align_right=True),
    Column("to read", align_right=True),
    Column("pending", align_right=True),
    Column("oldest", align_right=True),
    Column("does"),
)
_UNCLAIMED_COLUMNS = (
    Column("unclaimed task"),
    Column("waiting", align_right=True),
    Column("oldest", align_right=True),
    Column("done by"),
)
_UNIT_COLUMNS = (
    Column("unit of this host"),
    Column("state"),
    Column("restarts", align_right=True),
    Column("says"),
)

_MAX_PAUSES: Final = 5

_MAX_UNCLAIMED: Final = 10
"""How many unclaimed tasks are listed."""


def _add_arguments(parser: ArgumentParser) -> None:
    add_flag(parser, "--json", "print one JSON object")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.host.systemd import load_unit_states
    from lfr.operations.status import load_status
    from lfr.store.redis.pool import address

    units = load_unit_states()
    redis_error: LfrError | None = None
    status: dict[str, Any] = {}
    try:
        status = load_status(store)
    except LfrError as error:
        redis_error = error
    problems = list(find_problems(status, units)) if redis_error is None else [str(redis_error)]
    if arguments.json:
        unit_states = [asdict(unit) for unit in units]
        data = {"address": address(store.settings), **status, "units": unit_states, "problems": problems}
        terminal.print_json(data)
    else:
        _print(terminal, address(store.settings), status, units)
    if redis_error is not None:
        raise redis_error
    for problem in problems:
        terminal.print_err(f"lfr: {terminal.paint(printable(problem), 'red', terminal.err)}")
    return ExitCode.CONFLICT if problems else ExitCode.OK


def find_problems(status: Mapping[str, Any], units: Sequence[UnitState]) -> Iterator[str]:
    """Yield what is wrong, each with what to do about it. `status` is the result of `load_status`."""
    for unit in units:
        if unit.is_broken:
            yield f"{unit.name} does not run (journalctl -u {unit.name} says why)"
    yield from status["problems"]


def _print(terminal: Terminal, address: str, status: Mapping[str, Any], units: Sequence[UnitState]) -> None:
    if status:
        for heading, text in _summary(address, status):
            terminal.print(f"{terminal.paint(f'{heading:14}', 'dim')}{printable(text)}")
        _print_table(terminal, _ROLE_COLUMNS, [_role_row(role) for role in status["roles"]])
        _print_table(terminal, _GROUP_COLUMNS, [_group_row(group) for group in status["groups"]])
        unclaimed = status["unclaimed"][:_MAX_UNCLAIMED]
        _print_table(terminal, _UNCLAIMED_COLUMNS, [_unclaimed_row(tasks) for tasks in unclaimed])
    _print_table(terminal, _UNIT_COLUMNS, [_unit_row(unit) for unit in units])


def _summary(address: str, status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    redis, stream = status["redis"], status["stream"]
    if redis["is_known"]:
        warning = "" if redis["is_persistent"] else "; without an append-only file: it forgets when it stops"
        limit = f" of {redis['max_memory'] / 2**20:,.1f}" if redis["max_memory"] else ""
        memory = f"{redis['memory'] / 2**20:,.1f}{limit} MiB"
        yield "redis", f"{redis['version']} at {address}, {memory}{warning}"
    else:
        yield "redis", f"at {address}; its version and memory are unknown: this user may not send INFO"
    yield "stream", f"{stream['length']:,} events in {status['prefix']}{stream['key']}"
    lengths = Counter[str]()
    for each in status["streams"]:
        lengths[each["kind"]] += each["length"]
    yield "results", _counts({"for lifecycles": lengths["ends"], "to log": lengths["receipts"]})
    yield "queues", _counts({"for workers": lengths["queue"]})
    unclaimed = sum(tasks["count"] for tasks in status["unclaimed"])
    yield "unclaimed", _counts({"on the stream": unclaimed})
    yield "dead letters", f"{status['dead_letters']:,}"
    yield "workflows", _counts({name.lower(): count for name, count in status["workflows"].items()})
    if status["paused"]:
        yield "paused", _format_pauses(status)
    yield (
        "waiting",
        _counts({"for events": status["event_waits"], **status["timers"], "latches": status["latches"]}),
    )


def _format_pauses(status: Mapping[str, Any]) -> str:
    names = [format_pause(pause) for pause in status["pauses"][:_MAX_PAUSES]]
    more = status["paused"] - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none"


def _print_table(terminal: Terminal, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    if rows:
        terminal.print_lines(["", *format_table(terminal, columns, rows)])


def _role_row(role: Mapping[str, Any]) -> Row:
    name = Cell(role["name"], "bold")
    since, heartbeat = format_start(role["since"]), f"{role['age']:.1f} s ago"
    return [name, role["host"], str(role["pid"]), role["version"], since, f"{role['events']:,}", heartbeat]


def _group_row(group: Mapping[str, Any]) -> Row:
    numbers = [f"{group[key]:,}" for key in ("consumers", "lag", "pending")]
    waits = "" if group["waits"] is None else format_span(group["waits"])
    return [group["name"], *numbers, waits, _duty(group)]


def _duty(group: Mapping[str, Any]) -> str | Cell:
    """Return what a group does, or that nobody does it."""
    if group["kind"] != "workers":
        return "" if group["kind"] == "role" else Cell("foreign", "dim")
    claims = ", ".join(group["claims"])
    return claims if group["processes"] else Cell(f"no live worker: {claims}", "red")


def _unclaimed_row(tasks: Mapping[str, Any]) -> Row:
    doer = Cell("nobody", "red") if tasks["problem"] else "others"
    return [tasks["task"], f"{tasks['count']:,}", format_span(tasks["waits"]), doer]


def _unit_row(unit: UnitState) -> Row:
    colour = "red" if unit.is_broken else "green" if unit.active == "active" else ""
    return [unit.name, Cell(f"{unit.active} ({unit.sub})", colour), str(unit.restarts), unit.status]


HANDLER = Handler(
    _add_arguments,
    _run,
    "Shows the roles that are alive on all hosts, by their heartbeats; how many events each consumer "
    "group has to read and has pending, how long the oldest waits, and which tasks its workers do; tasks "
    "that nobody does; dead letters; waits; and the units of this host. The exit code is 0 if there is no "
    "problem, and 69 if there is one: a unit has failed, no lifecycle runs, tasks wait that no live worker "
    "does, or a group does not keep up.",
    (
        ("status", ""),
        ("status --json", "one JSON object, with `problems`"),
    ),
    (ExitCode.CONFLICT, *REDIS_ERRORS),
)
