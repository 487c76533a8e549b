"""A WSGI application served by waitress, within limits, until the process is told to stop."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from types import FrameType
from typing import Any, Final, NamedTuple, TypeAlias

from lfr.errors import BadInput, CannotWrite

Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""As PEP 3333 has it."""

_THREADS: Final = 64
"""For requests and for streams that stay open: more than there are places for streams."""

_MOST_CONNECTIONS: Final = 500
_BACKLOG: Final = 1024
_LARGEST_BODY: Final = 16 * 2**20
_LARGEST_HEADERS: Final = 32_768
_IDLE_SECONDS: Final = 60
_DRAIN_SECONDS: Final = 5.0
_LOOK_EVERY_SECONDS: Final = 2.0


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or (_is_ip(self.host) and ip_address(self.host).is_loopback)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str, default: Address) -> Address:
    """`HOST`, `HOST:PORT`, `:PORT`, `[::1]:PORT`; what is left out is that of `default`. Raises BadInput."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise BadInput(f"{text!r} is no address", hint="HOST:PORT, as 127.0.0.1:5000")
    return Address(host or default.host, int(port) if port else default.port)


def serve(
    app: Application,
    address: Address,
    ready: Callable[[Address], None],
    alive: Callable[[], None] = lambda: None,
    stopping: Callable[[], None] = lambda: None,
    *,
    most_bytes: int = _LARGEST_BODY,
) -> int:
    """Serve until SIGTERM or SIGINT, then let requests end; the exit code. `ready` is called with the
    address once connections are taken (of port 0: with the one that the kernel chose); `alive` every other
    second, if the loop that serves has turned since; `stopping` when it stops, to end what stays open.
    Nothing is kept of a body of more than `most_bytes`.

    Raises CannotWrite if the address cannot be had.
    """
    from lfr.web.waitress_server import Loop  # imports waitress

    listening = _listen(address)
    over = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    loop = Loop(app, listening, _limits(most_bytes))
    threading.Thread(target=loop.run, daemon=True).start()
    ready(Address(address.host, listening[0].getsockname()[1]))
    while not over.wait(_LOOK_EVERY_SECONDS):
        if loop.has_turned():
            alive()
    stopping()
    loop.drain(_DRAIN_SECONDS)
    return 0


def _limits(most_bytes: int) -> dict[str, Any]:
    return {
        "threads": _THREADS,
        "connection_limit": _MOST_CONNECTIONS,
        "max_request_header_size": _LARGEST_HEADERS,
        "max_request_body_size": most_bytes + 1,
        "channel_timeout": _IDLE_SECONDS,
        "channel_request_lookahead": 1,  # so that it is noticed if somebody goes away who is being served
        "ident": None,
        "clear_untrusted_proxy_headers": True,
    }


def _listen(address: Address) -> list[socket.socket]:
    """Sockets that listen at the address: more than one if its name stands for IPv4 and IPv6."""
    sockets: list[socket.socket] = []
    port, reason = address.port, None
    try:
        found = socket.getaddrinfo(address.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, place in found:
            try:
                sockets.append(socket.create_server((str(place[0]), port), family=family, backlog=_BACKLOG))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                reason = error.strerror
            else:
                port = sockets[0].getsockname()[1]
                # Connections have it from here: a reader whose host is gone is given up.
                sockets[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _IDLE_SECONDS * 1000)
    except OSError as error:
        for each in sockets:
            each.close()
        raise CannotWrite(f"cannot listen at {address}: {error.strerror}") from None
    if not sockets:
        raise CannotWrite(f"cannot listen at {address}: {reason}")
    return sockets


_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""A host without IPv6 may know `localhost` by it all the same."""


def own_names(address: Address) -> frozenset[str]:
    """The names under which this machine may be asked."""
    names = {socket.gethostname(), socket.getfqdn(), address.host}
    return frozenset(name.lower() for name in names if name)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
