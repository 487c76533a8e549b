"""`lfr mend`: cut a damaged end off the append-only file of a Valkey server that does not start."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from pathlib import Path

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_flag
from lfr.cli.ui.terminal import Terminal
from lfr.errors import CannotWrite, Conflict, NotFound


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the data: that of lfr up, or /var/lib/lfr-valkey")
    add_flag(parser, "--cut", "also cut off what follows a damage in the middle of the file")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    # Before root acts as another user, who may not be able to read the modules.
    from lfr.host.append_only_file import cut_damage, cut_zeros, find_damage
    from lfr.host.files import hold_lock
    from lfr.host.os_user import acting_as_owner

    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise NotFound("there is no such folder", place=arguments.folder)
    lock = folder / "valkey.lock"  # of the server of `lfr up`
    try:
        with acting_as_owner(folder), hold_lock(lock) if os.path.lexists(lock) else nullcontext():
            if mended := cut_zeros(folder):
                terminal.print_err(f"lfr: {mended}")
            damage = find_damage(folder)
            if damage is None:
                return
            if not arguments.cut:
                raise Conflict(str(damage), hint="--cut keeps what stands before, and a copy of the file")
            terminal.print_err(f"lfr: {cut_damage(damage, folder)}")
    except OSError as error:
        raise CannotWrite(f"cannot mend what is in {folder}: {error.strerror}") from None


HANDLER = Handler(
    _add_arguments,
    _run,
    "A loss of power may leave zeros at the end of the file, which Valkey does not read: they are cut off, "
    "and nothing else. With --cut, everything behind the first damage is cut off and lost. A copy of the "
    "file stays in DIR. `lfr up` and lfr-valkey.service cut off zeros themselves. Stop the server first.",
    (("mend ~/.local/share/lfr", ""), ("mend /var/lib/lfr-valkey --cut", "as root")),
    (ExitCode.NOT_FOUND, ExitCode.CONFLICT, ExitCode.CANNOT_WRITE, ExitCode.REFUSED),
)
