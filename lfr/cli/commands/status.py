"""`lfr status`: how the installation is: this host's units, the roles everywhere, what is left to do."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.format_workflow import long_json
from lfr.cli.ui.options import add_connection, open_store
from lfr.cli.ui.table import Cell, Column, draw_table
from lfr.cli.ui.terminal import Terminal
from lfr.cli.ui.times import clock, day
from lfr.errors import LfrError

if TYPE_CHECKING:
    from lfr.host.systemd import UnitState

_ROLES = (
    Column("role"),
    Column("host"),
    Column("pid", right=True),
    Column("version"),
    Column("since"),
    Column("events", right=True),
    Column("last sign"),
)
_GROUPS = (
    Column("group"),
    Column("consumers", right=True),
    Column("to read", right=True),
    Column("pending"),
)
_UNITS = (Column("unit of this host"), Column("state"), Column("restarts", right=True), Column("says"))

_MOVES_ON: Final = {"lifecycle", "worker"}
_LONG_STREAM: Final = 10_000
"""So many events lie about only where nobody clears the stream."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="all of it as one JSON object")
    add_connection(parser)


def _status(arguments: Namespace, terminal: Terminal) -> int:
    store = open_store(arguments)
    from lfr.host.systemd import load_unit_states
    from lfr.operations.status import load_status
    from lfr.store.redis.connection import address

    units = load_unit_states()
    trouble: LfrError | None = None
    state: dict[str, Any] = {}
    try:
        state = load_status(store)
    except LfrError as error:
        trouble = error
    problems = list(problems_of(state, units)) if trouble is None else []
    if arguments.json:
        told = {"address": address(store.settings), **state, "units": [asdict(unit) for unit in units]}
        terminal.print(long_json({**told, "problems": [str(trouble)] if trouble else problems}))
    else:
        _print(terminal, address(store.settings), state, units)
    if trouble is not None:
        raise trouble
    for problem in problems:
        terminal.say(f"lfr: {terminal.paint(problem, 'red', terminal.err)}")
    return Exit.CONFLICT if problems else Exit.OK


def problems_of(state: Mapping[str, Any], units: Sequence[UnitState]) -> Iterator[str]:
    """What is wrong, each with what to do about it. `state`: as `load_status` gives it."""
    for unit in units:
        if unit.is_broken:
            yield f"{unit.name} does not run (journalctl -u {unit.name} says why)"
    yield from state["redis"]["warnings"]
    alive = {role["role"] for role in state["roles"]}
    if not alive & _MOVES_ON:
        yield "no lifecycle runs: no workflow moves on (lfr lifecycle)"
    if "receipts" not in alive and state["stream"]["length"] > _LONG_STREAM:
        yield "no receipts role runs: the stream is not cleared, and grows (lfr receipts)"


def _print(terminal: Terminal, address: str, state: Mapping[str, Any], units: Sequence[UnitState]) -> None:
    if state:
        for heading, text in _figures(address, state):
            terminal.print(f"{terminal.paint(f'{heading:14}', 'dim')}{text}")
        _print_table(terminal, _ROLES, [_role_row(role) for role in state["roles"]])
        _print_table(terminal, _GROUPS, [_group_row(group) for group in state["groups"]])
    _print_table(terminal, _UNITS, [_unit_row(unit) for unit in units])


def _figures(address: str, state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    redis = state["redis"]
    kept = "" if redis["is_persistent"] else "; without an append-only file: it forgets when it stops"
    yield "redis", f"{redis['version']} at {address}, {redis['memory'] / 2**20:,.1f} MiB{kept}"
    yield "stream", f"{state['stream']['length']:,} events in {state['stream']['key']}"
    yield "dead letters", f"{state['dead_letters']:,}"
    yield "workflows", _counts({name.lower(): count for name, count in state["workflows"].items()})
    yield "waiting", _counts({**state["timers"], "latches": state["latches"]})


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none"


def _print_table(terminal: Terminal, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    if rows:
        terminal.print()
        for line in draw_table(terminal, columns, rows):
            terminal.print(line)


def _role_row(role: Mapping[str, Any]) -> list[Cell]:
    return [
        Cell(role["name"], "bold"),
        Cell(role["host"]),
        Cell(str(role["pid"])),
        Cell(role["version"]),
        Cell(f"{day(role['since'])} {clock(role['since'])[:8]}"),
        Cell(f"{role['events']:,}"),
        Cell(f"{role['age']:.1f} s ago"),
    ]


def _group_row(group: Mapping[str, Any]) -> list[Cell]:
    return [
        Cell(group["name"]),
        Cell(str(group["consumers"])),
        Cell(f"{group['lag']:,}"),
        Cell(f"{group['pending']:,}"),
    ]


def _unit_row(unit: UnitState) -> list[Cell]:
    colour = "red" if unit.is_broken else "green" if unit.active == "active" else ""
    return [
        Cell(unit.name),
        Cell(f"{unit.active} ({unit.sub})", colour),
        Cell(str(unit.restarts)),
        Cell(unit.status),
    ]


HANDLERS: Handlers = {"status": Handler(_add_arguments, _status)}
