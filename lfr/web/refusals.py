"""Counts the wrong tokens that each client has sent, and refuses to look at more than some in a minute.

A client is an address, or a network of IPv6: who has one address there has all. A client with a right
token in the last hour is never refused: behind a proxy, and on loopback, all clients
have one address. Nor is a right token that is too long to be guessed.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from lfr.web.client_network import client_network
from lfr.web.problems import HttpError

LOGGER = logging.getLogger(__name__)

_MOST: Final = 20
_WINDOW_SECONDS: Final = 60.0
"""How many wrong tokens a client may send in this time."""

_UNGUESSABLE: Final = 32
"""The length of a token that nobody can guess, however often he tries: those that lfr makes have as many."""

_TRUST_SECONDS: Final = 3600.0

_MOST_CLIENTS: Final = 10_000
"""How many clients are remembered: the ones that sent a token last."""


@dataclass(slots=True)
class _Client:
    """When the window of a client began, its wrong tokens since then, and when its last right token came."""

    began_at: float
    count: int = 0
    right_at: float = float("-inf")


class Refusals:
    """The wrong tokens of all clients of a server, by address. Any thread may call it."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}
        self._lock = threading.Lock()

    def check(self, address: str, *, is_right: bool = False, length: int = 0) -> None:
        """Raise HttpError (429) if a client has sent too many wrong tokens in the last minute. A right token
        that is too long to be guessed is not refused: others at that address could lock its holder out."""
        if is_right and length >= _UNGUESSABLE:
            return
        address = client_network(address)
        now = time.monotonic()
        with self._lock:
            client = self._clients.get(address)
            if client is None or client.count < _MOST or now - client.right_at < _TRUST_SECONDS:
                return
            seconds = client.began_at + _WINDOW_SECONDS - now
        if seconds > 0:
            raise HttpError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{_MOST} wrong tokens came from {address} within a minute",
                {"Retry-After": str(int(seconds) + 1)},
            )

    def note(self, address: str, *, is_right: bool) -> None:
        """Note a token of a client. Log a warning at the first wrong one of a minute, and at the last that
        is looked at."""
        address = client_network(address)
        now = time.monotonic()
        with self._lock:
            client = self._clients.pop(address, None)
            if client is None or (client.count and now - client.began_at >= _WINDOW_SECONDS):
                client = _Client(now, 0, client.right_at if client else float("-inf"))
            self._clients[address] = client  # behind those that sent a token before
            if len(self._clients) > _MOST_CLIENTS:
                del self._clients[next(iter(self._clients))]
            if is_right:
                client.right_at = now
                return
            if not client.count:
                client.began_at = now
            client.count += 1
            count = client.count
        if count in (1, _MOST):
            more = "; no more are looked at in this minute" if count == _MOST else ""
            LOGGER.warning("wrong token from %s: the %d. in a minute%s", address, count, more)
