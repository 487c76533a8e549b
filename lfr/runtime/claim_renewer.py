"""Renews the claims on the entries that a consumer processes while a pass takes long.

A pass that takes longer than the lease would lose its entries to another consumer, which would need as long
for them: so both would do the same for ever. A pass that hangs must not keep them for ever: it keeps them for
sixty leases. Claims that this process may have lost, because it stood still for longer than the lease, are
not taken back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from lfr.errors import Refused, Unreachable
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import ConsumerId, Entry, NoGroup
from lfr.store.stream.groups import renew_claims

_MAX_LEASES: Final = 60
"""For how many leases a pass keeps its entries."""

_LEAST_SECONDS: Final = 0.05


class ClaimRenewer:
    """Renews the claims of one consumer, in a thread of its own between `start` and `stop`.

    entries  returns the entries that the consumer has read and not processed; any thread may call it
    """

    def __init__(
        self,
        store: Store,
        ids: Sequence[ConsumerId],
        lease_seconds: float,
        entries: Callable[[], Sequence[Entry]],
    ) -> None:
        self._store = store
        self._ids = ids
        self._lease_seconds = lease_seconds
        self._entries = entries
        self._claimed_at = 0.0  # when the claims were last made or renewed
        self._begun_at = 0.0
        self._is_stopped = threading.Event()

    def start(self) -> None:
        """Start the thread. Raises RuntimeError if the system has none."""
        threading.Thread(target=self._run, name="claims", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._is_stopped.set()

    def begin(self) -> None:
        """Note that the consumer has just read entries."""
        self._claimed_at = self._begun_at = time.monotonic()

    def has_lost_claims(self) -> bool:
        """Return whether other consumers may have reclaimed the entries."""
        return time.monotonic() - self._claimed_at > self._lease_seconds

    def renew(self, connection: Connection) -> None:
        """Renew the claims if it is time to and they are not lost. Raises NoGroup. (XCLAIM JUSTID)"""
        age = time.monotonic() - self._claimed_at
        if not self._lease_seconds / 4 <= age <= self._lease_seconds:
            return
        entries = self._entries()
        if entries and time.monotonic() - self._begun_at <= _MAX_LEASES * self._lease_seconds:
            at = time.monotonic()
            for id in self._ids:
                renew_claims(connection, id, [entry.id for entry in entries if entry.stream == id.stream])
            self._claimed_at = at

    def _run(self) -> None:
        while not self._is_stopped.wait(max(self._lease_seconds / 4, _LEAST_SECONDS)):
            if self._entries():
                # Without a connection, or without the group, the consumer itself finds out.
                with suppress(Unreachable, Refused, NoGroup), self._store.connect() as connection:
                    self.renew(connection)
