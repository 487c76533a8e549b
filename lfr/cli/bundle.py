"""Runs the bundled Valkey and role processes, with all data in one folder, for `lfr up` and `lfr demo`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lfr.cli.signals import ignore_signals
from lfr.host.child_processes import RoleProcesses
from lfr.host.valkey import ValkeyServer
from lfr.host.valkey_address import write_address

RoleArguments: TypeAlias = Sequence[str]
"""A role and its options, as on a command line."""


@dataclass(slots=True)
class Bundle:
    """A Valkey server, running or not, and the role processes that use it, with all data in one folder."""

    folder: Path
    server: ValkeyServer
    processes: RoleProcesses

    def start_server(self) -> None:
        """Start the server, also one that has died, and write its address to the folder. Raises as
        `ValkeyServer.start`."""
        self.server.start()
        write_address(self.folder, self.server.address, self.server.pid)

    def start_role(self, arguments: RoleArguments) -> None:
        """Start a role process. `--data` makes it use this server, whatever else is configured."""
        self.processes.start([*arguments, "--data", str(self.folder)])


@contextmanager
def running_bundle(
    folder: Path,
    roles: Sequence[RoleArguments],
    processes: RoleProcesses,
    *,
    port: int | None = None,
) -> Iterator[Bundle]:
    """Start the server and the roles, yield them, and in the end stop the roles first, then the server.

    The server listens on a unix socket or, with a `port`, there, with a new password. From the stop on,
    SIGINT, SIGTERM and SIGHUP are ignored. Raises as `ValkeyServer.start`.
    """
    password = "" if port is None else secrets.token_urlsafe(32)
    bundle = Bundle(folder, ValkeyServer(folder, port=port, password=password), processes)
    with ExitStack() as stack:
        # Registered before the start, so that an interruption during the start stops the server, too.
        stack.callback(lambda: bundle.server.stop())
        stack.enter_context(processes)
        stack.callback(ignore_signals)
        bundle.start_server()
        for arguments in roles:
            bundle.start_role(arguments)
        yield bundle
