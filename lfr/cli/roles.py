"""`lfr ROLE`: run a role in this process until it is told to stop."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial
from importlib import import_module

from lfr.cli.commands import Handler, Handlers
from lfr.cli.options import add_connection, open_store
from lfr.cli.terminal import Terminal
from lfr.roles.table import ROLES, Role


def _add_arguments(role: Role, parser: ArgumentParser) -> None:
    for option in role.options:
        if not option.flag.startswith("-"):
            metavar = f"[{option.metavar}]"
            parser.add_argument(
                option.flag, nargs="?", default=option.default, metavar=metavar, help=option.help
            )
            continue
        default = f" (default: {option.default:g})" if isinstance(option.default, float) else ""
        parser.add_argument(
            option.flag,
            type=option.type,
            default=option.default,
            metavar=option.metavar,
            help=f"{option.help}{default}",
        )
    add_connection(parser)


def _run(role: Role, arguments: Namespace, terminal: Terminal) -> int:
    names = [option.flag.removeprefix("--").replace("-", "_") for option in role.options]
    options = {name: getattr(arguments, name) for name in names}
    store = open_store(arguments)
    from lfr.host.journal import set_up_logging

    set_up_logging(store.settings.log_level, terminal.err)
    code: int = import_module(role.module).run(store, **options)
    return code


HANDLERS: Handlers = {
    role.name: Handler(partial(_add_arguments, role), partial(_run, role)) for role in ROLES
}
