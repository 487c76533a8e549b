"""What `lfr up` and `lfr demo` share: the bundled server and role processes over one folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lfr.host.data_folder import write_address
from lfr.host.role_processes import RoleProcesses
from lfr.host.valkey import ValkeyServer

RoleLine: TypeAlias = Sequence[str]
"""A role and its options, as on a command line."""


@dataclass(slots=True)
class Bundle:
    """A running server and the roles on it, in one folder."""

    folder: Path
    server: ValkeyServer
    children: RoleProcesses

    def start_server(self) -> None:
        """Start the server, and leave word of it in the folder. Raises as `ValkeyServer.start`."""
        self.server.start()
        write_address(self.folder, self.server.address, self.server.pid)

    def start_role(self, line: RoleLine) -> None:
        """Start a role process. It finds the server by the folder, whatever else it is configured to."""
        self.children.start([*line, "--data", str(self.folder)])

    def restart_server(self) -> None:
        """Start the server again where it was. Raises as `ValkeyServer.start`."""
        self.server = ValkeyServer(self.folder, port=self.server.address.port)
        self.start_server()


@contextmanager
def running_bundle(
    folder: Path, roles: Sequence[RoleLine], children: RoleProcesses, *, port: int | None = None
) -> Iterator[Bundle]:
    """Start the server and the roles; stop all of it at the end, roles first, whatever happens meanwhile.

    Raises as `ValkeyServer.start`.
    """
    server = ValkeyServer(folder, port=port)
    bundle = Bundle(folder, server, children)
    with ExitStack() as stack:
        # Registered first: an interruption while it starts is to stop it too.
        stack.callback(lambda: bundle.server.stop())
        stack.enter_context(children)
        stack.callback(_let_nothing_interrupt)
        bundle.start_server()
        for line in roles:
            bundle.start_role(line)
        yield bundle


def _let_nothing_interrupt() -> None:
    """A second Ctrl-C must not cut the clearing up short. From here on the process only ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.SIG_IGN)
