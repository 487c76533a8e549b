"""`lfr doctor`: examine an installation, and mend what is safe to mend."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.options import add_connection_options, add_flag, add_json_option, open_store_to_change
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.operations.doctor.finding import Finding
    from lfr.store.redis.connection import Store

_COLOURS: Final = {"error": "red", "warning": "yellow", "note": "dim"}


def _add_arguments(parser: ArgumentParser) -> None:
    add_flag(parser, "--fix", "mend what is safe to mend, after a question")
    add_flag(parser, "--yes", "with --fix: do not ask")
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    is_asking = arguments.fix and not arguments.yes
    if is_asking and (arguments.json or not terminal.input.isatty()):
        raise UsageError("without a terminal that can answer, --fix needs --yes")
    store = open_store_to_change(arguments)
    findings = list(_examine(store))
    if not arguments.json:
        _print(terminal, findings)
    mendable = [finding for finding in findings if finding.mend is not None]
    mended: dict[str, str] = {}
    if arguments.fix and mendable and (not is_asking or _is_confirmed(terminal, len(mendable))):
        for finding in mendable:
            assert finding.mend is not None
            mended[finding.check] = finding.mend()
            if not arguments.json:
                terminal.print(f"mended {finding.check}: {printable(mended[finding.check])}")
    elif mendable and not arguments.json:
        terminal.print_err(f"lfr doctor --fix mends {len(mendable)} of {len(findings)}")
    if arguments.json:
        rows: list[dict[str, Any]] = [
            {**finding.to_dict(), "mended": mended.get(finding.check)} for finding in findings
        ]
        terminal.print_json({"findings": rows})
    remaining = list(_examine(store)) if mended else findings
    is_healthy = all(finding.severity == "note" for finding in remaining)
    return ExitCode.OK if is_healthy else ExitCode.CONFLICT


def _examine(store: Store) -> Iterator[Finding]:
    from lfr.operations.doctor.examine import examine

    yield from examine(store)
    yield from _examine_host()


def _examine_host() -> Iterator[Finding]:
    """Yield what is wrong with this host: units that have failed, old unpacked copies of lfr."""
    from lfr.host.systemd import load_unit_states
    from lfr.host.unpacked_copies import copies_folder, find_unused_copies
    from lfr.operations.doctor.finding import Finding, Severity

    for unit in load_unit_states():
        if unit.is_broken:
            text, cure = f"{unit.name} does not run", f"journalctl -u {unit.name} says why"
            yield Finding(Severity.ERROR, "unit", text, cure=cure)
    folder = copies_folder()
    if copies := find_unused_copies(folder):
        yield Finding(
            Severity.NOTE,
            "old-copies",
            f"{folder} has unpacked copies of lfr that nobody uses: {len(copies)}",
            "they take some megabytes each",
            "removes them",
            partial(_remove_copies, copies),
        )


def _remove_copies(copies: list[Path]) -> str:
    from lfr.host.unpacked_copies import remove_copies

    return f"removed: {remove_copies(copies)}"


def _print(terminal: Terminal, findings: Sequence[Finding]) -> None:
    for finding in findings:
        severity = terminal.paint(f"{finding.severity.value:8}", _COLOURS[finding.severity])
        terminal.print(f"{severity}{printable(finding.text)}")
        if finding.matters:
            terminal.print(f"        {printable(finding.matters)}")
        if finding.cure:
            way = "--fix " if finding.mend is not None else ""
            terminal.print(f"        {terminal.paint(f'-> {way}{printable(finding.cure)}', 'green')}")
    if not findings:
        terminal.print_err("nothing is wrong")


def _is_confirmed(terminal: Terminal, count: int) -> bool:
    terminal.print_err(f"mend {count} of these? Type yes:")
    return terminal.input.readline().strip().lower() in (b"yes", b"y")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Examines what lfr status shows, and more: settings of Redis, clocks of the hosts, consumers and "
    "claims of processes that are gone, tasks that nobody can take, keys, timers and list entries of "
    "workflows that are gone, latches that nobody will release, workflows that cannot move, old unpacked "
    "copies. Each finding has its reason and its cure. --fix mends those that cannot do harm, says so, and "
    "changes nothing else. The exit code is 0 if nothing is wrong, or nothing is any more, notes aside; "
    "else 69. If Valkey does not start, see lfr mend.",
    (
        ("doctor", ""),
        ("doctor --fix", "mend what is safe, after a question"),
        ("doctor --fix --yes --json", "for a timer"),
    ),
    (ExitCode.CONFLICT, *CHANGE_ERRORS),
)
