"""Consumer groups: create them, keep and reclaim claims, remove consumers that are gone, count the lag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.pipeline import Pipeline, ReplyHandle
from lfr.store.redis.server_check import check_noted_stream
from lfr.store.stream.entries import ConsumerId, Entry, check_reply, parse_entries, parse_pairs
from lfr.values.stream_id import StreamId

FIRST_ID = "0-0"
"""Less than the id of any entry."""

MAX_COUNTED_LAG = 1000
"""Where Redis does not report a group's lag, unread entries are counted up to this number."""

_PENDING_PAGE = 1000
"""How many pending entries are read at once in search of those of other consumers."""

_MAX_PENDING = 100_000
"""More entries than any consumer reads at once."""

_EXPIRED_IDLE_MS = 30 * 24 * 3600 * 1000
"""An idle time longer than any lease: an entry with it is reclaimed at once."""


_ROLES_BY_GROUP: Final = {"starting": "simulate", "__receipt__": "receipts"}
"""The roles whose groups have other names: those that littleflow_redis gives them."""


def role_of_group(group: str) -> str:
    """Return the name under which people see a group: that of its role, or of the group of workers."""
    return _ROLES_BY_GROUP.get(group, group)


def call_group(connection: Connection, *command: str | bytes | int) -> Reply:
    """Send one command about a group and return its reply. Raises NoGroup, else as `Connection.call` does."""
    return check_reply(connection.call(*command, keep_errors=True))


def note_stream(connection: Connection, bus: str) -> None:
    """Note which stream is the bus, unless that is noted. Raises WrongServer if another is. (SET, GET)"""
    _, noted = connection.execute([note_stream_command(bus), ("GET", keys.STREAM)])
    check_noted_stream(noted, bus)


def note_stream_command(bus: str) -> Command:
    """Return the command that notes which stream is the bus, unless that is noted. (SET)"""
    return ("SET", keys.STREAM, bus, "NX")


def create_group(connection: Connection, stream: str, group: str) -> None:
    """Create the group, and the stream if it is missing. The group begins with the oldest entry that the
    stream holds. Does nothing if the group exists. Raises redis.ResponseError for any other error, such as a
    key that holds no stream. (XGROUP CREATE)"""
    reply = connection.call("XGROUP", "CREATE", stream, group, "0", "MKSTREAM", keep_errors=True)
    if isinstance(reply, redis.ResponseError) and not str(reply).startswith("BUSYGROUP"):
        raise reply


def reclaim(
    connection: Connection, consumer: ConsumerId, *, idle_ms: int, count: int, start: str = FIRST_ID
) -> tuple[list[Entry], str]:
    """Take over up to `count` pending entries that have been idle for at least `idle_ms`.

    One call looks at a part of the pending entries, from the id `start` on. Returns the entries and the id to
    go on from, FIRST_ID after the last part. Leaves out entries that are no longer on the stream; from 7.0
    on, Redis acknowledges these. Raises NoGroup. (XAUTOCLAIM)
    """
    next_id, entries, *_ = call_group(connection, "XAUTOCLAIM", *consumer, idle_ms, start, "COUNT", count)
    # Redis 6.2 answers nil for an entry that has been deleted; later versions leave it out.
    existing = (entry for entry in entries if entry is not None and entry[1] is not None)
    return parse_entries(existing, consumer.stream), next_id.decode()


def renew_claims(connection: Connection, consumer: ConsumerId, ids: Sequence[str]) -> None:
    """Renew the claims of this consumer on these entries: their idle time begins anew. Takes back those that
    another consumer has reclaimed meanwhile. Raises NoGroup. (XCLAIM JUSTID)"""
    if ids:
        call_group(connection, "XCLAIM", *consumer, 0, *ids, "JUSTID")


def release_claims(
    connection: Connection, consumer: ConsumerId, ids: Sequence[str], *, counts: bool = False
) -> None:
    """Let other consumers reclaim these pending entries at once. That this consumer has read them counts as a
    delivery only if it `counts`. Raises NoGroup. (XPENDING, XCLAIM IDLE)"""
    if ids:
        deliveries = read_deliveries(connection, consumer, ids)
        less = 0 if counts else 1
        _claim(connection, consumer, {id: deliveries.get(id, 1) - less for id in ids}, _EXPIRED_IDLE_MS)


def read_deliveries(connection: Connection, consumer: ConsumerId, ids: Sequence[str]) -> dict[str, int]:
    """Return how often each of these entries was delivered in the group, without those that are not pending.
    (XPENDING)"""
    commands = [("XPENDING", consumer.stream, consumer.group, id, id, 1) for id in ids]
    replies = connection.execute(commands, keep_errors=True)
    return {id.decode(): count for reply in replies for id, _, _, count in check_reply(reply)}


def write_deliveries(connection: Connection, consumer: ConsumerId, deliveries: Mapping[str, int]) -> None:
    """Set how often pending entries count as delivered, by id. Renews their claims, too. Raises NoGroup.
    (XCLAIM RETRYCOUNT)"""
    _claim(connection, consumer, deliveries, 0)


def _claim(connection: Connection, consumer: ConsumerId, deliveries: Mapping[str, int], idle_ms: int) -> None:
    for count in sorted(set(deliveries.values())):
        ids = [id for id, number in deliveries.items() if number == count]
        options = ("IDLE", idle_ms, "RETRYCOUNT", max(0, count), "JUSTID")
        call_group(connection, "XCLAIM", *consumer, 0, *ids, *options)


class PendingReads:
    """Reads which of these entries are pending for their consumer still. Another consumer may have reclaimed
    and processed the others, if this one has been slow or frozen. `consumers`: one on each stream."""

    def __init__(self, consumers: Sequence[ConsumerId], entries: Sequence[Entry]) -> None:
        self._consumers = consumers
        self._entries = entries
        self._replies: dict[str, ReplyHandle] = {}

    def add_to(self, pipeline: Pipeline) -> None:
        """Add the commands to a pipeline, none for no entries. (XPENDING)"""
        if not self._entries:
            return
        for consumer in self._consumers:
            ids = [StreamId.parse(entry.id) for entry in self._entries if entry.stream == consumer.stream]
            if ids:
                span = (str(min(ids)), str(max(ids)), _MAX_PENDING)
                command = ("XPENDING", consumer.stream, consumer.group, *span, consumer.name)
                self._replies[consumer.stream] = pipeline.add(*command)

    def lost_entries(self) -> list[Entry]:
        """Return the entries that are not pending for the consumer any more. Raises NoGroup."""
        if not self._entries:
            return []
        pending = {
            (stream, row[0].decode())
            for stream, reply in self._replies.items()
            for row in check_reply(reply.value_or_error)
        }
        return [entry for entry in self._entries if (entry.stream, entry.id) not in pending]


def read_oldest_of_others(
    connection: Connection, consumers: Sequence[ConsumerId], *, before: StreamId, most_deliveries: int
) -> StreamId | None:
    """Return the oldest entry before this id that another consumer of the group has pending, on any of the
    streams; None: there is none. Leaves out those that were delivered more than `most_deliveries` times.
    `consumers` is one consumer, on each of its streams. Raises NoGroup. (XPENDING)"""
    groups = [(consumer.stream, consumer.group) for consumer in consumers]
    summaries = connection.execute([("XPENDING", *group) for group in groups], keep_errors=True)
    name = consumers[0].name.encode()
    shared = [
        group
        for group, (*_, owners) in zip(groups, map(check_reply, summaries), strict=True)
        if any(owner != name for owner, _ in owners or ())
    ]
    span = ("-", f"({before}", _PENDING_PAGE)
    pages = connection.execute([("XPENDING", *group, *span) for group in shared], keep_errors=True)
    ids = (
        StreamId.parse(id.decode())
        for page in pages
        for id, owner, _, deliveries in check_reply(page)
        if owner != name and deliveries <= most_deliveries
    )
    return min(ids, default=None)


def leave_group(connection: Connection, consumer: ConsumerId) -> None:
    """Remove this consumer from its group, unless it has pending entries: then it stays, so that they can be
    reclaimed. Raises NoGroup. (XPENDING, XGROUP DELCONSUMER)"""
    if not call_group(connection, "XPENDING", consumer.stream, consumer.group, "-", "+", 1, consumer.name):
        connection.call("XGROUP", "DELCONSUMER", *consumer, keep_errors=True)


def remove_idle_consumers(connection: Connection, consumer: ConsumerId, *, idle_ms: int) -> None:
    """Remove other consumers of the group that have been idle for `idle_ms` and have nothing pending.

    Redis drops the pending entries of a removed consumer. One that comes back at this moment may have some:
    so its pending entries are read in the same transaction, and this consumer claims them, for anyone to
    reclaim at once. Raises NoGroup. (XINFO CONSUMERS; MULTI/EXEC: XPENDING, XGROUP DELCONSUMER; XCLAIM FORCE)
    """
    group = consumer.stream, consumer.group
    for fields in map(parse_pairs, call_group(connection, "XINFO", "CONSUMERS", *group)):
        name = fields[b"name"]
        if fields[b"pending"] or fields[b"idle"] < idle_ms or name == consumer.name.encode():
            continue
        list_pending: Command = ("XPENDING", *group, "-", "+", _MAX_PENDING, name)
        replies = connection.transact([list_pending, ("XGROUP", "DELCONSUMER", *group, name)])
        if replies and replies[0]:
            ids = [row[0] for row in replies[0]]
            connection.call("XCLAIM", *consumer, 0, *ids, "IDLE", _EXPIRED_IDLE_MS, "FORCE", "JUSTID")


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group.

    raw_name        its name in Redis, which need not be UTF-8
    consumers       how many consumers it has
    pending         how many entries its consumers have read and not acknowledged
    lag             how many entries it has not read; None if Redis does not report it (6.2 never does, later
                    versions not after an unread entry was deleted)
    last_delivered  the id of the last entry that it has read
    """

    raw_name: bytes
    consumers: int
    pending: int
    lag: int | None
    last_delivered: StreamId

    @property
    def name(self) -> str:
        """The name as text."""
        return self.raw_name.decode(errors="backslashreplace")


def read_groups(connection: Connection, stream: str) -> list[Group]:
    """Return the groups of a stream; an empty list if the stream does not exist. (XINFO GROUPS)"""
    reply = connection.call("XINFO", "GROUPS", stream, keep_errors=True)
    return [] if isinstance(reply, redis.ResponseError) else parse_groups(reply)


def parse_groups(reply: Reply) -> list[Group]:
    """Return the groups of a reply to XINFO GROUPS."""
    return [
        Group(
            raw_name=fields[b"name"],
            consumers=fields[b"consumers"],
            pending=fields[b"pending"],
            lag=fields.get(b"lag"),
            last_delivered=StreamId.parse(fields[b"last-delivered-id"].decode()),
        )
        for fields in map(parse_pairs, reply)
    ]
