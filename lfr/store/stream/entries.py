"""The entries of a stream: append, read and acknowledge them.

Delivery is at least once: an entry that a consumer has read stays pending in its group until it is
acknowledged. It goes to another consumer when the first has not renewed its claim for longer than the lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import redis

from lfr import event_fields, events
from lfr.event_fields import Fields
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.values.json import Json
from lfr.values.pointers import pointed_bytes

_NO_GROUP_ERRORS = ("NOGROUP", "UNBLOCKED", "no such key")
"""How errors begin that mean that the stream or the group does not exist. Redis up to 7.0 sends UNBLOCKED to
a blocked consumer when the stream is deleted."""


class Entry(NamedTuple):
    """An entry of a stream: its id, its fields as Redis stores them, and the key of its stream."""

    id: str
    fields: Fields
    stream: str = ""


class ConsumerId(NamedTuple):
    """Identifies a consumer: its stream, its group, its name in the group."""

    stream: str
    group: str
    name: str


class NoGroup(Exception):
    """The stream or the group does not exist any more: create it and go on."""


def entry_bytes(entry: Entry) -> int:
    """Return how many bytes the values of an entry have, with the value to which it refers."""
    return sum(map(len, entry.fields.values())) + pointed_size(entry)


def pointed_size(entry: Entry) -> int:
    """Return how many bytes the value has to which an entry refers; 0 if it refers to none."""
    pointer = entry.fields.get(b"input_from") or entry.fields.get(b"output_from")
    return 0 if pointer is None else pointed_bytes(pointer)


def parse_entries(reply: Iterable[Reply], stream: str = "") -> list[Entry]:
    """Return the entries of a reply to XRANGE, or of one stream in a reply to XREAD, in the same order.
    `stream` is the key of their stream."""
    return [Entry(id.decode(), parse_pairs(flat), stream) for id, flat in reply]


def parse_pairs(flat: Iterable[bytes]) -> dict[bytes, Reply]:
    """Return a list of names and values in turn as a dictionary."""
    iterator = iter(flat)
    return dict(zip(iterator, iterator, strict=True))


def flatten_pairs(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return pairs as a list of names and values in turn."""
    return [element for pair in pairs for element in pair]


def check_reply(reply: Reply) -> Reply:
    """Return the reply. Raises NoGroup if it is the error that the stream or the group does not exist, and
    any other error as it is."""
    if isinstance(reply, redis.ResponseError):
        raise NoGroup(str(reply)) if str(reply).startswith(_NO_GROUP_ERRORS) else reply
    return reply


def as_text(entry: Entry) -> dict[str, str]:
    """Return the raw fields of an entry as text, with bytes that are not UTF-8 as escapes such as `\\xff`."""
    return {
        name.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
        for name, value in entry.fields.items()
    }


def append_command(stream: str, kind: str, at: str, values: Mapping[str, Json]) -> Command:
    """Return the command that appends an event: kind, `at` (of `format_timestamp`), and values. (XADD)"""
    return ("XADD", stream, "*", *event_fields.encode(kind, at, values))


def read_command(consumers: Sequence[ConsumerId], *, count: int, block_ms: int) -> Command:
    """Return the command that reads up to `count` new entries of each stream, and waits up to `block_ms`
    milliseconds, at least 1, for the first. `consumers` is one consumer of a group, on each of its streams.
    (XREADGROUP)"""
    group, name = consumers[0].group, consumers[0].name
    streams = [consumer.stream for consumer in consumers]
    options = ("COUNT", count, "BLOCK", max(1, block_ms))
    return ("XREADGROUP", "GROUP", group, name, *options, "STREAMS", *streams, *([">"] * len(streams)))


def read_later(
    connection: Connection, stream: str, time_ms: int, *, count: int, block_seconds: float
) -> list[Entry]:
    """Return up to `count` entries that were appended since this time of the server, in milliseconds since
    the epoch; if there are none, wait so long for the first. Some may be of the same millisecond. (XREAD)"""
    options = ("COUNT", count, "BLOCK", max(1, round(1000 * block_seconds)))
    reply = connection.call("XREAD", *options, "STREAMS", stream, f"{time_ms - 1}-0")
    return parse_batch(reply)


def parse_batch(reply: Reply) -> list[Entry]:
    """Return the entries of a reply to XREAD or XREADGROUP, stream by stream. Raises NoGroup."""
    parts = check_reply(reply) or ()
    return [entry for stream, entries in parts for entry in parse_entries(entries, stream.decode())]


def acknowledge_command(consumer: ConsumerId, ids: Sequence[str]) -> Command:
    """Return the command that acknowledges these entries. (XACK)"""
    return ("XACK", consumer.stream, consumer.group, *ids)


def receipt_commands(consumer: ConsumerId, actions: Mapping[str, str], at: str) -> list[Command]:
    """Return the commands that append a receipt for each entry of the bus and acknowledge it; none for no
    entries.

    `actions` maps an entry's id to what was done with the event, such as `processed`. (XADD, XACK)
    """
    if not actions:
        return []
    commands: list[Command] = [
        append_command(consumer.stream, events.RECEIPT, at, events.receipt_values(id, action))
        for id, action in actions.items()
    ]
    return [*commands, acknowledge_command(consumer, list(actions))]


def settle_commands(
    consumer: ConsumerId, ids: Sequence[str], at: str, *, has_receipts: bool, action: str = "processed"
) -> list[Command]:
    """Return the commands that settle entries of a stream that only one group reads; none for no entries.

    The entries are acknowledged and deleted. While a receipts role runs (`has_receipts`), a receipt for all
    of them is appended instead, and that role deletes them once it has logged them. (XACK; XDEL or XADD)
    """
    if not ids:
        return []
    if not has_receipts:
        return [acknowledge_command(consumer, ids), ("XDEL", consumer.stream, *ids)]
    values = {"for": list(ids), "stream": consumer.stream, "action": action}
    return [
        acknowledge_command(consumer, ids),
        append_command(keys.RECEIPTS, events.RECEIPT, at, values),
    ]


def read_newest(connection: Connection, stream: str, *, before: str = "+", count: int) -> list[Entry]:
    """Return up to `count` entries before the id `before`; `+`: the last ones. Newest first. (XREVRANGE)"""
    end = before if before == "+" else f"({before}"
    return parse_entries(connection.call("XREVRANGE", stream, end, "-", "COUNT", count), stream)


def read_last_id(connection: Connection, stream: str) -> str:
    """Return the id of the last entry ever appended, even if that was deleted; empty if the stream does not
    exist. (XINFO STREAM)"""
    reply = connection.call("XINFO", "STREAM", stream, keep_errors=True)
    if isinstance(reply, redis.ResponseError):
        return ""
    return str(parse_pairs(reply)[b"last-generated-id"].decode())
