"""A consumer of streams: rqse's `EventListener`, over a loop that blocks and reads in batches.

A subclass can rely on what rqse promises: `process(id, event)` is called for each event that
`should_process` accepts, and the event is acknowledged if it returns True; `ignore` is called for the others;
`onStart`, `onEstablished`, `onStop`, `stop()`. The loop differs: it never sleeps between reads, and it goes
on when Redis was away, came back empty, or did not answer. A role overrides `process_batch` and `on_pass`.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Sequence
from uuid import uuid4

from rqse import EventListener

from lfr import event_fields
from lfr.errors import LfrError, Refused, TooLarge, Unreachable, WrongServer, WrongType
from lfr.event_fields import Malformed
from lfr.runtime.claim_keeper import ClaimKeeper
from lfr.runtime.claim_renewer import ClaimRenewer
from lfr.runtime.pass_observer import PassObserver
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply, Store, transaction
from lfr.store.redis.replicas import RoleConfirmations
from lfr.store.stream.entries import (
    ConsumerId,
    Entry,
    NoGroup,
    acknowledge_command,
    check_reply,
    entry_bytes,
    parse_batch,
    pointed_size,
    read_command,
    settle_commands,
)
from lfr.store.stream.groups import (
    FIRST_ID,
    create_group,
    leave_group,
    note_stream,
    reclaim,
    release_claims,
    remove_idle_consumers,
    renew_claims,
    role_of_group,
)
from lfr.store.stream.read_size import MAX_READ_BYTES, ReadSize, split_by_bytes
from lfr.store.totals import NewTotals
from lfr.values.json import Json
from lfr.values.times import format_timestamp

LOGGER = logging.getLogger(__name__)

_LONGEST_BLOCK_SECONDS = 1.0
"""How long a pass waits for events. A stop is noticed within it; it is shorter than every time-out."""

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
"""The pauses between tries to reach Redis: the first, and the longest; each is twice the one before."""

_IDLE_CONSUMER_SECONDS = 3600.0
"""After this idle time other consumers of the group are removed: a process that dies does not leave it."""

_REMOVE_IDLE_EVERY_SECONDS = 600.0


class Consumer(EventListener):
    """A consumer of one or more streams. One thread runs `listen`; any thread may call `stop`.

    ids            identify it in its group, on each of its streams; `id` is the first of them
    claims         the tasks that its group claims; then its only stream is the queue of the group
    observer       is called after each pass and each outage, if there is one
    event_count    how many events it has read, reclaimed ones included
    totals         what it has counted for the metrics since the last heartbeat
    has_receipts   whether a receipts role ran when it last read
    is_reclaimed   whether the entries of the present batch were read before, by this consumer or another
    lease_seconds  after this time without a renewal its claims go to other consumers
    select         the kinds that `process` is called for; empty: all
    """

    def __init__(
        self,
        store: Store,
        group: str,
        *,
        streams: Sequence[str] = (),
        claims: Sequence[str] = (),
        select: Sequence[str] = (),
        lease_seconds: float | None = None,
    ) -> None:
        key = store.settings.redis_prefix + store.stream  # for rqse's own methods
        super().__init__(key, group, pool=store.pool, select=list(select))
        self.store = store
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        streams = (keys.queue(group),) if claims else streams or (store.stream,)
        self.ids = tuple(ConsumerId(stream, group, self._consumer) for stream in streams)
        self.id = self.ids[0]
        self.claims = tuple(claims)
        self.lease_seconds = store.settings.lease_seconds if lease_seconds is None else lease_seconds
        self.observer: PassObserver | None = None
        self.event_count = 0
        self.totals = NewTotals()
        self.has_receipts = False
        self.is_reclaimed = False
        self._confirmations = RoleConfirmations(store.settings)
        self._claim_keeper = ClaimKeeper(store, group, claims) if claims else None
        self._reclaim_at = 0.0
        self._reclaim_from = dict.fromkeys(self.ids, FIRST_ID)
        self._renew_at = 0.0
        self._pause_seconds = 0.0  # before the next pass
        self._remove_idle_at = 0.0
        self._before_read: list[Command] = []  # commands that go with the next read
        self._to_acknowledge: dict[str, list[str]] = {}  # by stream
        self._batch: list[Entry] = []  # the batch that is being processed
        self._parts: deque[list[Entry]] = deque()  # what was read and is too large for one pass
        self._read_size = ReadSize()
        self._renewer = ClaimRenewer(store, self.ids, self.lease_seconds, self._entries_in_work)
        self._single_entries: deque[Entry] = deque()  # a failed batch, to be processed entry by entry

    def listen(self) -> None:
        """Run passes until `stop` is called, then leave the group. Continues after an outage of Redis, and
        after a defect of lfr that an event has met, see `_isolate_failing_entry`. Raises other defects;
        LfrError, such as CannotWrite, of a pass; and WrongServer if it has not met another server before."""
        self._running = True
        self.onStart()
        backoff = FIRST_BACKOFF_SECONDS
        was_established = False
        self._renewer.start()
        while self.listening:
            self._batch = []
            try:
                with self.store.connect() as connection:
                    self.join(connection)
                    self._established = was_established = True
                    name = role_of_group(self._group)
                    LOGGER.info("%s listens to %s as %s", name, self.id.stream, self._consumer)
                    self.onEstablished()
                    while self.listening:
                        self.run_turn(connection)
                        backoff = FIRST_BACKOFF_SECONDS
                        if self.observer:
                            self.observer.pass_completed(self, connection)
                    self.leave(connection)
                    if self.observer:
                        self.observer.has_left(self)
            except NoGroup:
                LOGGER.warning("the group %s is gone from its stream; creating it again", self._group)
                self._parts.clear()
            except (Unreachable, Refused) as error:
                if isinstance(error, WrongServer) and not was_established:
                    raise
                LOGGER.error("%s; trying again in %.1f s", error, backoff)
                self._parts.clear()  # they are reclaimed, by this consumer or another
                if self.observer:
                    self.observer.disconnected(self, error.message)
                self.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            except (TooLarge, WrongType) as error:
                self._isolate_failing_entry(str(error))
            except LfrError:
                raise
            except Exception:
                self._isolate_failing_entry()
            self._established = False
        self._running = False
        self._renewer.stop()
        self.onStop()

    def join(self, connection: Connection) -> None:
        """Claim the tasks of the group, and create it on each stream. Raises ClaimConflict if another group
        that is alive has claimed one of them: then there is no queue that nobody needs; and WrongServer if
        this database has another bus."""
        note_stream(connection, self.store.stream)
        if self._claim_keeper:
            heartbeat = self.observer.heartbeat_commands if self.observer else list
            self._claim_keeper.take(connection, heartbeat, may_wait=lambda: self.listening)
        for id in self.ids:
            create_group(connection, id.stream, self._group)

    def on_pass(self, connection: Connection) -> float:
        """Do what is due by the clock; called before each read. Return the seconds until the next is due.
        Here: do nothing, and return the longest time that a read waits."""
        return _LONGEST_BLOCK_SECONDS

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Process the entries of a pass. Here: one by one, by `should_process`, then `process` or `ignore`.
        Malformed events are acknowledged, and so are those for which `process` returns True."""
        for entry in batch:
            try:
                event = event_fields.decode_event(entry.fields)
            except Malformed as error:
                LOGGER.warning("event %s cannot be understood: %s", entry.id, error)
                self.settle_later([entry])
                continue
            if not self.should_process(event):
                self.ignore(entry.id, event)
            elif self.process(entry.id, event):
                self.acknowledge(entry.id, event)

    def complete_totals(self, connection: Connection) -> None:
        """Add to `totals` what takes a look into Redis; called before they are stored. Here: nothing."""

    def acknowledge(self, id: str, event: Json) -> None:
        """Acknowledge an event that has been processed, with the next read."""
        self.acknowledge_later([id])

    def ignore(self, id: str, event: Json) -> None:
        """Acknowledge an event that is not for this consumer, with the next read."""
        self.acknowledge_later([id])

    def acknowledge_later(self, ids: Sequence[str], stream: str = "") -> None:
        """Acknowledge these entries of a stream, by default the first, together with the next read, which
        costs no round trip."""
        self._to_acknowledge.setdefault(stream or self.id.stream, []).extend(ids)

    def settle_later(self, entries: Sequence[Entry]) -> None:
        """Settle entries together with the next read: acknowledge those of the bus; those of a stream that
        only this group reads are deleted as well, see `settle_commands`."""
        if not entries:
            return
        at = format_timestamp(time.time())
        for id in self.ids:
            own_ids = [entry.id for entry in entries if entry.stream == id.stream]
            if keys.has_one_group(id.stream):
                self._before_read += settle_commands(id, own_ids, at, has_receipts=self.has_receipts)
            elif own_ids:
                self.acknowledge_later(own_ids, id.stream)

    def process_later(self, entries: Sequence[Entry]) -> None:
        """Leave entries of the present batch to a later pass."""
        self._parts.appendleft(list(entries))

    def send_later(self, commands: Sequence[Command]) -> None:
        """Send these commands together with the next read, before anything is acknowledged."""
        self._before_read += commands

    def acknowledge_now(self, connection: Connection) -> None:
        """Acknowledge the entries that were to be acknowledged later. (XACK)"""
        connection.execute(self._take_commands())

    def _take_commands(self) -> list[Command]:
        """Return the commands that are to go with the next read. They are forgotten.

        Those that write more than acknowledgements are one transaction with them: a Redis without memory
        refuses the former and not the latter. What is refused stays pending, and is processed again.
        """
        commands, self._before_read = self._before_read, []
        to_acknowledge, self._to_acknowledge = self._to_acknowledge, {}
        writes_more = bool(commands)
        for id in self.ids:
            if acknowledged := to_acknowledge.get(id.stream):
                commands.append(acknowledge_command(id, acknowledged))
        return transaction(commands) if writes_more else commands

    def pause_once(self, seconds: float) -> None:
        """Pause before the next pass, so that it reads many events at once: each read has its price, for this
        process and for Redis. For events that nobody waits for."""
        self._pause_seconds = seconds

    def capacity(self) -> int:
        """Return how many events a pass may read. With 0, `wait_for_capacity` is called instead."""
        return self.store.settings.batch

    def wait_for_capacity(self, seconds: float) -> None:
        """Wait until there may be capacity, at most this long."""
        self.sleep(seconds)

    def claimed_ids(self) -> Sequence[str]:
        """Return the ids of entries that are processed beyond a pass: their claims are renewed. Here: ()."""
        return ()

    def execute_read(self, connection: Connection, commands: Sequence[Command]) -> list[Reply]:
        """Send the commands that read a batch and return their replies; the last but one may block."""
        return connection.execute(commands, keep_errors=True)

    def has_written(self, connection: Connection) -> bool:
        """Return whether there is something that replicas are to confirm before the next batch is read."""
        return connection.has_written

    def flag_keys(self) -> tuple[str, ...]:
        """Return the keys whose existence is read together with a batch, see `process_flags`."""
        return (keys.RECEIPTS_ROLE,)

    def process_flags(self, flags: Sequence[bool], batch: Sequence[Entry]) -> None:
        """Note which of the keys of `flag_keys` existed just after this batch was read."""
        self.has_receipts = flags[0]

    def run_turn(self, connection: Connection) -> None:
        """Do what `listen` repeats. Here: run a pass. A consumer may let other threads run passes instead."""
        self.run_pass(connection)

    def run_pass(self, connection: Connection) -> None:
        """Do what is due by the clock, then read a batch and process it: the rest of what an earlier pass has
        read, else reclaimed entries, else new ones."""
        if self._pause_seconds:
            self.sleep(self._pause_seconds)
            self._pause_seconds = 0.0
        due_seconds = self.on_pass(connection)
        self.keep_claims(connection)
        # Far less than the time-out: a server without new entries must not seem to be gone.
        longest = min(_LONGEST_BLOCK_SECONDS, self.store.settings.redis_timeout_seconds / 2)
        block_seconds = min(max(due_seconds, 0), longest)
        if self.claimed_ids():
            block_seconds = min(block_seconds, self.lease_seconds / 4)  # in time to renew the claims
        capacity = self.capacity()
        if not capacity:
            self.wait_for_capacity(block_seconds)
            return
        self._batch = self._next_batch(connection, capacity, int(1000 * block_seconds))
        if self._batch:
            self.process_batch(connection, self._batch)
            self._batch = []

    def renew_group_claims(self, connection: Connection) -> None:
        """Claim the tasks of this group again, and release what no process of it does any more. Raises
        ClaimConflict."""
        if self._claim_keeper:
            self._claim_keeper.renew(connection)

    def keep_claims(self, connection: Connection) -> None:
        """Keep the claims on entries that are processed, and those of the group, if it is time to."""
        self.renew_claims(connection)
        if self._parts or self._single_entries:
            self._renewer.renew(connection)
        if self._claim_keeper:
            self._claim_keeper.keep(connection)

    def renew_claims(self, connection: Connection) -> None:
        """Renew the claims of `claimed_ids` if it is time to."""
        now = time.monotonic()
        ids = self.claimed_ids()
        if ids and now >= self._renew_at:
            self._renew_at = now + self.lease_seconds / 4
            renew_claims(connection, self.id, ids)

    def leave(self, connection: Connection) -> None:
        """Acknowledge what is to be acknowledged, let others reclaim what was read and not processed, and
        leave the group unless entries are still pending."""
        self.acknowledge_now(connection)
        remaining = [entry for part in self._parts for entry in part]
        for id in self.ids:
            release_claims(connection, id, [entry.id for entry in remaining if entry.stream == id.stream])
        for id in self.ids:
            leave_group(connection, id)

    def _next_batch(self, connection: Connection, capacity: int, block_ms: int) -> list[Entry]:
        self.is_reclaimed = True
        if self._single_entries:
            return [self._single_entries.popleft()]
        if self._parts and self._renewer.has_lost_claims():
            self._parts.clear()
        if self._parts:
            return self._parts.popleft()
        self._read_size.look_ahead(connection, [id.stream for id in self.ids])
        count = self._read_size.next_count(capacity)
        received_before = connection.received_bytes
        batch = self._reclaim(connection, count)
        if not batch:
            self.is_reclaimed = False
            received_before = connection.received_bytes
            read = read_command(self.ids, count=count, block_ms=block_ms)
            wait = self._confirmations.commands() if self.has_written(connection) else []
            commands = [*self._take_commands(), *wait, read, ("MGET", *self.flag_keys())]
            connection.has_written = False
            *replies, reply, flags = self.execute_read(connection, commands)
            if wait:
                self._confirmations.note(replies[-1])
            batch = parse_batch(reply)
            self.process_flags([flag is not None for flag in check_reply(flags)], batch)
        self._renewer.begin()
        self.event_count += len(batch)
        size = connection.received_bytes - received_before or sum(map(entry_bytes, batch))
        self._read_size.note(len(batch), size)
        if len(batch) > 1 and size + sum(map(pointed_size, batch)) > MAX_READ_BYTES:
            batch, *rest = split_by_bytes(batch)
            self._parts.extend(rest)
        return batch

    def process_singly(self, entries: Sequence[Entry]) -> None:
        """Process these entries, which stay pending, in the next passes, each in one of its own."""
        self._single_entries.extend(entries)

    def _entries_in_work(self) -> list[Entry]:
        """Return the entries that were read and are not processed yet. Any thread may call it."""
        parts = (entry for part in tuple(self._parts) for entry in part)
        return [*self._batch, *tuple(self._single_entries), *parts]

    def _isolate_failing_entry(self, reason: str = "") -> None:
        """Queue the entries of a failed batch to be processed one by one, so that one event does not stop the
        others. A single entry that fails stays pending, and is reclaimed after the lease. Called in the
        `except` of an error: re-raises it if no entry was being processed. Without a `reason` it is a defect
        of lfr, and the log shows where."""
        batch = self._batch
        if not batch:
            raise
        words, is_defect = reason or "a defect in lfr", not reason
        if len(batch) > 1:
            message = "%s; each of these %d events is done by itself"
            LOGGER.error(message, words, len(batch), exc_info=is_defect)
            self._single_entries.extend(batch)
        else:
            details = (words, batch[0].id, role_of_group(self._group), self.lease_seconds)
            LOGGER.error("%s; event %s stays pending in %s for %g s", *details, exc_info=is_defect)

    def _reclaim(self, connection: Connection, count: int) -> list[Entry]:
        """Take over entries whose lease has ended, if it is time to look for some."""
        now = time.monotonic()
        if now < self._reclaim_at:
            return []
        self.acknowledge_now(connection)  # or it would take over what it has processed itself
        own_ids = set(self.claimed_ids())  # also what ends before the reply has come
        entries: list[Entry] = []
        idle_ms = int(self.lease_seconds * 1000)
        for id, start in self._reclaim_from.items():
            if count > len(entries):
                part, self._reclaim_from[id] = reclaim(
                    connection, id, idle_ms=idle_ms, count=count - len(entries), start=start
                )
                entries += part
        entries = [entry for entry in entries if entry.id not in own_ids or entry.stream != self.id.stream]
        if entries:
            name = role_of_group(self._group)
            LOGGER.info("%s takes over %d events that were left behind", name, len(entries))
        elif set(self._reclaim_from.values()) == {FIRST_ID}:
            self._reclaim_at = now + self.lease_seconds / 2
            if now >= self._remove_idle_at:
                self._remove_idle_at = now + _REMOVE_IDLE_EVERY_SECONDS
                for id in self.ids:
                    remove_idle_consumers(connection, id, idle_ms=round(1000 * _IDLE_CONSUMER_SECONDS))
        return entries
