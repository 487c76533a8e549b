"""The server that comes with lfr: found, started, stopped.

`lfr up` and `lfr demo` run it on loopback, with an append-only file in its data folder.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from lfr.errors import Conflict, LfrError, NotFound
from lfr.host.child_process import deferred_signals, terminate_with_parent
from lfr.host.folder_lock import hold_lock, write_lock_holder
from lfr.host.ports import free_port

VARIABLE = "LFR_VALKEY_SERVER"

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_TRIES = 5
_ANSWER_SECONDS = 1.0


class CannotStart(LfrError):
    """The server does not start; the message says why, as far as its log tells."""


def find_server() -> Path:
    """The program to run: the one that `LFR_VALKEY_SERVER` names, else the bundled one for this CPU, else one
    on the PATH. Raises NotFound."""
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise NotFound(f"{VARIABLE} names {named}, which is no program")
        return Path(found)
    cpu = platform.machine()
    bundled = _bundled(cpu)
    for candidate in (shutil.which(bundled), shutil.which("valkey-server"), shutil.which("redis-server")):
        if candidate:
            return Path(candidate)
    hint = f"install valkey or redis, or name a server with {VARIABLE}"
    if bundled.exists():
        raise NotFound(f"no program may be run in {bundled.parent} (mounted noexec?)", hint=hint)
    raise NotFound(f"no Valkey server is bundled for {cpu}, and none is installed", hint=hint)


def find_bundled_server() -> Path:
    """The program that comes with lfr for this CPU. Raises NotFound."""
    bundled = _bundled(platform.machine())
    if not bundled.is_file():
        raise NotFound(f"no Valkey server is bundled for {platform.machine()}")
    return bundled


def _bundled(cpu: str) -> Path:
    return Path(__file__).parent / "servers" / cpu / "valkey-server"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """As `--url` takes it."""
        return f"redis://{self.host}:{self.port}"


class ValkeyServer:
    """A server with its data in a folder. It dies with the process that has started it."""

    def __init__(self, data: Path, *, port: int | None = None) -> None:
        self._data = data
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.address = Address("127.0.0.1", port or 0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the server and wait until it has read its data and answers.

        On a port of the kernel's choice, unless one was given. The folder is the server's for as long as it
        lives: one whose parent was killed is waited for until it has ended. Raises NotFound without a
        server to run, CannotStart, and Conflict if the folder or the given port is taken.
        """
        server = find_server()
        self._data.mkdir(parents=True, exist_ok=True)
        with hold_lock(self._data / "valkey.lock", patience_seconds=_STOP_SECONDS) as lock:
            with suppress(FileNotFoundError):
                self._log.replace(self._log.with_name("valkey.log.1"))  # it may tell why it had died
            self._start(server, lock)

    def _start(self, server: Path, lock: TextIO) -> None:
        for _ in range(_TRIES):
            self.address = Address(self.address.host, self._port or free_port())
            with deferred_signals():
                self._process = self._launch(server, lock)
            write_lock_holder(lock, self._process.pid)
            if self._wait_until_it_answers():
                return
            if "in use" not in self._log.read_text(errors="replace"):
                break
            if self._port:
                raise Conflict(f"port {self._port} is taken", hint="choose another with --port")
        raise CannotStart(f"{server.name} does not start: {self._end_of_log()}", place=str(self._log))

    def is_running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the server; it writes what it holds first. Does nothing if it does not run."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def _log(self) -> Path:
        return self._data / "valkey.log"

    def _launch(self, server: Path, lock: TextIO) -> subprocess.Popen[bytes]:
        self._log.write_bytes(b"")
        options = {
            "bind": self.address.host,
            "port": str(self.address.port),
            "dir": str(self._data),
            "logfile": self._log.name,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "hz": "100",  # it wakes readers that have waited long enough so often: delays end in time
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        return subprocess.Popen(
            [str(server), *arguments],
            cwd=self._data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is ours to hear: the server stops last
            preexec_fn=terminate_with_parent(),
            pass_fds=[lock.fileno()],
        )

    def _wait_until_it_answers(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            told = _ask(self.address)
            if _is_ready(told, self._process.pid):  # and not another that was quicker to take the port
                return True
            if told.startswith(b"-LOADING"):  # that takes as long as there is data
                deadline = time.monotonic() + _START_SECONDS
            time.sleep(0.01)
        self.stop()
        return False

    def _end_of_log(self) -> str:
        with suppress(OSError):
            lines = self._log.read_text(errors="replace").splitlines()
            told = [line for line in lines if "#" in line] or lines
            return told[-1].strip()[:300] if told else "it says nothing"
        return "it says nothing"


def is_serving(address: Address, pid: int) -> bool:
    """Whether a server listens there that has finished loading, and is this process. (PING, INFO)"""
    return _is_ready(_ask(address), pid)


def is_reachable(address: Address) -> bool:
    """Whether a server of Redis' protocol answers there and has read its data. One that wants a password
    first counts too. (PING)"""
    return _ask(address).startswith((b"+PONG", b"-NOAUTH"))


def _ask(address: Address) -> bytes:
    """What a server there says to PING and INFO; nothing if there is none. An error ends the answer."""
    told = b""
    with suppress(OSError), socket.create_connection((address.host, address.port), _ANSWER_SECONDS) as link:
        link.sendall(b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")
        while b"process_id:" not in told and not told.startswith(b"-"):
            piece = link.recv(4096)
            if not piece:
                break
            told += piece
    return told


def _is_ready(told: bytes, pid: int) -> bool:
    return told.startswith(b"+PONG") and b"process_id:%d\r" % pid in told
