"""Parses a command line into a command and its arguments, and prints the help."""

from __future__ import annotations

from argparse import REMAINDER, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from textwrap import fill
from typing import NoReturn

from lfr.cli.command_table import COMMANDS, GROUPS, ROLE, Command, Handler
from lfr.cli.exit_codes import MEANINGS
from lfr.cli.ui.foreign_options import FOREIGN_COMMANDS, split_foreign_options
from lfr.cli.ui.terminal import Terminal
from lfr.runtime.role_table import ROLES

_HELP_WIDTH = 90


class UsageError(Exception):
    """The command line is not valid. The message says why, and where the help is."""


class _Parser(ArgumentParser):
    """An ArgumentParser that raises its errors. (argparse documents overriding `error` for this.)"""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help)")


def parse_command_line(words: Sequence[str], terminal: Terminal) -> tuple[Handler, Namespace] | None:
    """Return the command's handler and its arguments. Runs nothing, but prints help that is asked for.

    Returns None after the overview. Raises SystemExit(0) after the help of one command, and UsageError.
    """
    if not words or words[0] in ("--help", "-h") or list(words) == ["help"]:
        terminal.print("\n".join(_overview(terminal)))
        return None
    name, *rest = words
    if name == "help":
        name, rest = words[1], ["--help"]
    command = COMMANDS.get(name) or _numbered_role(name)
    if command is None:
        raise UsageError(_unknown_command(name))
    _check_option_values(rest)
    foreign = split_foreign_options(command.name, rest)
    if foreign.refusal:
        raise UsageError(f"{foreign.refusal} (lfr {command.name} --help)")
    handler = load_handler(command)
    for sentence in foreign.ignored:
        terminal.print_err(f"lfr: {sentence}")
    rest = foreign.words
    if handler.passes_on and rest[:1] not in (["--help"], ["-h"]):
        return handler, Namespace(command=name, arguments=rest)
    return handler, make_parser(command, handler).parse_args(rest, Namespace(command=name))


def _check_option_values(words: Sequence[str]) -> None:
    """Raise UsageError for `--option=--`, for which argparse returns an empty list instead of an error."""
    for word in words:
        if word == "--":
            return
        if word.startswith("--") and word.endswith("=--"):
            raise UsageError(f"argument {word[:-3]}: -- is not a value (lfr --help)")


def load_handler(command: Command) -> Handler:
    """Import the module of a command and return the command's handler, its row of `HANDLERS`."""
    for role in ROLES:
        if role.name == command.name and not role.has_command:
            from lfr.cli.commands.roles import make_handler

            return make_handler(role)
    handler: Handler = import_module(f"lfr.cli.commands.{command.name}").HANDLER
    return handler


def _numbered_role(name: str) -> Command | None:
    """Return the command for `lifecycle.2`, one of several processes of a role; None for other names."""
    role, _, number = name.partition(".")
    command = COMMANDS.get(role)
    return command if command and command.group == ROLE and number.isdecimal() else None


def make_parser(command: Command, handler: Handler) -> ArgumentParser:
    """Return the parser of one command, with its help."""
    sentence = command.help[0].upper() + command.help[1:] + "."
    parser = _Parser(
        prog=f"lfr {command.name}",
        description=fill(f"{sentence} {handler.description}", _HELP_WIDTH),
        epilog="\n".join(_epilog(handler)),
        formatter_class=partial(RawDescriptionHelpFormatter, max_help_position=28, width=_HELP_WIDTH),
        add_help=False,
        allow_abbrev=False,
    )
    handler.add_arguments(parser)
    parser.add_argument("-h", "--help", action="help", help="show this help")
    parser.usage = _usage(parser)
    return parser


def _usage(parser: ArgumentParser) -> str:
    """Return the usage in one short line; the help lists the options below it."""
    forms = {"?": "[{}]", "+": "{} ...", REMAINDER: "[{}]"}
    actions = parser._get_positional_actions()
    positionals = [forms.get(str(action.nargs), "{}").format(action.metavar) for action in actions]
    return " ".join([parser.prog, *positionals, "[options]"])


def _epilog(handler: Handler) -> Iterator[str]:
    lines = [f"lfr {words}" for words, _ in handler.examples]
    width = min(60, max(map(len, lines), default=0))
    if lines:
        yield "examples:"
    for line, (_, purpose) in zip(lines, handler.examples, strict=True):
        yield f"  {line:{width}}  # {purpose}" if purpose else f"  {line}"
    if handler.exit_codes:
        yield "\nexit codes:"
    for code in sorted(handler.exit_codes):
        yield f"  {int(code):3}  {MEANINGS[code]}"


def _overview(terminal: Terminal) -> Iterator[str]:
    yield "lfr runs workflows, written in the littleflow language, over Redis."
    yield "\nusage: lfr COMMAND ..."
    width = max(map(len, COMMANDS))
    for group in GROUPS:
        yield f"\n{terminal.paint(group, 'bold')}"
        for command in COMMANDS.values():
            if command.group == group:
                yield f"  {command.name:{width}}  {command.help}"
    yield "\nlfr COMMAND --help shows the options of a command, with examples. To see lfr work: lfr demo"


def _unknown_command(name: str) -> str:
    if name.startswith("-"):
        return f"{name} stands before the command; options follow it: lfr run FILE --wait (lfr --help)"
    from lfr.values.checks import suggestion  # here: only mistakes need it

    if name in FOREIGN_COMMANDS:
        return f"there is no command {name!r}: {FOREIGN_COMMANDS[name]} (lfr --help)"
    question = suggestion(name, COMMANDS)
    return f"there is no command {name!r}{question and f'; {question}'} (lfr --help)"
