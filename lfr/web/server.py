"""Serves a WSGI application until the process is told to stop: address, capacity, signals."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from lfr.errors import BadInput, CannotWrite
from lfr.values.checks import HOST

if TYPE_CHECKING:
    from lfr.web.waitress_server import BodyCheck

Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""

MAX_STREAMS: Final = 48
_THREADS: Final = 64
"""More than MAX_STREAMS, so that open streams leave threads for other requests."""

_MAX_CONNECTIONS: Final = 500
_BACKLOG: Final = 1024
_DEFAULT_MAX_BODY: Final = 16 * 2**20
_MAX_HEADERS: Final = 32_768
_MAX_UNREAD_OF_STREAM: Final = 128 * 1024
"""The bytes of a stream that are not read yet beyond which it waits for its reader."""

_MAX_IN_MEMORY: Final = 128 * 1024
"""The bytes of a body, and of a response, that are in memory; a longer one is in a file of the system's
temporary folder."""

_IDLE_SECONDS: Final = 60
_DRAIN_SECONDS: Final = 5.0
_ALIVE_INTERVAL_SECONDS: Final = 2.0


class StreamSlots:
    """Limits the responses that stay open to MAX_STREAMS: each holds a thread and a connection to Redis."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(MAX_STREAMS)
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """Whether the server is stopping, so that all streams must end."""
        return self._closed.is_set()

    def acquire(self) -> bool:
        """Take a slot and return True; return False, without waiting, if none is free or the server stops."""
        return not self.is_closed and self._free.acquire(blocking=False)

    def release(self) -> None:
        """Free a slot that `acquire` has taken."""
        self._free.release()

    def close(self) -> None:
        """Refuse new streams. Open ones end when they next look at `is_closed`."""
        self._closed.set()


class Address(NamedTuple):
    """An address to listen at. As text: `HOST:PORT`, an IPv6 address in brackets."""

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        return self.host == "localhost" or (_is_ip(self.host) and ip_address(self.host).is_loopback)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default: Address) -> Address:
    """Parse `HOST`, `HOST:PORT`, `:PORT`, `[::1]:PORT`; `default` supplies missing parts. Raises BadInput."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise BadInput(f"{text!r} is no address", hint="HOST:PORT, as 127.0.0.1:5000")
    if host and HOST.read(host) is None:
        raise BadInput(f"{text!r} is no address: its host must be {HOST.words}")
    return Address(host or default.host, int(port) if port else default.port)


def serve(
    app: Application,
    address: Address,
    on_ready: Callable[[Address], None],
    on_alive: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
    *,
    may_send_body: BodyCheck = lambda headers, client, protocol: True,
    max_body: int = _DEFAULT_MAX_BODY,
) -> int:
    """Serve until SIGTERM or SIGINT, then finish the open requests for up to 5 seconds. Return 0.

    on_ready  called with the address once the server accepts connections; port 0 becomes the chosen port
    on_alive  called every other second, if the server's loop has made progress since the last call
    on_stop   called when the server stops, to end the responses that stay open
    max_body  bytes that a body may have; a longer one is not stored
    may_send_body  returns whether to read a long body, see WaitressServer

    The callbacks run in the calling thread, which must be the main thread: it installs signal handlers.
    Raises CannotWrite if the server cannot listen at the address.
    """
    from lfr.web.waitress_server import WaitressServer  # imports waitress

    sockets = _listen(address)
    stop_requested = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stop_requested.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server = WaitressServer(app, sockets, _limits(max_body), may_send_body)
    threading.Thread(target=server.run, daemon=True).start()
    on_ready(Address(address.host, sockets[0].getsockname()[1]))
    while not stop_requested.wait(_ALIVE_INTERVAL_SECONDS):
        if server.has_iterated():
            on_alive()
    on_stop()
    server.drain(_DRAIN_SECONDS)
    return 0


def _limits(max_body: int) -> dict[str, Any]:
    return {
        "threads": _THREADS,
        "connection_limit": _MAX_CONNECTIONS,
        "max_request_header_size": _MAX_HEADERS,
        "max_request_body_size": max_body + 1,
        "outbuf_high_watermark": _MAX_UNREAD_OF_STREAM,
        "outbuf_overflow": _MAX_IN_MEMORY,
        "inbuf_overflow": _MAX_IN_MEMORY,
        "channel_timeout": _IDLE_SECONDS,
        "channel_request_lookahead": 1,  # else waitress does not notice that a client has disconnected
        "ident": None,
        "clear_untrusted_proxy_headers": False,  # they say that a proxy is there: `auth` needs to know
    }


def _listen(address: Address) -> list[socket.socket]:
    """Return listening sockets: more than one if the host name resolves to IPv4 and IPv6."""
    sockets: list[socket.socket] = []
    port, reason = address.port, None
    try:
        infos = socket.getaddrinfo(address.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, sockaddr in infos:
            try:
                sockets.append(
                    socket.create_server((str(sockaddr[0]), port), family=family, backlog=_BACKLOG)
                )
            except OSError as error:
                if error.errno not in _UNAVAILABLE:
                    raise
                reason = error.strerror
            else:
                port = sockets[0].getsockname()[1]
                # Connections inherit this option: it closes those whose client host has vanished.
                sockets[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _IDLE_SECONDS * 1000)
    except OSError as error:
        for each in sockets:
            each.close()
        raise CannotWrite(f"cannot listen at {address}: {error.strerror}") from None
    if not sockets:
        raise CannotWrite(f"cannot listen at {address}: {reason}")
    return sockets


_UNAVAILABLE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""`localhost` may resolve to an IPv6 address on a host without IPv6."""


def host_names(address: Address) -> frozenset[str]:
    """Return this machine's host name and full name, and the host that it listens at, in lower case.

    Not `localhost`, which is accepted in any case.
    """
    names = {socket.gethostname(), socket.getfqdn(), address.host}
    return frozenset(name.lower() for name in names if name)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
