"""Keeps the streams short: one lifecycle at a time clears what nobody needs, and moves what nobody does. It
also prunes old workflows, if the settings say so.

It holds the key `workflows:housekeeper`, which expires: if it dies, another lifecycle goes on. To do
twice what is done here does no harm.
"""

from __future__ import annotations

import logging
import math
import time
from typing import Final

from lfr.lifecycle.retention import Retention, retention_rules
from lfr.lifecycle.search_indexer import SearchIndexer
from lfr.store import keys
from lfr.store.hold import hold_key, release_key
from lfr.store.processes import read_heartbeats
from lfr.store.queues.claims import release_lapsed
from lfr.store.queues.move import route_strays, sort_queues
from lfr.store.queues.routes import RouteCache
from lfr.store.queues.unclaimed import forget_foreign_tasks, tidy_index
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.cleanup import StreamCleaner, delete_old_receipts, queue_old_entries
from lfr.store.stream.entries import parse_entries
from lfr.store.stream.groups import FIRST_ID
from lfr.store.stream.read_size import ReadSize

LOGGER = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 0.25
"""How often the bus is cleared: a busy group has many pending entries to read."""

_TIDY_SECONDS: Final = 5.0
"""How often to look for claims that have lapsed and for tasks that are to be moved."""

_HOLD_MS: Final = 10_000
"""After this time without a sign of the housekeeper another lifecycle takes its place."""

_RESCAN_SECONDS: Final = 60.0
"""How often the bus is scanned from its beginning for old events that nobody gives a receipt to."""

_INDEX_PAGE: Final = 1000
"""How many entries of an earlier version are looked at in one pass."""


class Housekeeper:
    """Does the housekeeping, while this process holds the key for it. `name` identifies the process."""

    def __init__(self, store: Store, name: str, route_cache: RouteCache) -> None:
        self._name = name
        self._bus = store.stream
        self._route_cache = route_cache
        self._forget_seconds = store.settings.receipts_forget_seconds
        self._retain_ms = round(1000 * store.settings.events_retain_seconds)
        lease_seconds = store.settings.tasks_lease_seconds
        self._cleaner = StreamCleaner(store.stream, self._forget_seconds, lease_seconds)
        rules = retention_rules(store.settings)
        self._retention = Retention(store, rules) if rules else None
        self._search_indexer = SearchIndexer()
        self._is_holder = False
        self._due_at = 0.0
        self._tidy_at = 0.0
        self._tidied_to = 0
        self._read_size = ReadSize()
        self._scanned_to = FIRST_ID
        self._rescan_at = 0.0
        self._is_indexed = False
        self._indexed_to = "-"
        self._index_again_at = 0.0

    @property
    def due_seconds(self) -> float:
        """In how many seconds old workflows are to be pruned; infinite: this process prunes none."""
        if self._retention is None or not self._is_holder:
            return math.inf
        return self._retention.due_seconds

    def run(self, connection: Connection) -> None:
        """Do what is due: the housekeeping at most every 0.25 s, and a slice of the pruning."""
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + _EVERY_SECONDS
            self._is_holder = hold_key(connection, keys.HOUSEKEEPER, self._name, _HOLD_MS)
            if self._is_holder:
                self._keep_house(connection, now)
        if self._retention is not None and self._is_holder:
            self._retention.run(connection)

    def _keep_house(self, connection: Connection, now: float) -> None:
        if not self._is_indexed:
            self._index_earlier_tasks(connection)
        if self._search_indexer.run(connection):
            self._due_at = 0.0  # go on in the next pass
        self._queue_old_entries(connection, now)
        self._cleaner.clear(connection)
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY_SECONDS
            self._tidy(connection)

    def release(self, connection: Connection) -> None:
        """Let another lifecycle take over at once."""
        release_key(connection, keys.HOUSEKEEPER, self._name)

    def _tidy(self, connection: Connection) -> None:
        if lapsed := release_lapsed(connection):
            LOGGER.warning(
                "no worker of %s has run for a long time: others may do its tasks", ", ".join(lapsed)
            )
        sort_queues(connection, self._route_cache)
        self._tidied_to = tidy_index(connection, self._tidied_to)
        forget_foreign_tasks(connection)
        if time.monotonic() >= self._index_again_at and _has_earlier_version(connection):
            self._index_again_at = time.monotonic() + _RESCAN_SECONDS
            self._is_indexed, self._indexed_to = False, "-"
            connection.call("DEL", keys.IS_INDEXED)
        delete_old_receipts(connection, self._bus, round(1000 * self._forget_seconds))

    def _queue_old_entries(self, connection: Connection, now: float) -> None:
        scanned_to = queue_old_entries(
            connection, self._bus, self._scanned_to, self._retain_ms, self._read_size
        )
        if scanned_to == self._scanned_to and now >= self._rescan_at:
            scanned_to, self._rescan_at = FIRST_ID, now + _RESCAN_SECONDS
        self._scanned_to = scanned_to

    def _index_earlier_tasks(self, connection: Connection) -> None:
        """Index a page of the tasks that a version without queues has left on the bus, or move them into
        queues. (EXISTS, XRANGE; SET)"""
        is_indexed, page = connection.execute(
            [
                ("EXISTS", keys.IS_INDEXED),
                ("XRANGE", self._bus, self._indexed_to, "+", "COUNT", _INDEX_PAGE),
            ]
        )
        entries = parse_entries(page, self._bus)
        if is_indexed or not entries:
            self._is_indexed = True
            connection.call("SET", keys.IS_INDEXED, 1)
            return
        route_strays(connection, self._route_cache, entries)
        self._indexed_to = f"({entries[-1].id}"
        self._due_at = 0.0  # go on in the next pass


def _has_earlier_version(connection: Connection) -> bool:
    """Return whether a process of a version without queues runs: it leaves tasks on the bus."""
    return any(heartbeat.process.claims is None for heartbeat in read_heartbeats(connection))
