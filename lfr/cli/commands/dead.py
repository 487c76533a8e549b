"""`lfr dead`: list dead letters, show one, put their events back, dismiss them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_start, short_json
from lfr.cli.ui.options import (
    add_connection_options,
    add_flag,
    add_json_option,
    add_reason_option,
    open_store,
    open_store_to_change,
    parse_count,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable

_WORDS: Final = ("list", "show", "retry", "dismiss")

_COLUMNS: Final = (
    Column("time", drop=2),
    Column("id", is_whole=True),
    Column("reason", max_width=60),
    Column("event"),
)
_DISMISSED_COLUMNS: Final = (*_COLUMNS[:3], Column("dismissed"), Column("by", max_width=30), Column("why"))


def _add_arguments(parser: ArgumentParser) -> None:
    help = "list them (default), show one, retry: put their events back, dismiss: give them up"
    parser.add_argument("what", metavar="|".join(_WORDS), nargs="?", choices=_WORDS, help=help)
    parser.add_argument("id", metavar="ID", nargs="*", help="the dead letters to show, retry or dismiss")
    help = "those with this reason, whatever numbers and ids stand in it"
    parser.add_argument("--pattern", metavar="TEXT", help=help)
    add_flag(parser, "--all", "with retry and dismiss: all of them")
    add_flag(parser, "--dismissed", "of those that were dismissed")
    parser.add_argument("--limit", metavar="N", type=parse_count, help="list at most N (default: 50)")
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    what = arguments.what or "list"
    _check_usage(arguments, what)
    if what in ("list", "show"):
        store = open_store(arguments)
        from lfr.operations.dead_letters import describe_dead_letter, list_dead_letters

        if what == "show":
            letter = describe_dead_letter(store, arguments.id[0], dismissed=arguments.dismissed)
            if arguments.json:
                terminal.print_json(letter)
            else:
                terminal.print_lines(_letter_lines(terminal, letter))
            return None
        size = arguments.limit or 50
        letters = list_dead_letters(
            store, size=size, pattern=arguments.pattern, dismissed=arguments.dismissed
        )
        if arguments.json:
            terminal.print_json(letters)
        elif letters:
            columns = _DISMISSED_COLUMNS if arguments.dismissed else _COLUMNS
            terminal.print_lines(format_table(terminal, columns, [_row(letter) for letter in letters]))
        else:
            terminal.print_err("there are no such dead letters" if arguments.pattern else "there are none")
        return None
    store = open_store_to_change(arguments)
    from lfr.operations.dead_letters import handle_dead_letters

    ids = arguments.id or None
    result = handle_dead_letters(store, what, ids, pattern=arguments.pattern, dismissed=arguments.dismissed)
    if arguments.json:
        terminal.print_json(result)
    else:
        word = "put back" if what == "retry" else "dismissed"
        terminal.print(f"{result['changed']:,} {word}")
        for id, problem in result["problems"].items():
            terminal.print_err(f"{id}: {problem}")
    return ExitCode.CONFLICT if result["problems"] else None


def _check_usage(arguments: Namespace, what: str) -> None:
    help = "(lfr dead --help)"
    selections = sum(map(bool, (arguments.id, arguments.pattern is not None, arguments.all)))
    if what == "list" and (arguments.id or arguments.all):
        raise UsageError(f"list shows all, or those of --pattern {help}")
    if what == "show" and (len(arguments.id) != 1 or selections != 1):
        raise UsageError(f"it is lfr dead show ID {help}")
    if what in ("retry", "dismiss") and selections != 1:
        raise UsageError(f"it is lfr dead {what} with ID ..., --pattern or --all {help}")
    if what != "list" and arguments.limit is not None:
        raise UsageError(f"--limit goes with list {help}")
    if what in ("list", "show") and arguments.reason is not None:
        raise UsageError(f"--reason goes with retry and dismiss; --pattern selects {help}")


def _row(letter: Mapping[str, Any]) -> Row:
    reason = Cell(letter["reason"], "red")
    row: list[str | Cell] = [_time(letter["at"]), letter["id"], reason]
    dismissed = letter["dismissed"]
    if dismissed is None:
        return [*row, short_json(letter["fields"])]
    return [*row, _time(dismissed["at"]), dismissed["by"] or "", dismissed["reason"] or ""]


def _letter_lines(terminal: Terminal, letter: Mapping[str, Any]) -> Iterator[str]:
    yield f"{terminal.paint(letter['id'], 'bold')}  {_time(letter['at'])}"
    yield "  " + terminal.paint(printable(letter["reason"]), "red")
    yield f"  a copy of {letter['entry_id']}"
    if (dismissed := letter["dismissed"]) is not None:
        why = f": {dismissed['reason']}" if dismissed["reason"] else ""
        yield printable(f"  dismissed {_time(dismissed['at'])} by {dismissed['by'] or 'nobody known'}{why}")
    for name, text in letter["fields"].items():
        yield printable(f"  {name}: {text}")


def _time(at: str) -> str:
    return format_start(at) if at else ""


HANDLER = Handler(
    _add_arguments,
    _run,
    "Lists the dead letters, newest first: events that could not be understood, or that no workflow wants, "
    "each with the reason. retry puts an event back on its stream as it was, once the cause is mended; "
    "what cannot be understood again comes back as a new dead letter. dismiss gives one up; the latest "
    "1,000 that were dismissed are kept, and retry --dismissed puts them back.",
    (
        ("dead", ""),
        ("dead show 1795996800000-0", "one, with all fields of its event"),
        ("dead retry 1795996800000-0", ""),
        ("dead retry --pattern 'there is no workflow workflow:build-5f0c'", "all with such a reason"),
        ("dead dismiss --all --reason 'a worker of last week'", ""),
        ("dead list --dismissed", "with who has dismissed them, and why"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CONFLICT, *CHANGE_ERRORS),
)
