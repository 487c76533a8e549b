"""Sets up the process of a role or of a task worker: its logging, and the reload of its settings."""

from __future__ import annotations

import logging
from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING

from lfr.cli.ui.options import load_command_settings, read_command_settings
from lfr.cli.ui.terminal import Terminal
from lfr.config.settings import Settings, all_settings
from lfr.errors import LfrError

if TYPE_CHECKING:
    from lfr.runtime.process import RoleContext
    from lfr.store.redis.connection import Store

LOGGER = logging.getLogger(__name__)


def role_context(store: Store, arguments: Namespace, terminal: Terminal) -> RoleContext:
    """Set up the logging of a role's process and return what the role needs to run in it."""
    from lfr.host.journal import set_up_logging
    from lfr.host.systemd import ServiceManager
    from lfr.runtime.process import RoleContext

    set_up_logging(store.settings.log_level, terminal.err, role=arguments.command)
    for sentence in read_command_settings(arguments).ignored:
        LOGGER.warning("%s", sentence)
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
