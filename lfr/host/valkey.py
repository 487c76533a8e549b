"""The Valkey server that is bundled with lfr: its program, its process, its data folder, its address.

`lfr up` and `lfr demo` run it on loopback, with an append-only file in its data folder.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from lfr.errors import CannotWrite, Conflict, LfrError, NotFound
from lfr.host.append_only_file import Damage, cut_zeros, find_damage
from lfr.host.child_processes import deferred_signals, terminate_with_parent, wait_or_kill
from lfr.host.files import hold_lock, write_atomically, write_lock_holder

LOGGER = logging.getLogger(__name__)

SERVER_VARIABLE = "LFR_VALKEY_SERVER"

_LOCK = "lfr-up.lock"
_ADDRESS = "lfr-up.json"

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_TRIES = 5
_ANSWER_SECONDS = 1.0


class CannotStart(LfrError):
    """The server does not start; the message says why, as far as its log shows."""


def find_server() -> Path:
    """Return the program of LFR_VALKEY_SERVER, else the bundled one, else one on PATH.

    Raises NotFound, also if LFR_VALKEY_SERVER names no program.
    """
    name = os.environ.get(SERVER_VARIABLE)
    if name:
        program = shutil.which(name)
        if program is None:
            raise NotFound(f"{SERVER_VARIABLE} names {name}, which is no program")
        return Path(program)
    bundled = _bundled()
    for candidate in (shutil.which(bundled), shutil.which("valkey-server"), shutil.which("redis-server")):
        if candidate:
            return Path(candidate)
    hint = f"install valkey or redis, or name a server with {SERVER_VARIABLE}"
    if bundled.exists():
        raise NotFound(f"no program may be run in {bundled.parent} (mounted noexec?)", hint=hint)
    raise NotFound(f"no Valkey server is bundled for {platform.machine()}, and none is installed", hint=hint)


def find_bundled_server() -> Path:
    """Return the bundled program for this CPU. Raises NotFound."""
    bundled = _bundled()
    if not bundled.is_file():
        raise NotFound(f"no Valkey server is bundled for {platform.machine()}")
    return bundled


def _bundled() -> Path:
    return Path(__file__).parent / "servers" / platform.machine() / "valkey-server"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Return the address as `--url` takes it."""
        return f"redis://{self.host}:{self.port}"


class ValkeyServer:
    """A server with its data in a folder, on a port or, if that is None, on a free one.

    The free one is `preferred_port` if no other program uses it. The server ends with the process that has
    started it.
    """

    def __init__(self, data: Path, *, port: int | None = None, preferred_port: int = 0) -> None:
        self._data = data
        self._log = data / "valkey.log"
        self._port = port
        self._preferred_port = preferred_port
        self._process: subprocess.Popen[bytes] | None = None
        self.address = Address("127.0.0.1", port or 0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Return the id of the server's process, or None if it was not started or is stopped."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the server, on a free port unless one is set, and wait until it has read its data.

        If a former server, whose parent was killed, still holds the folder, wait until it has ended. Cut off
        zeros that a loss of power has left at the end of the append-only file. Raises NotFound if there is no
        server to run, CannotStart, CannotWrite, and Conflict if the folder or the port is in use.
        """
        server = find_server()
        self._data.mkdir(parents=True, exist_ok=True)
        with hold_lock(self._data / "valkey.lock", patience_seconds=_STOP_SECONDS) as lock:
            with suppress(FileNotFoundError):
                self._log.replace(self._log.with_name("valkey.log.1"))  # it may show why the last server died
            if mended := cut_zeros(self._data):
                LOGGER.warning("after a loss of power: %s", mended)
            self._start(server, lock)

    def _start(self, server: Path, lock: TextIO) -> None:
        for _ in range(_TRIES):
            self.address = Address(self.address.host, self._port or free_port(self._preferred_port))
            with deferred_signals():
                self._process = self._launch(server, lock)
            write_lock_holder(lock, self._process.pid)
            if self._wait_until_ready():
                return
            if "in use" not in self._log.read_text(errors="replace"):
                break
            if self._port:
                raise Conflict(f"port {self._port} is taken", hint="choose another with --port")
        if damage := self._find_damage():
            hint = f"lfr mend {self._data} --cut keeps what stands before, and a copy"
            raise CannotStart(f"{server.name} does not start: {damage}", place=str(self._log), hint=hint)
        raise CannotStart(f"{server.name} does not start: {self._end_of_log()}", place=str(self._log))

    def _find_damage(self) -> Damage | None:
        with suppress(OSError):
            if "Bad file format" in self._log.read_text(errors="replace"):
                return find_damage(self._data)
        return None

    def is_running(self) -> bool:
        """Return whether the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the server, which writes its data first; kill it after 20 s. Do nothing if it does not run."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        wait_or_kill(self._process, _STOP_SECONDS)
        self._process = None

    def _launch(self, server: Path, lock: TextIO) -> subprocess.Popen[bytes]:
        self._log.write_bytes(b"")
        options = {
            "bind": self.address.host,
            "port": str(self.address.port),
            "dir": str(self._data),
            "logfile": self._log.name,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "hz": "100",  # how often a second the server ends timed-out reads: delays must not end late
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        return subprocess.Popen(
            [str(server), *arguments],
            cwd=self._data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach the server, which stops last
            preexec_fn=terminate_with_parent(),
            pass_fds=[lock.fileno()],
        )

    def _wait_until_ready(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            reply = _probe(self.address)
            if _is_ready(reply, self._process.pid):  # and is not another server that took the port before
                return True
            if b"\nloading:1\r" in reply:  # the time that this takes depends on the data
                deadline = time.monotonic() + _START_SECONDS
            time.sleep(0.01)
        self.stop()
        return False

    def _end_of_log(self) -> str:
        with suppress(OSError):
            lines = self._log.read_text(errors="replace").splitlines()
            warnings = [line for line in lines if "#" in line] or lines
            return warnings[-1].strip()[:300] if warnings else "its log is empty"
        return "its log cannot be read"


def is_serving(address: Address, pid: int) -> bool:
    """Return whether the server at this address has read its data and is this process. (INFO)"""
    return _is_ready(_probe(address), pid)


def is_reachable(address: Address) -> bool:
    """Return whether a server at this address has read its data. It may refuse to say so. (INFO)"""
    reply = _probe(address)
    return b"\nloading:0\r" in reply or reply.startswith((b"-NOAUTH", b"-NOPERM"))


def _probe(address: Address) -> bytes:
    """Return the reply to INFO, up to an error; empty if there is no server. PING would not do: a server
    whose disk is full answers it with an error, and serves all the same."""
    reply = b""
    target = (address.host, address.port)
    with suppress(OSError), socket.create_connection(target, _ANSWER_SECONDS) as connection:
        for section in (b"server", b"persistence"):
            connection.sendall(b"*2\r\n$4\r\nINFO\r\n$%d\r\n%b\r\n" % (len(section), section))
        while b"\nloading:" not in reply and not reply.startswith(b"-"):
            piece = connection.recv(4096)
            if not piece:
                break
            reply += piece
    return reply


def _is_ready(reply: bytes, pid: int) -> bool:
    return b"\nprocess_id:%d\r" % pid in reply and b"\nloading:0\r" in reply


def free_port(preferred: int = 0) -> int:
    """Return a free port of 127.0.0.1: the preferred one if it is free, else one that the kernel chooses.

    It is not reserved: another process may take it first. Raises OSError if no port is free.
    """
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free")


@contextmanager
def hold_data_folder(folder: Path) -> Iterator[None]:
    """Hold the data folder of `lfr up`, made if need be, for the block; then remove the address in it.

    Raises Conflict if another process holds it, and CannotWrite.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(hold_lock(folder / _LOCK))
        except OSError as error:
            raise CannotWrite(f"cannot keep data in {folder}: {error.strerror}") from None
        stack.callback((folder / _ADDRESS).unlink, missing_ok=True)
        yield


def write_address(folder: Path, address: Address, pid: int | None) -> None:
    """Write the address of a folder's server, the process `pid`, for other commands. Raises CannotWrite."""
    record = {"host": address.host, "port": address.port, "pid": pid}
    write_atomically(folder / _ADDRESS, json.dumps(record))


def read_address(folder: Path) -> str | None:
    """Return the URL of the server that `write_address` recorded for this folder; None if it does not run."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((folder / _ADDRESS).read_text())
        address = Address(str(record["host"]), int(record["port"]))
        return address.url if is_serving(address, int(record["pid"])) else None
    return None
