"""Servers for tests: the one that lfr bundles, and Redis where it is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lfr.host.valkey import SERVER_VARIABLE, ValkeyServer
from lfr.host.valkey_address import free_port
from tests.support.waiting import STALL_SECONDS, eventually

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
        server = ValkeyServer(data, port=0)
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


@contextmanager
def running_with(folder: Path, *options: str, is_sentinel: bool = False) -> Iterator[str]:
    """Run a bundled server with these options, which `lfr up` never has, in a folder; yield its URL."""
    path = program("valkey")
    assert path, "there is no valkey"
    port = free_port()
    file = folder / "server.conf"
    file.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n" + "".join(f"{each}\n" for each in options))
    command = [path, str(file), *(["--sentinel"] if is_sentinel else [])]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: _accepts(port) or process.poll() is not None)
        assert process.poll() is None, f"{command} has ended"
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(STALL_SECONDS)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
