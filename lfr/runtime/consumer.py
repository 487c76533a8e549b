"""rqse's `EventListener` interface over a loop that blocks on the stream and takes events in batches.

What rqse promises to a subclass holds here too: `process(id, event)` for each event that
`should_process`, acknowledged if it answers True; `ignore` for the others; `onStart`,
`onEstablished`, `onStop`; `stop()`. The loop is another: it sleeps nowhere, and survives a Redis that
goes away, comes back empty, or falls silent. A role overrides `process_batch` and `on_pass`.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Protocol
from uuid import uuid4

from rqse import EventListener

from lfr import events
from lfr.errors import LfrError, Refused, Unreachable
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import (
    FIRST,
    ConsumerId,
    Entry,
    NoGroup,
    create_group,
    leave_group,
    read_batch,
    reclaim,
    remove_idle_consumers,
    renew_claims,
)
from lfr.values.json import Json

LOGGER = logging.getLogger(__name__)

_LONGEST_BLOCK_SECONDS = 1.0
"""How long a pass waits for events: a stop is noticed within it, and it stays under every time-out."""

LONGEST_BACKOFF_SECONDS = 5.0
"""How long a consumer waits at most before it tries again to reach Redis."""


_FORGOTTEN_AFTER_SECONDS = 3600.0
"""How long a consumer of a group may be silent; a process that has died does not take its leave."""

_FORGET_EVERY_SECONDS = 600.0


class PassObserver(Protocol):
    """Who looks whether a consumer is alive. Called in the consumer's thread."""

    def pass_completed(self, consumer: Consumer, connection: Connection) -> None:
        """A pass is complete. May use the link; raises as that does."""

    def disconnected(self, consumer: Consumer, why: str) -> None:
        """Redis could not be reached, or did not answer in time; another try follows."""


class Consumer(EventListener):
    """A consumer of the stream. One thread runs `listen`; `stop` may be called from any.

    group          the consumer group; every group sees every event
    watcher        who is told of each pass, if there is one
    taken          how many events it has taken
    select         the kinds that `process` is called for; empty: all
    lease_seconds  after this long without a sign of life, what a consumer had read goes to another
    """

    def __init__(
        self, store: Store, group: str, *, select: Sequence[str] = (), lease_seconds: float | None = None
    ) -> None:
        super().__init__(store.stream, group, pool=store.pool, select=list(select))
        self.store = store
        consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._consumer = consumer
        self.id = ConsumerId(store.stream, group, consumer)
        self.lease_seconds = store.settings.lease_seconds if lease_seconds is None else lease_seconds
        self.observer: PassObserver | None = None
        self.event_count = 0
        self._reclaim_at = 0.0
        self._reclaim_from = FIRST
        self._keep_at = 0.0
        self._forget_at = 0.0
        self._done: list[str] = []
        self._at_hand: list[Entry] = []  # the events of the pass that has begun
        self._one_by_one: deque[Entry] = deque()  # those of a pass that has failed

    def listen(self) -> None:
        """Take passes until `stop` is called. Whatever Redis does meanwhile, go on when it is back; and
        whatever an event does, see `_stumble`."""
        self._running = True
        self.onStart()
        backoff = 0.1
        while self.listening:
            self._at_hand = []
            try:
                with self.store.connect() as connection:
                    create_group(connection, self.store.stream, self._group)
                    self._established = True
                    LOGGER.info("%s listens to %s as %s", self._group, self.store.stream, self._consumer)
                    self.onEstablished()
                    while self.listening:
                        self.run_pass(connection)
                        backoff = 0.1
                        if self.observer:
                            self.observer.pass_completed(self, connection)
                    self._leave(connection)
            except NoGroup:
                LOGGER.warning("the group %s is gone from the stream; creating it again", self._group)
            except (Unreachable, Refused) as error:
                LOGGER.error("%s; trying again in %.1f s", error, backoff)
                if self.observer:
                    self.observer.disconnected(self, error.message)
                self.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            except LfrError:
                raise
            except Exception:
                self._stumble()
            self._established = False
        self._running = False
        self.onStop()

    def on_pass(self, connection: Connection) -> float:
        """What is due by the clock, before each read. Returns in how many seconds the next is due."""
        return _LONGEST_BLOCK_SECONDS

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Deal with the events of one pass: here, rqse's interface, one event at a time."""
        for entry in batch:
            try:
                event = events.decode_event(entry.fields)
            except events.Malformed as error:
                LOGGER.warning("event %s cannot be understood: %s", entry.id, error)
                self.acknowledge_later([entry.id])
                continue
            if not self.should_process(event):
                self.ignore(entry.id, event)
            elif self.process(entry.id, event):
                self.acknowledge(entry.id, event)

    def acknowledge(self, id: str, event: Json) -> None:
        """This event has been dealt with."""
        self.acknowledge_later([id])

    def ignore(self, id: str, event: Json) -> None:
        """This event is not ours."""
        self.acknowledge_later([id])

    def acknowledge_later(self, ids: Sequence[str]) -> None:
        """Acknowledge these together with the next read: nothing depends on it being at once."""
        self._done += ids

    def capacity(self) -> int:
        """How many events a pass may take; with 0, `wait_for_capacity` is called instead."""
        return self.store.settings.batch

    def wait_for_capacity(self, seconds: float) -> None:
        """Wait until there may be room, for that long at most."""
        self.sleep(seconds)

    def claimed_ids(self) -> Sequence[str]:
        """The entries that this consumer works on beyond a pass: their claims are kept alive."""
        return ()

    def run_pass(self, connection: Connection) -> None:
        """One turn: what is due by the clock; what others left behind, else what is new; deal with it."""
        due_in = self.on_pass(connection)
        self._keep_claims(connection)
        # Less than the time-out by far: else a server that has nothing to tell seems to be gone.
        longest = min(_LONGEST_BLOCK_SECONDS, self.store.settings.redis_timeout_seconds / 2)
        seconds = min(max(due_in, 0), longest)
        if self.claimed_ids():
            seconds = min(seconds, self.lease_seconds / 4)  # the claims are to be kept in time
        room = self.capacity()
        if not room:
            self.wait_for_capacity(seconds)
            return
        self._at_hand = self._next_batch(connection, room, int(1000 * seconds))
        if self._at_hand:
            self.process_batch(connection, self._at_hand)
            self._at_hand = []

    def _next_batch(self, connection: Connection, room: int, block_ms: int) -> list[Entry]:
        if self._one_by_one:
            return [self._one_by_one.popleft()]
        batch = self._left_behind(connection, room)
        if not batch:
            done, self._done = self._done, []
            batch = read_batch(connection, self.id, count=room, block_ms=block_ms, done=done)
        self.event_count += len(batch)
        return batch

    def _stumble(self) -> None:
        """A pass has met a defect of ours, in the `except` of which this is called.

        One event must not stop all others, and none is to be lost: each of the pass is done by itself, and
        the one that it is stays pending, to be tried again after the lease. Who has no event at hand is
        broken, and says so by what was raised.
        """
        batch = self._at_hand
        if not batch:
            raise
        if len(batch) > 1:
            LOGGER.exception("a defect in lfr; each of these %d events is done by itself", len(batch))
            self._one_by_one.extend(batch)
        else:
            told = (batch[0].id, self._group, self.lease_seconds)
            LOGGER.exception("a defect in lfr; event %s stays pending in %s for %g s", *told)

    def _left_behind(self, connection: Connection, room: int) -> list[Entry]:
        now = time.monotonic()
        if now < self._reclaim_at:
            return []
        idle_ms = int(self.lease_seconds * 1000)
        look = partial(reclaim, connection, self.id, idle_ms=idle_ms, count=room)
        batch, self._reclaim_from = look(start=self._reclaim_from)
        if batch:
            LOGGER.info("%s takes over %d events that were left behind", self._group, len(batch))
        elif self._reclaim_from == FIRST:
            self._reclaim_at = now + self.lease_seconds / 2
            self._forget_the_dead(connection, now)
        return batch

    def _forget_the_dead(self, connection: Connection, now: float) -> None:
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_SECONDS
            remove_idle_consumers(connection, self.id, idle_ms=round(1000 * _FORGOTTEN_AFTER_SECONDS))

    def _keep_claims(self, connection: Connection) -> None:
        now = time.monotonic()
        held = self.claimed_ids()
        if held and now >= self._keep_at:
            self._keep_at = now + self.lease_seconds / 4
            renew_claims(connection, self.id, held)

    def _leave(self, connection: Connection) -> None:
        if self._done:
            read_batch(connection, self.id, count=1, block_ms=1, done=self._done)
            self._done = []
        leave_group(connection, self.id)
