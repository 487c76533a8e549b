"""The Valkey server that is bundled with lfr: its program, its process, its data folder, its address.

`lfr up` and `lfr demo` run it on a unix socket, with an append-only file in its data folder.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self, TextIO

from lfr.errors import CannotWrite, Conflict, LfrError, NotFound
from lfr.host.append_only_file import Damage, cut_zeros, find_damage
from lfr.host.child_processes import deferred_signals, terminate_with_parent, wait_or_kill
from lfr.host.files import (
    close_to_others,
    find_folder_of_others,
    hold_lock,
    make_folder,
    write_atomically,
    write_lock_holder,
)
from lfr.host.valkey_address import Address, free_port, is_ready, probe, remove_address

LOGGER = logging.getLogger(__name__)

SERVER_VARIABLE = "LFR_VALKEY_SERVER"

_LOCK = "lfr-up.lock"
_SOCKET = "valkey.sock"
_LONGEST_PATH = 100
"""The bytes that the path of a unix socket may have: unix(7) has 108, some systems fewer."""

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_TRIES = 5

_OWN_FILES = ("valkey.log*", "*.lock", "lfr-up.*", "appendonlydir", "appendonlydir/*", "dump.rdb")
"""What lfr and the server keep in a data folder. An earlier version let everybody read it."""


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


class ValkeyServer:
    """A server with its data in a folder. It ends with the process that has started it.

    address  where it listens: by default a unix socket that only this user can connect to. With a `port`, it
             is that port of loopback, or a free one for 0, and `password` is required there
    """

    def __init__(self, data: Path, *, port: int | None = None, password: str = "") -> None:
        self._data = data
        self._log = data / "valkey.log"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None  # if the socket cannot be in the data folder
        self.address = Address(port=port or 0, password=password)

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
        """Start the server and wait until it has read its data. Another start has the same address.

        If a former server, whose parent was killed, still holds the folder, wait until it has ended. Cut off
        zeros that a loss of power has left at the end of the append-only file. Raises NotFound if there is no
        server to run, CannotStart, CannotWrite, and Conflict if the folder or the port is in use.
        """
        server = find_server()
        make_folder(self._data)
        close_to_others(path for pattern in _OWN_FILES for path in self._data.glob(pattern))
        with hold_lock(self._data / "valkey.lock", patience_seconds=_STOP_SECONDS) as lock:
            with suppress(FileNotFoundError):
                self._log.replace(self._log.with_name("valkey.log.1"))  # it may show why the last server died
            if mended := cut_zeros(self._data):
                LOGGER.warning("after a loss of power: %s", mended)
            self._start(server, lock)

    def _start(self, server: Path, lock: TextIO) -> None:
        for number in range(_TRIES):
            self.address = self._next_address(is_first=number == 0)
            with deferred_signals():
                self._process = self._launch(server, lock)
            write_lock_holder(lock, self._process.pid)
            if self._wait_until_ready():
                return
            log = self._log.read_text(errors="replace")
            if not ("in use" in log or "opening Unix socket" in log):
                break
            if self._port:
                raise Conflict(f"port {self._port} is taken", hint="choose another with --port")
        if damage := self._find_damage():
            hint = f"lfr mend {self._data} --cut keeps what stands before, and a copy"
            raise CannotStart(f"{server.name} does not start: {damage}", place=str(self._log), hint=hint)
        raise CannotStart(f"{server.name} does not start: {self._end_of_log()}", place=str(self._log))

    def _next_address(self, *, is_first: bool) -> Address:
        """Return where to listen: where it listened before, if this is the first try of a start."""
        if self._port is not None:
            has_port = self._port or (is_first and self.address.port)
            return replace(self.address, port=has_port or free_port())
        if is_first and self.address.path:
            return self.address
        path = self._data.absolute() / _SOCKET
        if not is_first or len(os.fsencode(path)) > _LONGEST_PATH:  # or a file system without sockets
            with deferred_signals():
                self._socket_folder = self._socket_folder or Path(tempfile.mkdtemp(prefix="lfr-"))
            path = self._socket_folder / _SOCKET
        return Address(str(path))

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
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            wait_or_kill(self._process, _STOP_SECONDS)
            self._process = None
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None

    def _launch(self, server: Path, lock: TextIO) -> subprocess.Popen[bytes]:
        write_atomically(self._log, b"", mode=0o600)
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
        if self.address.path:
            options |= {"unixsocket": self.address.path, "unixsocketperm": "700"}
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        password = self.address.password
        process = subprocess.Popen(
            [str(server), *arguments, *(["-"] if password else [])],
            cwd=self._data,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach the server, which stops last
            preexec_fn=terminate_with_parent(),
            pass_fds=[lock.fileno()],
            umask=0o077,  # socket and data are for this user alone
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as settings:  # everybody can read the arguments
            settings.write(f"requirepass {password}\n".encode() if password else b"")
        return process

    def _wait_until_ready(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            reply = probe(self.address)
            if is_ready(reply, self._process.pid):  # and is not another server that took the port before
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


@contextmanager
def hold_data_folder(folder: Path) -> Iterator[None]:
    """Hold the data folder of `lfr up`, made if need be, for the block; then remove the address in it.

    Raises Conflict if another process holds it, and CannotWrite, also if another user could put something
    else in its place.
    """
    with ExitStack() as stack:
        try:
            make_folder(folder)
            if stranger := find_folder_of_others(folder):
                raise CannotWrite(f"cannot keep data in {folder}: {stranger} belongs to another user")
            if folder.stat().st_mode & stat.S_IWOTH:
                raise CannotWrite(f"everybody can write to {folder}", hint=f"chmod o-w {folder}")
            stack.enter_context(hold_lock(folder / _LOCK))
        except OSError as error:
            raise CannotWrite(f"cannot keep data in {folder}: {error.strerror}") from None
        stack.callback(remove_address, folder)
        yield
