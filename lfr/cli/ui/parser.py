"""Words -> a command and its arguments; and the help, drawn from the tables."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from importlib import import_module
from textwrap import fill
from typing import NamedTuple, NoReturn

from lfr.cli.command_table import COMMANDS, GROUPS, ROLE, Command, Handler
from lfr.cli.exit_codes import MEANING
from lfr.cli.ui.terminal import Terminal

_HELP_WIDTH = 90


class UsageError(Exception):
    """The command line cannot be understood."""


class Call(NamedTuple):
    """What a command line asks for."""

    handler: Handler
    arguments: Namespace


class _Parser(ArgumentParser):
    """argparse, but with errors that are raised. (Overriding `error` is its documented way to that.)"""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help)")


def parse(words: Sequence[str], terminal: Terminal) -> Call | None:
    """The command that the words ask for; None if all they asked for was help, which is printed then.

    Raises UsageError, and SystemExit(0) after the help of one command.
    """
    if not words or words[0] in ("--help", "-h") or list(words) == ["help"]:
        terminal.print("\n".join(_overview(terminal)))
        return None
    name, *rest = words
    if name == "help":
        name, rest = words[1], ["--help"]
    command = COMMANDS.get(name) or _numbered_role(name)
    if command is None:
        raise UsageError(_unknown(name))
    handler: Handler = import_module(command.module).HANDLERS[command.name]
    return Call(handler, make_parser(command, handler).parse_args(rest, Namespace(command=name)))


def _numbered_role(name: str) -> Command | None:
    """The command of `lifecycle.2`, one of several processes of a role; None if it is no such name."""
    role, _, number = name.partition(".")
    command = COMMANDS.get(role)
    return command if command and command.group == ROLE and number.isdecimal() else None


def make_parser(command: Command, handler: Handler) -> ArgumentParser:
    """The parser of one command, with its help."""
    sentence = command.help[0].upper() + command.help[1:] + "."
    parser = _Parser(
        prog=f"lfr {command.name}",
        description=fill(f"{sentence} {command.about}", _HELP_WIDTH),
        epilog="\n".join(_epilog(command)),
        formatter_class=_formatter,
        add_help=False,
        allow_abbrev=False,
    )
    handler.add_arguments(parser)
    parser.add_argument("-h", "--help", action="help", help="show this")
    parser.usage = _usage(parser)
    return parser


def _usage(parser: ArgumentParser) -> str:
    """The usage in one short line; what options there are stands below it."""
    positionals = [str(action.metavar) for action in parser._get_positional_actions()]
    return " ".join([parser.prog, *positionals, "[options]"])


def _formatter(prog: str) -> RawDescriptionHelpFormatter:
    return RawDescriptionHelpFormatter(prog, max_help_position=28, width=_HELP_WIDTH)


def _epilog(command: Command) -> Iterator[str]:
    lines = [f"lfr {words}" for words, _ in command.examples]
    width = min(60, max(map(len, lines), default=0))
    if lines:
        yield "examples:"
    for line, (_, says) in zip(lines, command.examples, strict=True):
        yield f"  {line:{width}}  # {says}" if says else f"  {line}"
    if command.exits:
        yield "\nexit codes:"
    for exit in command.exits:
        yield f"  {int(exit):3}  {MEANING[exit]}"


def _overview(terminal: Terminal) -> Iterator[str]:
    yield "lfr runs workflows, written in the littleflow language, over Redis."
    yield "\nusage: lfr COMMAND ..."
    width = max(map(len, COMMANDS))
    for group in GROUPS:
        yield f"\n{terminal.paint(group, 'bold')}"
        for command in COMMANDS.values():
            if command.group == group:
                yield f"  {command.name:{width}}  {command.help}"
    yield "\nlfr COMMAND --help tells more, with examples. To see it work: lfr demo"


def _unknown(name: str) -> str:
    if name.startswith("-"):
        return f"{name} stands before any command; options follow theirs: lfr run FILE --wait (lfr --help)"
    from lfr.values.checks import suggestion  # here: only mistakes need it

    question = suggestion(name, COMMANDS)
    return f"there is no command {name!r}{question and f'; {question}'} (lfr --help)"
