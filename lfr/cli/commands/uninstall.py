"""`lfr uninstall`: stop the services and remove what `lfr install` wrote."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.installation import WANTS_FOLDER, add_installation_options, check_host, run_actions
from lfr.cli.ui.options import add_flag
from lfr.cli.ui.terminal import Terminal
from lfr.host.install_plan import TARGET_UNIT, find_changed_units, uninstall_actions
from lfr.host.systemd import is_booted


def _add_arguments(parser: ArgumentParser) -> None:
    add_flag(parser, "--purge", "also remove configuration, changes of units, data of Valkey, logs and users")
    add_installation_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    check_host(arguments, "uninstall")
    enabled = [TARGET_UNIT, *sorted(path.name for path in WANTS_FOLDER.glob("lfr*"))]
    actions = uninstall_actions(
        arguments.prefix,
        enabled,
        purge=arguments.purge,
        is_booted=is_booted(),
        changed_units=find_changed_units(),
    )
    run_actions(list(actions), arguments, terminal)
    if not (arguments.purge or arguments.dry_run):
        terminal.print_err("lfr: configuration and data are still there; lfr uninstall --purge removes them")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Keeps the configuration in /etc/lfr and the data of Valkey, unless --purge is set.",
    (("uninstall", ""), ("uninstall --purge", "configuration, data, logs and users too")),
    (ExitCode.CONFLICT, ExitCode.CANNOT_WRITE, ExitCode.REFUSED),
)
