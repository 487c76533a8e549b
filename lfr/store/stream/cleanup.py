"""Clears the bus of entries that no consumer group needs any more.

The zset `receipts:logged` names the entries to clear: an event with its receipt, once a lifecycle has read
the receipt; an event that a lifecycle has processed while nobody reads receipts; and old entries that nobody
gives a receipt to, which are users' own events and tasks that no worker has read while their attempt was
current.

They are deleted when every group has read past them and has none of them pending: then no consumer can miss
them. A group counts as long as one of its consumers has been active within `receipts.forget` seconds. Pending
entries older than that hold nothing back. Nor do those that a foreign consumer has left pending: it is alive,
and for `tasks.lease` seconds it has neither acknowledged them nor claimed them again. Workers for
littleflow_redis leave the tasks of others so. Their groups would slow down without an end, because they look
through all of their pending entries in each turn.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import NamedTuple

from lfr import event_fields, events
from lfr.event_fields import Malformed
from lfr.store import keys
from lfr.store.queues.routes import OWN_GROUPS
from lfr.store.redis.connection import TIME, Command, Connection, parse_time_ms, read_time_ms
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import (
    Entry,
    flatten_pairs,
    parse_entries,
    parse_pairs,
)
from lfr.store.stream.groups import Group, call_group, read_groups
from lfr.store.stream.read_size import ReadSize
from lfr.store.workflows.attempt_status import are_current
from lfr.values.json import InvalidJson, decode_json
from lfr.values.stream_id import StreamId
from lfr.values.times import parse_timestamp

_MAX_MEMBERS = 5000
"""How many members of the queue are looked at in one round."""

_MAX_ROUNDS = 20

_PENDING_PAGE = 1000

_LAST_SEQUENCE = 2**64 - 1
"""The largest sequence of an entry id."""

_MAX_ENTRIES = 200
"""How many of the oldest entries are looked at in one pass: they are read whole."""


class LoggedReceipt(NamedTuple):
    """The ids of a receipt and of its event. An entry without a receipt stands as both."""

    receipt: str
    event: str

    def ids(self) -> list[StreamId]:
        """Return both ids, that of the receipt first."""
        return [StreamId.parse(self.receipt), StreamId.parse(self.event)]


def queue_old_entries(connection: Connection, stream: str, after: str, retain_ms: int, size: ReadSize) -> str:
    """Queue entries to be cleared that are older than `retain_ms` and that nobody gives a receipt to: users'
    events, and start-tasks of attempts that are not current.

    Looks at up to 200 entries behind the id `after`, fewer if they are large, and returns the id of the last
    one that it has looked at, or `after` if it has looked at none. (TIME, XRANGE; HGET; ZADD)
    """
    now_ms = read_time_ms(connection)
    newest_ms = now_ms - retain_ms
    last_ahead = max(StreamId.parse(after), StreamId(now_ms, _LAST_SEQUENCE))
    count = size.next_count(_MAX_ENTRIES)
    commands: list[Command] = [("XRANGE", stream, f"({last_ahead}", "+", "COUNT", count)]
    if StreamId.parse(after).ms < newest_ms:
        commands.append(("XRANGE", stream, f"({after}", newest_ms, "COUNT", count))
    ahead, *old = connection.execute(commands)
    entries = [entry for page in old for entry in parse_entries(page)]
    later_entries = parse_entries(ahead)
    size.note_entries([*entries, *later_entries])
    if not entries:
        entries = [*takewhile(lambda each: _written_ms(each, now_ms) <= newest_ms, later_entries)]
    kinds = {entry.id: event_fields.peek_kind(entry.fields) for entry in entries}
    ids = [id for id, kind in kinds.items() if kind is not None and kind not in events.OWN_KINDS]
    ids += _find_obsolete_tasks(connection, entries)
    if ids:
        connection.execute([queue_command([LoggedReceipt(id, id) for id in ids])])
    return entries[-1].id if entries else after


def _written_ms(entry: Entry, now_ms: int) -> int:
    """Return when an entry was written, in milliseconds since the epoch: by its id or, if that is ahead of
    the clock, because the clock has gone back, by the event's own time; 0 if that is missing."""
    id_ms = StreamId.parse(entry.id).ms
    if id_ms <= now_ms:
        return id_ms
    with suppress(InvalidJson):
        return parse_timestamp(decode_json(entry.fields.get(b"at", b"null"))) or 0
    return 0


def queue_command(receipts: Sequence[LoggedReceipt]) -> Command:
    """Return the command that queues these receipts and events to be cleared; one at least. (ZADD)"""
    pairs = ((StreamId.parse(each.receipt).ms, " ".join(each)) for each in receipts)
    return ("ZADD", keys.LOGGED_RECEIPTS, *flatten_pairs(pairs))


def _find_obsolete_tasks(connection: Connection, entries: Sequence[Entry]) -> list[str]:
    """Return the ids of the start-task entries whose attempt is not current. (HGET)"""
    tasks: dict[str, events.StartTask] = {}
    for entry in entries:
        if event_fields.peek_kind(entry.fields) == events.START_TASK:
            with suppress(Malformed):  # the lifecycle copies it to the dead letters
                values = event_fields.decode(event_fields.without_large_values(entry.fields))
                tasks[entry.id] = events.parse_start_task(values)
    current = are_current(connection, list(tasks.values()), list(tasks))
    return [id for id, is_current in zip(tasks, current, strict=True) if not is_current]


class StreamCleaner:
    """Deletes queued entries that no active group needs, see `clear`. A group is active if a consumer of it
    was so within `forget_seconds`, or if it has none and the cleaner first saw it within that time. Groups
    that have claimed tasks do not count: they read their queues. A consumer that was active within
    `lease_seconds` is alive."""

    def __init__(self, bus: str, forget_seconds: float, lease_seconds: float) -> None:
        self._bus = bus
        self._forget_seconds = forget_seconds
        self._lease_ms = lease_seconds * 1000
        self._first_seen: dict[bytes, float] = {}

    def clear(self, connection: Connection) -> None:
        """Delete the queued entries that every active group has read and has not pending.

        A pending entry older than `forget_seconds` does not hold it back, nor one that its consumer has left.
        Those are acknowledged in its place. At most 20 rounds of 5000, each a transaction, so that a pass
        stays short. (ZRANGE, XINFO, TIME, XPENDING; MULTI/EXEC: XDEL, ZREM, XACK)
        """
        for _ in range(_MAX_ROUNDS):
            members = connection.call("ZRANGE", keys.LOGGED_RECEIPTS, 0, _MAX_MEMBERS - 1)
            queued = [LoggedReceipt(*member.decode().split(" ")) for member in members]
            unneeded, abandoned = self._find_unneeded(connection, queued) if queued else ([], {})
            if not unneeded:
                return
            ids = list(dict.fromkeys(id for each in unneeded for id in each))
            cleared = (" ".join(each) for each in unneeded)
            commands: list[Command] = [("XDEL", self._bus, *ids), ("ZREM", keys.LOGGED_RECEIPTS, *cleared)]
            for group, pending_ids in abandoned.items():
                if to_acknowledge := pending_ids.intersection(ids):
                    commands.append(("XACK", self._bus, group, *sorted(to_acknowledge)))
            connection.transact(commands)
            if len(members) < _MAX_MEMBERS:
                return

    def _find_unneeded(
        self, connection: Connection, queued: Sequence[LoggedReceipt]
    ) -> tuple[list[LoggedReceipt], dict[bytes, set[str]]]:
        """Return the queued pairs that every active group has read and none has pending, and by group the ids
        that foreign consumers have left pending."""
        groups = self._read_active_groups(connection)
        read_by_all = min((group.last_delivered for group, _ in groups), default=None)
        past = [each for each in queued if read_by_all is None or max(each.ids()) <= read_by_all]
        oldest_ms = read_time_ms(connection) - int(self._forget_seconds * 1000)
        pending: set[str] = set()
        abandoned: dict[bytes, set[str]] = {}
        for group, living in groups:
            if past and group.pending:
                abandoned_ids: set[str] = set()
                for id, name, idle_ms, _ in self._read_pending(connection, group.raw_name, past, oldest_ms):
                    is_abandoned = name in living and idle_ms > self._lease_ms
                    (abandoned_ids if is_abandoned else pending).add(id.decode())
                abandoned[group.raw_name] = abandoned_ids
        return [each for each in past if pending.isdisjoint(each)], abandoned

    def _read_active_groups(self, connection: Connection) -> list[tuple[Group, set[bytes]]]:
        """Return the active groups, each with the names of its consumers that are alive; without names if it
        is a group of lfr's roles, which leave nothing pending. (HVALS, XINFO)"""
        claimants = set(connection.call("HVALS", keys.CLAIMS))
        groups = {group.raw_name: group for group in read_groups(connection, self._bus)}
        groups = {name: group for name, group in groups.items() if name not in claimants}
        pipeline = Pipeline(connection)
        consumers = {name: pipeline.add("XINFO", "CONSUMERS", self._bus, name) for name in groups}
        pipeline.send()
        self._first_seen = {name: self._first_seen.get(name, time.monotonic()) for name in groups}
        active: list[tuple[Group, set[bytes]]] = []
        for name, group in groups.items():
            idle_ms = {
                fields[b"name"]: fields[b"idle"]
                for fields in map(parse_pairs, consumers[name].value_or_none or ())
            }
            if self._is_active(name, idle_ms.values()):
                is_own = group.name in OWN_GROUPS
                living = {each for each, idle in idle_ms.items() if idle <= self._lease_ms and not is_own}
                active.append((group, living))
        return active

    def _is_active(self, group: bytes, idle_ms: Collection[int]) -> bool:
        if not idle_ms:
            return time.monotonic() - self._first_seen[group] < self._forget_seconds
        return min(idle_ms) < self._forget_seconds * 1000

    def _read_pending(
        self, connection: Connection, group: bytes, receipts: Sequence[LoggedReceipt], oldest_ms: int
    ) -> Iterator[tuple[bytes, bytes, int, int]]:
        """Yield what a group has pending between the first and the last of `receipts`, without what is older
        than `oldest_ms`: id, consumer, idle time in milliseconds, deliveries. (XPENDING)"""
        ids = [id for each in receipts for id in each.ids()]
        start, end = str(max(min(ids), StreamId(oldest_ms, 0))), str(max(ids))
        while True:
            page = call_group(connection, "XPENDING", self._bus, group, start, end, _PENDING_PAGE)
            yield from page
            if len(page) < _PENDING_PAGE:
                return
            start = f"({page[-1][0].decode()}"


def clear_commands(bus: str, receipt: events.JoinedReceipt) -> list[Command]:
    """Return the commands that clear the entries that a receipt is for, once it is logged: those of the bus
    are queued to be cleared, others have no other reader. (XDEL, ZADD)"""
    if receipt.stream == bus and receipt.targets:
        return [queue_command([LoggedReceipt(id, id) for id in receipt.targets])]
    return [("XDEL", receipt.stream, *receipt.targets)] if receipt.targets else []


def delete_old_receipts(connection: Connection, bus: str, after_ms: int) -> None:
    """Delete receipts older than `after_ms` for many entries, and clear these, if no receipts role runs: none
    has been there to log them. (EXISTS, TIME, XRANGE; XDEL, ZADD)"""
    is_alive, time, page = connection.execute(
        [
            ("EXISTS", keys.RECEIPTS_ROLE),
            TIME,
            ("XRANGE", keys.RECEIPTS, "-", "+", "COUNT", _MAX_ENTRIES),
        ]
    )
    now_ms = parse_time_ms(time)
    old = [entry for entry in parse_entries(page) if _written_ms(entry, now_ms) < now_ms - after_ms]
    if is_alive or not old:
        return
    commands: list[Command] = []
    for entry in old:
        with suppress(Malformed):
            receipt = events.parse_joined_receipt(event_fields.decode(entry.fields))
            commands += clear_commands(bus, receipt)
    connection.transact([*commands, ("XDEL", keys.RECEIPTS, *(entry.id for entry in old))])
