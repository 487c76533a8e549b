"""The stream: append, read a batch, acknowledge, reclaim, keep a claim.

Delivery is at least once: an entry that a consumer has read stays pending in its group until it is
acknowledged, and goes to another consumer when its reader has been silent for longer than the lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import redis

from lfr import events
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.values.json import Json


class Entry(NamedTuple):
    """An entry of the stream: its id and its fields as they stand there."""

    id: str
    fields: events.Fields


class ConsumerId(NamedTuple):
    """Identifies a consumer: its stream, its group, its name in the group."""

    stream: str
    group: str
    name: str


def as_text(entry: Entry) -> dict[str, str]:
    """The raw fields of an entry as text, whatever they hold."""
    return {
        name.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
        for name, value in entry.fields.items()
    }


class NoGroup(Exception):
    """The stream or the group is gone: somebody has deleted it. Create it and go on."""


def create_group(connection: Connection, stream: str, group: str) -> None:
    """Create a group that sees all that the stream still holds, and the stream if need be. (XGROUP CREATE)"""
    reply = connection.execute([("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")], keep_errors=True)[0]
    if isinstance(reply, redis.ResponseError) and not str(reply).startswith("BUSYGROUP"):
        raise reply


def append_command(stream: str, kind: str, at: str, values: Mapping[str, Json]) -> Command:
    """The command that appends an event. `at` as `events.timestamp` gives it. (XADD)"""
    return ("XADD", stream, "*", *events.encode(kind, at, values))


def acknowledge_command(consumer: ConsumerId, ids: Sequence[str]) -> Command:
    """The command that takes entries off the group's pending ones. (XACK)"""
    return ("XACK", consumer.stream, consumer.group, *ids)


def receipt_commands(consumer: ConsumerId, actions: Mapping[str, str], at: str) -> list[Command]:
    """The commands that say that entries have been dealt with: a receipt for each, by what was done with
    it, and their acknowledgement. (XADD, XACK)"""
    receipts = [
        append_command(consumer.stream, events.RECEIPT, at, events.receipt_values(*each))
        for each in actions.items()
    ]
    return [*receipts, acknowledge_command(consumer, list(actions))] if actions else []


def read_batch(
    connection: Connection, consumer: ConsumerId, *, count: int, block_ms: int, done: Sequence[str] = ()
) -> list[Entry]:
    """Up to `count` new entries; waits up to `block_ms` milliseconds for the first. (XREADGROUP)

    First acknowledges `done`, in the same write. Raises NoGroup.
    """
    read: Command = (
        *("XREADGROUP", "GROUP", consumer.group, consumer.name, "COUNT", count, "BLOCK", max(1, block_ms)),
        *("STREAMS", consumer.stream, ">"),
    )
    commands = [acknowledge_command(consumer, done), read] if done else [read]
    reply = check_reply(connection.execute(commands, keep_errors=True)[-1])
    return parse_entries(reply[0][1]) if reply else []


FIRST = "0-0"
"""Less than any entry's id."""


def reclaim(
    connection: Connection, consumer: ConsumerId, *, idle_ms: int, count: int, start: str = FIRST
) -> tuple[list[Entry], str]:
    """Take over up to `count` entries that nobody has touched for `idle_ms` milliseconds. (XAUTOCLAIM)

    Looks at some of those that are pending from the id `start` on; where to go on, FIRST if there are none.
    Those that have been deleted from the stream meanwhile are acknowledged. Raises NoGroup.
    """
    command = ("XAUTOCLAIM", *consumer, idle_ms, start, "COUNT", count)
    reply = check_reply(connection.execute([command], keep_errors=True)[0])
    # Redis 6.2 answers an entry that has been deleted as nil; from 7.0 on it drops these by itself.
    entries = parse_entries(entry for entry in reply[1] if entry is not None and entry[1] is not None)
    return entries, reply[0].decode()


def renew_claims(connection: Connection, consumer: ConsumerId, ids: Sequence[str]) -> None:
    """Say that this consumer still works on these entries: their idle time begins anew. (XCLAIM JUSTID)"""
    if ids:
        check_reply(connection.execute([("XCLAIM", *consumer, 0, *ids, "JUSTID")], keep_errors=True)[0])


def release_claims(connection: Connection, consumer: ConsumerId, ids: Sequence[str]) -> None:
    """Say that this consumer does not work on these entries: another may take them over at once. (XCLAIM)"""
    if ids:
        claim: Command = ("XCLAIM", *consumer, 0, *ids, "IDLE", _LONG_AGO_MS, "JUSTID")
        check_reply(connection.execute([claim], keep_errors=True)[0])


_LONG_AGO_MS = 30 * 24 * 3600 * 1000


def leave_group(connection: Connection, consumer: ConsumerId) -> None:
    """Take this consumer off its group, unless entries are pending for it. (XGROUP DELCONSUMER)"""
    pending = ("XPENDING", consumer.stream, consumer.group, "-", "+", 1, consumer.name)
    if not check_reply(connection.execute([pending], keep_errors=True)[0]):
        connection.execute([("XGROUP", "DELCONSUMER", *consumer)], keep_errors=True)


def remove_idle_consumers(connection: Connection, consumer: ConsumerId, *, idle_ms: int) -> None:
    """Take consumers off the group which have been idle for so long, and for which nothing is pending.

    To take a consumer off takes what is pending for it along. So it is looked at once more in the same
    transaction: what one has read that comes back in this very moment is this consumer's then, and due to be
    reclaimed. (XINFO CONSUMERS; MULTI/EXEC: XPENDING, XGROUP DELCONSUMER; XCLAIM FORCE)
    """
    reply = check_reply(
        connection.execute([("XINFO", "CONSUMERS", consumer.stream, consumer.group)], keep_errors=True)[0]
    )
    for found in map(parse_pairs, reply):
        name = found[b"name"]
        if found[b"pending"] or found[b"idle"] < idle_ms or name == consumer.name.encode():
            continue
        look: Command = ("XPENDING", consumer.stream, consumer.group, "-", "+", _MOST_AT_ONCE, name)
        replies = connection.transact(
            [look, ("XGROUP", "DELCONSUMER", consumer.stream, consumer.group, name)]
        )
        if replies and replies[0]:
            ids = [row[0] for row in replies[0]]
            connection.execute([("XCLAIM", *consumer, 0, *ids, "IDLE", _LONG_AGO_MS, "FORCE", "JUSTID")])


_MOST_AT_ONCE = 100_000
"""More than any consumer reads at once."""


def read_last_id(connection: Connection, stream: str) -> str:
    """The id of the latest entry that was ever appended; empty if there is no stream. (XINFO STREAM)"""
    reply = connection.execute([("XINFO", "STREAM", stream)], keep_errors=True)[0]
    if isinstance(reply, redis.ResponseError):
        return ""
    return str(parse_pairs(reply)[b"last-generated-id"].decode())


def read_newest(connection: Connection, stream: str, *, before: str = "+", count: int) -> list[Entry]:
    """Up to `count` entries, newest first; of those before the one with the id `before`. (XREVRANGE)"""
    end = before if before == "+" else f"({before}"
    return parse_entries(connection.execute([("XREVRANGE", stream, end, "-", "COUNT", count)])[0])


_GONE = ("NOGROUP", "UNBLOCKED", "no such key")
"""How errors begin that say that the stream or the group is gone. A reader that waits while the stream
is deleted hears UNBLOCKED, from Redis up to 7.0."""


def check_reply(reply: Reply) -> Reply:
    """The reply. Raises NoGroup if it says that the stream or the group is gone, or the error that it is."""
    if isinstance(reply, redis.ResponseError):
        raise NoGroup(str(reply)) if str(reply).startswith(_GONE) else reply
    return reply


def parse_entries(reply: Iterable[Reply]) -> list[Entry]:
    """Entries as Redis lists them: id, and names and values in turn."""
    return [Entry(id.decode(), parse_pairs(flat)) for id, flat in reply]


def parse_pairs(flat: Iterable[bytes]) -> dict[bytes, Reply]:
    """Names and values in turn, as a dictionary."""
    turns = iter(flat)
    return dict(zip(turns, turns, strict=True))
