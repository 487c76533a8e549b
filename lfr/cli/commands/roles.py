"""`lfr ROLE`: run a role in this process until it is told to stop."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.ui.options import add_connection, open_store, settings_of
from lfr.cli.ui.terminal import Terminal
from lfr.config.settings import Settings, table
from lfr.errors import LfrError
from lfr.runtime.role_table import ROLES, Role

if TYPE_CHECKING:
    from lfr.runtime.process import Life
    from lfr.store.redis.connection import Store

LOGGER = logging.getLogger(__name__)


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
    life = begin_life(store, arguments, terminal)
    code: int = import_module(role.module).run(store, life, **options)
    return code


def begin_life(store: Store, arguments: Namespace, terminal: Terminal) -> Life:
    """Set the log of a role's process up; what the role is told at its start."""
    from lfr.host.journal import set_up_logging
    from lfr.host.notify import ServiceManager
    from lfr.runtime.process import Life

    set_up_logging(store.settings.log_level, terminal.err, role=arguments.command)
    return Life(
        arguments.command, ServiceManager.from_environment(), partial(_reload, arguments, store.settings)
    )


def _reload(arguments: Namespace, running: Settings) -> None:
    """Take up the level of the log as it is configured now, and say what else has changed."""
    try:
        settings = settings_of(arguments).settings
    except LfrError as error:
        LOGGER.error("the configuration cannot be used, so nothing changes: %s", error)
        return
    logging.getLogger().setLevel(settings.log_level)
    rows = (setting for setting in table() if setting.attribute != "log_level")
    changed = [
        row.name for row in rows if getattr(settings, row.attribute) != getattr(running, row.attribute)
    ]
    LOGGER.info("the log's level is %s", settings.log_level)
    if changed:
        LOGGER.warning("a restart of the role is needed for what else has changed: %s", ", ".join(changed))


HANDLERS: Handlers = {
    role.name: Handler(partial(_add_arguments, role), partial(_run, role)) for role in ROLES
}
