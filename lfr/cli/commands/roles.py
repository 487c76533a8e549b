"""`lfr ROLE`: run a role in this process until it is stopped."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial
from importlib import import_module

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.role_context import role_context
from lfr.cli.ui.options import add_connection_options, open_store, option_type
from lfr.cli.ui.terminal import Terminal
from lfr.runtime.role_table import Role


def _add_arguments(role: Role, parser: ArgumentParser) -> None:
    for option in role.options:
        is_positional = not option.flag.startswith("-")
        default = f" (default: {option.default:g})" if isinstance(option.default, float) else ""
        parser.add_argument(
            option.flag,
            nargs="?" if is_positional else None,
            type=option_type(option.check),
            default=option.default,
            metavar=option.metavar,
            help=f"{option.help}{default}",
        )
    add_connection_options(parser)


def _run(role: Role, arguments: Namespace, terminal: Terminal) -> int:
    names = [option.flag.removeprefix("--").replace("-", "_") for option in role.options]
    options = {name: getattr(arguments, name) for name in names}
    store = open_store(arguments)
    context = role_context(store, arguments, terminal)
    code: int = import_module(role.module).run(store, context, **options)
    return code


_DESCRIPTION = (
    "Runs until SIGTERM or Ctrl-C, and then finishes the work it has begun. While Redis is away it waits. "
    "Any number of processes of a role may run at the same time. It logs to stderr."
)


def make_handler(role: Role) -> Handler:
    """Return the handler of the command that runs a role."""
    return Handler(
        partial(_add_arguments, role),
        partial(_run, role),
        _DESCRIPTION,
        ((role.name, ""), (f"{role.name} --url redis://queue.example:6379", "another server")),
        (ExitCode.BAD_INPUT, ExitCode.CANNOT_WRITE, ExitCode.BAD_SETTINGS),
    )
