"""The address of a Valkey server on this machine: a unix socket, or a port of loopback with a password.

A unix socket is for its user alone: the mode of its file says so, and nobody else can reach the server over
the network. A server at a port needs a password, because every user of the machine can connect to loopback.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lfr.host.files import write_atomically

INSTALLED_SOCKET: Final = "/run/lfr-valkey/valkey.sock"
"""The socket of the service lfr-valkey. Its folder is there from the first start of the service on."""

_FILE = "lfr-up.json"
_ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server: the path of its unix socket or, if that is empty, host, port and password."""

    path: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The address as `--url` takes it. It holds the password, if there is one."""
        if self.path:
            return f"unix://{quote(self.path)}"
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """Return a connection to the server. Raises OSError."""
        if not self.path:
            return socket.create_connection((self.host, self.port), _ANSWER_SECONDS)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection


def probe(address: Address) -> bytes:
    """Return the reply to INFO, up to an error; empty if there is no server. PING would not do: a server
    whose disk is full answers it with an error, and serves all the same. (AUTH, INFO)"""
    reply = b""
    with suppress(OSError), address.connect() as connection:
        if address.password:
            connection.sendall(_pack(b"AUTH", address.password.encode()))
            connection.recv(4096)
        for section in (b"server", b"persistence"):
            connection.sendall(_pack(b"INFO", section))
        while b"\nloading:" not in reply and not reply.startswith(b"-"):
            piece = connection.recv(4096)
            if not piece:
                break
            reply += piece
    return reply


def _pack(*arguments: bytes) -> bytes:
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in arguments)


def is_ready(reply: bytes, pid: int) -> bool:
    """Return whether a reply of `probe` is from this process, and its data is loaded."""
    return b"\nprocess_id:%d\r" % pid in reply and b"\nloading:0\r" in reply


def is_serving(address: Address, pid: int) -> bool:
    """Return whether the server at this address has read its data and is this process. (INFO)"""
    return is_ready(probe(address), pid)


def is_reachable(address: Address) -> bool:
    """Return whether a server at this address has read its data. It may refuse to say so. (INFO)"""
    reply = probe(address)
    return b"\nloading:0\r" in reply or reply.startswith((b"-NOAUTH", b"-NOPERM"))


def free_port(preferred: int = 0) -> int:
    """Return a free port of 127.0.0.1: the preferred one if it is free, else one that the kernel chooses.

    It is not reserved: another process may take it first. Raises OSError if no port is free.
    """
    for port in (preferred, 0):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(server.getsockname()[1])
    raise OSError("no port is free")


def write_address(folder: Path, address: Address, pid: int | None) -> None:
    """Write the address of a folder's server, the process `pid`, for other commands of this user. Raises
    CannotWrite."""
    where = {"path": address.path, "host": address.host, "port": address.port, "password": address.password}
    write_atomically(folder / _FILE, json.dumps({**where, "pid": pid}), mode=0o600)


def remove_address(folder: Path) -> None:
    """Remove what `write_address` has written, if it is there. Raises OSError."""
    (folder / _FILE).unlink(missing_ok=True)


def read_address(folder: Path) -> Address | None:
    """Return the address that `write_address` recorded for this folder; None if its server does not run."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((folder / _FILE).read_text())
        address = Address(
            str(record.get("path", "")),
            str(record["host"]),
            int(record["port"]),
            str(record.get("password", "")),
        )
        return address if is_serving(address, int(record["pid"])) else None
    return None


def find_installed_address() -> Address | None:
    """Return the address of the service lfr-valkey; None if this host has not started it. It may be down."""
    return Address(INSTALLED_SOCKET) if os.path.isdir(os.path.dirname(INSTALLED_SOCKET)) else None
