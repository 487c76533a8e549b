"""Keeps the claims of a consumer's group, and moves tasks that wait into the queue of the group."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from lfr.store import keys
from lfr.store.processes import EXPIRES_SECONDS
from lfr.store.queues.claims import ClaimConflict, claim, covers
from lfr.store.queues.move import move_unclaimed, sort_queues
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Connection, Store

LOGGER = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 2.0
"""How often to look whether the claims have changed, or tasks are to be moved."""

_RETRY_SECONDS: Final = 0.25
"""How often to try again while a claim may be that of a process that has just died."""


class ClaimKeeper:
    """The claims of one group, kept by one of its processes. Any thread may use it.

    claims  names of tasks, or prefixes such as `request:*`
    """

    def __init__(self, store: Store, group: str, claims: Sequence[str]) -> None:
        self._group = group
        self._claims = tuple(claims)
        self._route_cache = RouteCache(store)
        self._lock = threading.RLock()
        self._version: bytes | None = None
        self._check_at = 0.0
        self._heartbeat: Callable[[], list[Command]] = list

    def take(
        self,
        connection: Connection,
        heartbeat: Callable[[], list[Command]],
        may_wait: Callable[[], bool],
    ) -> None:
        """Claim the tasks, and move those that wait into the queue. `heartbeat` returns commands that tell
        others that this process is alive.

        While a process that holds a claim may just have died, wait until its heartbeat expires, as long as
        `may_wait`. Raises ClaimConflict if it is alive.
        """
        self._heartbeat = heartbeat
        began = time.monotonic()
        while True:
            try:
                self.renew(connection)
                return
            except ClaimConflict as conflict:
                waited = time.monotonic() - began
                is_alive = conflict.heartbeat.age_seconds < waited - _RETRY_SECONDS
                if is_alive or waited > EXPIRES_SECONDS:
                    raise
                if not may_wait():
                    return
                time.sleep(_RETRY_SECONDS)

    def keep(self, connection: Connection) -> None:
        """Every two seconds: claim again if the claims have changed, and move tasks that are to be moved.
        Raises ClaimConflict if another group has taken a claim, because this process seemed to be dead."""
        if not self._lock.acquire(blocking=False):
            return  # another thread does so
        try:
            self._keep(connection)
        finally:
            self._lock.release()

    def _keep(self, connection: Connection) -> None:
        now = time.monotonic()
        if now < self._check_at:
            return
        self._check_at = now + _CHECK_SECONDS
        version, names, unsorted = connection.execute(
            [("GET", keys.CLAIMS_VERSION), ("SMEMBERS", keys.UNCLAIMED), ("SMEMBERS", keys.UNSORTED)]
        )
        if version != self._version:
            self.renew(connection)
        elif unsorted or any(covers(each, name.decode()) for each in self._claims for name in names):
            self._move(connection)

    def renew(self, connection: Connection) -> None:
        """Claim the tasks again, release those that no process of the group does any more, and move tasks.
        Raises ClaimConflict."""
        with self._lock:
            self._version = claim(connection, self._group, self._claims, self._heartbeat()).version
            self._move(connection)

    def _move(self, connection: Connection) -> None:
        """Move tasks into this group's queue, and others out of queues in which they do not belong."""
        moved = move_unclaimed(connection, self._route_cache, self._claims)
        moved += sort_queues(connection, self._route_cache)
        if moved:
            LOGGER.info("%s: %d tasks that waited were moved", self._group, moved)
