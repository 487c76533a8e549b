"""`lfr ROLE`: run a role in this process until it is stopped."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_connection_options, load_command_settings, open_store
from lfr.cli.ui.terminal import Terminal
from lfr.config.settings import Settings, all_settings
from lfr.errors import LfrError
from lfr.runtime.role_table import ROLES, Role

if TYPE_CHECKING:
    from lfr.runtime.process import RoleContext
    from lfr.store.redis.connection import Store

LOGGER = logging.getLogger(__name__)


def _add_arguments(role: Role, parser: ArgumentParser) -> None:
    for option in role.options:
        is_positional = not option.flag.startswith("-")
        default = f" (default: {option.default:g})" if isinstance(option.default, float) else ""
        parser.add_argument(
            option.flag,
            nargs="?" if is_positional else None,
            type=option.type,
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


def role_context(store: Store, arguments: Namespace, terminal: Terminal) -> RoleContext:
    """Set up the logging of a role's process and return what the role needs to run in it."""
    from lfr.host.journal import set_up_logging
    from lfr.host.systemd import ServiceManager
    from lfr.runtime.process import RoleContext

    set_up_logging(store.settings.log_level, terminal.err, role=arguments.command)
    reload = partial(_reload, arguments, store.settings)
    return RoleContext(arguments.command, ServiceManager.from_environment(), reload)


def _reload(arguments: Namespace, running: Settings) -> None:
    """Load the settings again: apply the log level, and log which other changes need a restart."""
    try:
        settings = load_command_settings(arguments).settings
    except LfrError as error:
        LOGGER.error("the configuration is not valid, so nothing changes: %s", error)
        return
    logging.getLogger().setLevel(settings.log_level)
    changed = [
        setting.name
        for setting in all_settings()
        if setting.attribute != "log_level"
        and getattr(settings, setting.attribute) != getattr(running, setting.attribute)
    ]
    LOGGER.info("the log's level is %s", settings.log_level)
    if changed:
        LOGGER.warning("restart the role to apply the changes of: %s", ", ".join(changed))


_DESCRIPTION = (
    "Runs until SIGTERM or Ctrl-C, and then finishes the work it has begun. While Redis is away it waits. "
    "Any number of processes of a role may run at the same time. It logs to stderr."
)

HANDLERS: Handlers = {
    role.name: Handler(
        partial(_add_arguments, role),
        partial(_run, role),
        _DESCRIPTION,
        ((role.name, ""), (f"{role.name} --url redis://queue.example:6379", "another server")),
        (ExitCode.BAD_INPUT, ExitCode.CANNOT_WRITE, ExitCode.BAD_SETTINGS),
    )
    for role in ROLES
}
