"""Connections to servers: to an address that was checked, each wait bounded by one deadline.

The name of a host is looked up once, and the connection goes to an address from that look-up: a server of
names that gives another answer a moment later changes nothing.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from lfr.tasks.addresses import Address

AddressCheck: TypeAlias = Callable[[Address], str]
"""Returns why no connection may go to an address, or an empty text."""

_MAX_ADDRESSES: Final = 8
"""How many addresses of a host are tried."""

_LOOKUPS: Final = threading.BoundedSemaphore(64)
"""How many names are looked up at once. A look-up may outlast its request: the system cannot interrupt it."""

_MAX_HEAD: Final = 1024 * 1024
"""Bytes of all heads of a response together: servers may send any number of interim ones before the last."""


class AddressDenied(Exception):
    """A host has no address to which a connection may go; the text says why."""


def connect(host: str, port: int, deadline: float, check: AddressCheck) -> socket.socket:
    """Return a connection to the first address of a host that `check` allows and that accepts it.

    `host` is a name or an address without brackets; `deadline` is a time of `time.monotonic`. Raises
    AddressDenied, socket.gaierror if there is no such host, TimeoutError, and OSError.
    """
    endpoints, reasons = [], []
    for family, endpoint in _look_up(host, port, deadline):
        if reason := check(ipaddress.ip_address(endpoint[0])):
            reasons.append(reason)
        else:
            endpoints.append((family, endpoint))
    if not endpoints:
        raise AddressDenied(reasons[0])
    endpoints = endpoints[:_MAX_ADDRESSES]
    failure: OSError = OSError("no address")
    for number, (family, endpoint) in enumerate(endpoints):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(remaining(deadline) / (len(endpoints) - number))
            connection.connect(endpoint)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def remaining(deadline: float) -> float:
    """Return the seconds until a deadline. Raises TimeoutError after it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _look_up(host: str, port: int, deadline: float) -> list[tuple[socket.AddressFamily, Any]]:
    """Return the addresses of a host as the socket module takes them, each with its family."""
    with suppress(socket.gaierror):
        return _call_getaddrinfo(host, port, socket.AI_NUMERICHOST)
    slots = _LOOKUPS
    if not slots.acquire(timeout=remaining(deadline)):
        raise TimeoutError
    results: SimpleQueue[list[tuple[socket.AddressFamily, Any]] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            results.put(_call_getaddrinfo(host, port, 0))
        except Exception as error:
            results.put(error)
        finally:
            slots.release()

    try:
        threading.Thread(target=look_up, name="look-up", daemon=True).start()
    except RuntimeError:  # the system has no further thread
        slots.release()
        raise OSError("the system has no thread for the look-up") from None
    try:
        result = results.get(timeout=remaining(deadline))
    except Empty:
        raise TimeoutError from None
    if isinstance(result, Exception):
        raise result
    return result


def _call_getaddrinfo(host: str, port: int, flags: int) -> list[tuple[socket.AddressFamily, Any]]:
    """Raises socket.gaierror, also for a name that cannot be one."""
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "no host name") from None
    return [(family, endpoint) for family, _, _, _, endpoint in rows]


class TimedSocket:
    """A connected socket as `http.client` uses it, of which no operation lasts beyond a deadline.

    Raises TimeoutError after it, however little the other side sends at a time. Whoever has connected the
    socket closes it.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._reader = _Reader(connection, deadline)
        self._deadline = deadline

    def sendall(self, content: bytes) -> None:
        """Send everything."""
        rest = memoryview(content)
        while rest:
            self._connection.settimeout(remaining(self._deadline))
            rest = rest[self._connection.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file that the response is read from."""
        return io.BufferedReader(self._reader)

    def end_head(self) -> None:
        """Note that the head of the response has been read: what follows is bounded by its reader."""
        self._reader.head_bytes = None

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the deadline counts."""

    def shutdown(self, how: int) -> None:
        """Do nothing, as `close`."""

    def close(self) -> None:
        """Do nothing: a response may still be read."""


class _Reader(io.RawIOBase):
    """Reads from a socket until a deadline.

    head_bytes  how many bytes of the response's head have been read; None once it has ended
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline
        self.head_bytes: int | None = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(remaining(self._deadline))
        count = self._connection.recv_into(buffer)
        if self.head_bytes is not None:
            self.head_bytes += count
            if self.head_bytes > _MAX_HEAD:
                raise ConnectionError(f"the head of the response has more than {_MAX_HEAD} bytes")
        return count
