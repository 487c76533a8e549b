"""The entries of a stream: append, read and acknowledge them; copy malformed events to the dead letters.

Delivery is at least once: an entry that a consumer has read stays pending in its group until it is
acknowledged. It goes to another consumer when the first has not renewed its claim for longer than the lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis

from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.values.json import InvalidJson, Json, decode_json, encode_json

_MAX_DEAD_LETTERS = 10_000
"""About how many dead letters are kept; Redis drops the oldest."""

_NO_GROUP_ERRORS = ("NOGROUP", "UNBLOCKED", "no such key")
"""How errors begin that mean that the stream or the group does not exist. Redis up to 7.0 sends UNBLOCKED to
a blocked consumer when the stream is deleted."""


class Entry(NamedTuple):
    """An entry of a stream: its id and its fields as Redis stores them."""

    id: str
    fields: events.Fields


class ConsumerId(NamedTuple):
    """Identifies a consumer: its stream, its group, its name in the group."""

    stream: str
    group: str
    name: str


class NoGroup(Exception):
    """The stream or the group does not exist any more: create it and go on."""


def parse_entries(reply: Iterable[Reply]) -> list[Entry]:
    """Return the entries of a reply to XRANGE, or of one stream in a reply to XREAD, in the same order."""
    return [Entry(id.decode(), parse_pairs(flat)) for id, flat in reply]


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
    """Return the command that appends an event: kind, `at` (of `events.timestamp`), and values. (XADD)"""
    return ("XADD", stream, "*", *events.encode(kind, at, values))


def read_commands(
    consumer: ConsumerId, *, count: int, block_ms: int, done: Sequence[str] = ()
) -> list[Command]:
    """Return the commands that acknowledge the entries `done`, read up to `count` new entries, and wait up to
    `block_ms` milliseconds, at least 1, for the first. (XACK, XREADGROUP)"""
    read: Command = (
        *("XREADGROUP", "GROUP", consumer.group, consumer.name, "COUNT", count, "BLOCK", max(1, block_ms)),
        *("STREAMS", consumer.stream, ">"),
    )
    return [acknowledge_command(consumer, done), read] if done else [read]


def parse_batch(replies: Sequence[Reply]) -> list[Entry]:
    """Return the entries of the replies to `read_commands`. Raises NoGroup."""
    reply = check_reply(replies[-1])
    return parse_entries(reply[0][1]) if reply else []


def acknowledge_command(consumer: ConsumerId, ids: Sequence[str]) -> Command:
    """Return the command that acknowledges these entries. (XACK)"""
    return ("XACK", consumer.stream, consumer.group, *ids)


def receipt_commands(consumer: ConsumerId, actions: Mapping[str, str], at: str) -> list[Command]:
    """Return the commands that append a receipt for each entry and acknowledge it; none for no entries.

    `actions` maps an entry's id to what was done with the event, such as `processed`. (XADD, XACK)
    """
    if not actions:
        return []
    commands: list[Command] = [
        append_command(consumer.stream, events.RECEIPT, at, events.receipt_values(id, action))
        for id, action in actions.items()
    ]
    return [*commands, acknowledge_command(consumer, list(actions))]


def read_entries(connection: Connection, stream: str, ids: Sequence[str]) -> list[Entry]:
    """Return the entries with these ids, in this order, without those that are not on the stream. (XRANGE)"""
    replies = connection.execute([("XRANGE", stream, id, id) for id in ids], keep_errors=True)
    return [entry for reply in replies if isinstance(reply, list) for entry in parse_entries(reply)]


def read_newest(connection: Connection, stream: str, *, before: str = "+", count: int) -> list[Entry]:
    """Return up to `count` entries before the id `before`; `+`: the last ones. Newest first. (XREVRANGE)"""
    end = before if before == "+" else f"({before}"
    return parse_entries(connection.call("XREVRANGE", stream, end, "-", "COUNT", count))


def read_last_id(connection: Connection, stream: str) -> str:
    """Return the id of the last entry ever appended, even if that was deleted; empty if the stream does not
    exist. (XINFO STREAM)"""
    reply = connection.call("XINFO", "STREAM", stream, keep_errors=True)
    if isinstance(reply, redis.ResponseError):
        return ""
    return str(parse_pairs(reply)[b"last-generated-id"].decode())


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A copy of an entry that could not be understood.

    id      the id of the entry on the stream
    at      when it became a dead letter, in ISO 8601, UTC
    fields  its raw fields as text; empty if the copy cannot be read
    """

    id: str
    at: str
    reason: str
    fields: Mapping[str, str]


def dead_letter_command(entry: Entry, reason: str, at: str) -> Command:
    """Return the command that copies an entry to the dead letters; beyond about 10,000, Redis drops the
    oldest. `at` is now, in ISO 8601, UTC. (XADD)"""
    fields = ("id", entry.id, "at", at, "reason", reason, "event", encode_json(as_text(entry)))
    return ("XADD", keys.DEAD_LETTERS, "MAXLEN", "~", _MAX_DEAD_LETTERS, "*", *fields)


def read_dead_letters(connection: Connection, *, count: int) -> list[DeadLetter]:
    """Return up to `count` dead letters, newest first. (XREVRANGE)"""
    entries = read_newest(connection, keys.DEAD_LETTERS, count=count)
    return [_parse_dead_letter(as_text(entry)) for entry in entries]


def _parse_dead_letter(fields: Mapping[str, str]) -> DeadLetter:
    try:
        event = decode_json(fields.get("event", "{}").encode())
    except InvalidJson:
        event = {}
    event_fields = {str(name): str(text) for name, text in event.items()} if isinstance(event, dict) else {}
    return DeadLetter(fields.get("id", ""), fields.get("at", ""), fields.get("reason", ""), event_fields)
