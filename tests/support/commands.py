"""Commands of the command line, run inside the test."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from io import BytesIO

from lfr.cli.command_table import COMMANDS
from lfr.cli.ui.parser import load_handler, make_parser
from lfr.store.redis.connection import Store
from tests.support.screens import terminal, written


class Answer(BytesIO):
    """A terminal on which somebody types."""

    def isatty(self) -> bool:
        return True


def run_command(store: Store, *words: str, answer: bytes = b"") -> tuple[int | None, str, str]:
    """Run a command at a terminal. Return its exit code, and what stdout and stderr show."""
    screen = replace(terminal(), input=Answer(answer))
    handler = load_handler(COMMANDS[words[0]])
    parser = make_parser(COMMANDS[words[0]], handler)
    options = [*words[1:], "--url", store.settings.redis_url]
    arguments = parser.parse_args(options, Namespace(command=words[0]))
    code = handler.run(arguments, screen)
    return code, written(screen.out), written(screen.err)
