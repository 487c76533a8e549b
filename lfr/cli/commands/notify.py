"""`lfr notify`: run the role notify; list the rules and recipients of notices; test a rule."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.role_context import role_context
from lfr.cli.ui.format_values import format_start
from lfr.cli.ui.options import add_connection_options, add_json_option, open_store
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.values.printable import printable
from lfr.values.times import format_duration

_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {"list": (), "test": ("RULE",)}
"""What follows each word."""

_RULE_COLUMNS: Final = (
    Column("rule", max_width=30),
    Column("when", max_width=30),
    Column("of", max_width=40, drop=1),
    Column("to", max_width=50),
    Column("quiet", drop=2),
    Column("sent"),
)

_RECIPIENT_COLUMNS: Final = (
    Column("recipient", max_width=50),
    Column("waiting"),
    Column("last taken"),
    Column("problem", max_width=60),
)


def _add_arguments(parser: ArgumentParser) -> None:
    help = "list: show rules and recipients; test: send a specimen (default: run the role)"
    parser.add_argument("what", metavar="list|test", nargs="?", choices=_ACTIONS, help=help)
    parser.add_argument("names", metavar="RULE", nargs="*", help="with test: the rule")
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    what: str | None = arguments.what
    words = _ACTIONS[what] if what else ()
    if len(arguments.names) != len(words):
        raise UsageError(f"it is lfr notify {' '.join((what or '', *words))} (lfr notify --help)")
    if what is None and arguments.json:
        raise UsageError("--json goes with list and test (lfr notify --help)")
    if what == "list":
        _list(arguments, terminal)
        return None
    if what == "test":
        return _test(arguments, terminal)
    from lfr.roles.notify import run

    store = open_store(arguments)
    return run(store, role_context(store, arguments, terminal))


def _list(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.notices import list_notices

    notices = list_notices(store)
    if arguments.json:
        terminal.print_json(notices)
        return
    if not notices["is_alive"]:
        terminal.print_err("no notify role runs: nothing is sent (lfr notify)")
    if not notices["rules"]:
        terminal.print_err("there is no rule (notify.rules of the configuration)")
        return
    terminal.print_lines(format_table(terminal, _RULE_COLUMNS, [*map(_rule_row, notices["rules"])]))
    if notices["recipients"]:
        terminal.print("")
        rows = [*map(_recipient_row, notices["recipients"])]
        terminal.print_lines(format_table(terminal, _RECIPIENT_COLUMNS, rows))
    terminal.print_lines(_lost_lines(notices["lost"]))


def _rule_row(rule: Mapping[str, Any]) -> Row:
    after = f" after {format_duration(rule['after'])}" if rule["after"] else ""
    labels = [f"{name}={value}" for name, value in rule["labels"].items()]
    return [
        rule["name"],
        ", ".join(rule["when"]) + after,
        ", ".join([*rule["flow"], *labels, *rule["role"]]) or "all",
        ", ".join(rule["to"]),
        format_duration(rule["quiet"]),
        str(rule["counts"]["sent"]),
    ]


def _recipient_row(recipient: Mapping[str, Any]) -> Row:
    problem = recipient["reason"] if recipient["failures"] else ""
    return [
        recipient["name"],
        str(recipient["queued"]),
        format_start(recipient["sent"]) if recipient["sent"] else "never",
        Cell(printable(problem), "red") if problem else "",
    ]


def _lost_lines(lost: list[dict[str, Any]]) -> Iterator[str]:
    if lost:
        yield f"\ngiven up: {len(lost)}, the latest first"
    for each in lost[:5]:
        at = format_start(each["at"])
        yield printable(f"  {at}  {each['recipient']}: {each['reason']}: {each['text']}")


def _test(arguments: Namespace, terminal: Terminal) -> int | None:
    store = open_store(arguments)
    from lfr.operations.notices import send_test

    results = send_test(store, arguments.names[0])
    if arguments.json:
        terminal.print_json(results)
    else:
        for each in results:
            words = "has got it" if each["problem"] is None else f"has not got it: {each['problem']}"
            terminal.print(printable(f"{each['recipient']} {words}"))
    return ExitCode.CONFLICT if any(each["problem"] for each in results) else None


HANDLER = Handler(
    _add_arguments,
    _run,
    "Without a word behind it, it runs the role, as `lfr lifecycle` does its own, until SIGTERM or Ctrl-C. "
    "list shows the rules of notify.rules as the role has them, how many notices each has sent, and which "
    "recipients take none. test lets the role send a specimen to all recipients of a rule, and says what "
    "happened.",
    (
        ("notify", "run the role"),
        ("notify list", ""),
        ("notify test failures", "send a specimen to the recipients of this rule"),
    ),
    (ExitCode.NOT_FOUND, ExitCode.CONFLICT, *CHANGE_ERRORS),
)
