"""Servers for tests: the one that lfr bundles, and Redis where it is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lfr.host.valkey import SERVER_VARIABLE, ValkeyServer

KINDS = ("valkey", "redis")


def program(kind: str) -> str | None:
    """Return the path of a kind of server, or None. `build.py test` passes that of the bundled one."""
    return os.environ.get(SERVER_VARIABLE) if kind == "valkey" else shutil.which("redis-server")


@contextmanager
def running(kind: str, data: Path) -> Iterator[ValkeyServer]:
    """Run a server of this kind on a free port."""
    path = program(kind)
    assert path, f"there is no {kind}"
    before = os.environ.get(SERVER_VARIABLE)
    os.environ[SERVER_VARIABLE] = path
    try:
        server = ValkeyServer(data)
        server.start()
    finally:
        if before is None:
            del os.environ[SERVER_VARIABLE]
        else:
            os.environ[SERVER_VARIABLE] = before
    try:
        yield server
    finally:
        server.stop()
