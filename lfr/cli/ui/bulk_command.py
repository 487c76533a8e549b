"""What commands share that change many workflows: the options, the question, the progress, the result."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_flag, open_store_to_change
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.values.json import Json
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.operations.bulk import BulkPlan
    from lfr.store.redis.connection import Store

_PROGRESS_SECONDS: Final = 1.0
"""How often the progress is shown."""


class ProgressLines:
    """Says on stderr how many of a number of workflows are done, every second."""

    def __init__(self, terminal: Terminal, total: int) -> None:
        self._terminal = terminal
        self._total = total
        self._due_at = time.monotonic() + _PROGRESS_SECONDS

    def show(self, number: int) -> None:
        """Print a line if it is due."""
        if time.monotonic() >= self._due_at and number < self._total:
            self._due_at = time.monotonic() + _PROGRESS_SECONDS
            self._terminal.print_err(f"{number:,} of {self._total:,}")


def add_yes_option(parser: ArgumentParser) -> None:
    """Add --yes, which `check_can_ask` reads."""
    add_flag(parser, "--yes", "do not ask")


def check_can_ask(arguments: Namespace, terminal: Terminal) -> bool:
    """Return whether a command asks before it does anything: unless --yes or --dry-run is set. Raises
    UsageError if it would ask and nobody can answer."""
    is_asking = not arguments.yes and not arguments.dry_run
    if is_asking and (arguments.json or not terminal.input.isatty()):
        raise UsageError(f"without a terminal that can answer, {arguments.command} needs --yes or --dry-run")
    return is_asking


def is_confirmed(terminal: Terminal, action: str) -> bool:
    """Ask whether to do `action`, and return whether the answer is yes."""
    terminal.print_err(f"{action}? Type yes:")
    return terminal.input.readline().strip().lower() in (b"yes", b"y")


def format_counts(counts: Mapping[str, int]) -> str:
    """Return how many workflows are in each state, as `3 FAILED, 1 TERMINATED`."""
    return ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)


def add_where_options(parser: ArgumentParser) -> None:
    """Add the options that select many workflows in place of an ID, for `run_where`."""
    group = parser.add_argument_group("many at once, in place of ID")
    help = "all that match, as 'flow=order state=FAILED since=1d' (docs/commands.md)"
    group.add_argument("--where", metavar="FILTER", help=help)
    help = "only what matched at TIME and has not started or ended since; goes on with an earlier command"
    group.add_argument("--as-of", metavar="TIME", help=help)
    group.add_argument("--dry-run", action="store_true", help="say how many match, and change nothing")
    group.add_argument("--yes", action="store_true", help="do not ask")


def is_many(arguments: Namespace, ids: Iterable[str] | str | None) -> bool:
    """Return whether a command line selects many workflows with --where. Raises UsageError if it names
    workflows as well, or neither."""
    command = arguments.command
    if arguments.where is None:
        for flag in ("as_of", "dry_run", "yes"):
            if getattr(arguments, flag):
                option = flag.replace("_", "-")
                raise UsageError(f"--{option} goes with --where (lfr {command} --help)")
        if not ids:
            raise UsageError(f"{command} needs an ID, or --where FILTER (lfr {command} --help)")
        return False
    if ids:
        raise UsageError(f"--where selects workflows in place of an ID (lfr {command} --help)")
    return True


def run_where(
    arguments: Namespace, terminal: Terminal, *, index: int | None = None, folder: str | None = None
) -> int | None:
    """Do the command to all workflows that --where selects, and return the exit code.

    It says how many they are, asks, and shows the progress. `index` is that of a step; `folder` is where
    archives are written.
    """
    is_asking = check_can_ask(arguments, terminal)
    store = open_store_to_change(arguments)
    from lfr.operations.bulk import count_whole_bulk, plan_bulk

    command: str = arguments.command
    as_of: str | None = arguments.as_of
    plan = plan_bulk(store, command, arguments.where, as_of=as_of, index=index, source="--where")
    count = count_whole_bulk(store, plan)
    counts = {state.value: number for state, number in count.states.items()}
    total = sum(counts.values())
    terminal.print_err(
        f"{format_counts(counts)}: {_name(count.first_ids, total)}" if total else "no workflow matches"
    )
    if arguments.dry_run:
        terminal.print_err("nothing has been changed: --dry-run")
    elif total and is_asking and not is_confirmed(terminal, f"{command} {_them(total)}"):
        terminal.print_err("nothing has been changed")
        return None
    if arguments.dry_run or not total:
        if arguments.json:
            terminal.print_json(_result(plan, counts, 0, {}))
        return None
    return _run(store, plan, counts, arguments, terminal, folder)


def _run(
    store: Store,
    plan: BulkPlan,
    counts: Mapping[str, int],
    arguments: Namespace,
    terminal: Terminal,
    folder: str | None,
) -> int | None:
    from lfr.operations.bulk import run_bulk
    from lfr.outbound.archive_objects import archive_writer

    total = sum(counts.values())
    terminal.print_err(f"if it is interrupted, go on with --as-of {_as_of(plan)}")
    progress = ProgressLines(terminal, total)
    changed = 0
    problems: dict[str, Json] = {}
    write = None if folder is None else archive_writer(store.settings, folder)
    try:
        for number, step in enumerate(run_bulk(store, plan, write_archive=write), 1):
            changed += step.is_changed
            if step.problem:
                problems[step.id] = step.problem
                terminal.print_err(f"{step.id} stays: {printable(step.problem)}")
            elif not step.is_changed:
                terminal.print_err(f"{step.id} stays: it has changed meanwhile")
            progress.show(number)
    finally:  # also after Ctrl-C or an error: what is done is done
        if arguments.json:
            terminal.print_json(_result(plan, counts, changed, problems))
        else:
            terminal.print(f"{plan.action}: done for {changed:,} of {_them(total)}")
    return ExitCode.CONFLICT if problems else None


def _result(
    plan: BulkPlan, counts: Mapping[str, int], changed: int, problems: Mapping[str, Json]
) -> dict[str, Json]:
    return {
        "action": plan.action.value,
        "as_of": _as_of(plan),
        "states": dict(counts),
        "changed": changed,
        "problems": dict(problems),
    }


def _as_of(plan: BulkPlan) -> str:
    from lfr.values.times import format_timestamp

    return format_timestamp(plan.as_of_ms / 1000)


def _name(ids: Sequence[str], total: int) -> str:
    """Return the first ids, and how many there are besides, as `order-1, order-2 and 94 more`."""
    names = ", ".join(id.removeprefix("workflow:") for id in ids)
    return f"{names} and {total - len(ids):,} more" if total > len(ids) else names


def _them(total: int) -> str:
    return "1 workflow" if total == 1 else f"{total:,} workflows"
