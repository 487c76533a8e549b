"""A port for a server of ours."""

from __future__ import annotations

import socket


def free_port(usual: int = 0) -> int:
    """A port of 127.0.0.1 that nobody listens at now: the usual one if it is free, else one of the kernel's
    choice."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free")
