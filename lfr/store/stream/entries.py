"""The entries of a stream: append and read them; copy those that cannot be understood to the dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import redis

from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.values.json import InvalidJson, Json, decode_json, encode_json

_MAX_DEAD_LETTERS = 10_000
"""About how many dead letters are kept; Redis drops the oldest."""


class Entry(NamedTuple):
    """An entry of a stream: its id and its fields as Redis stores them."""

    id: str
    fields: events.Fields


def parse_entries(reply: Iterable[Reply]) -> list[Entry]:
    """Return the entries of a reply: each an id, and a list of names and values in turn."""
    return [Entry(id.decode(), parse_pairs(flat)) for id, flat in reply]


def parse_pairs(flat: Iterable[bytes]) -> dict[bytes, Reply]:
    """Return a list of names and values in turn as a dictionary."""
    iterator = iter(flat)
    return dict(zip(iterator, iterator, strict=True))


def as_text(entry: Entry) -> dict[str, str]:
    """Return the raw fields of an entry as text, whatever bytes they hold."""
    return {
        name.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
        for name, value in entry.fields.items()
    }


def append_command(stream: str, kind: str, at: str, values: Mapping[str, Json]) -> Command:
    """Return the command that appends an event. `at` is a text as `events.timestamp` returns it. (XADD)"""
    return ("XADD", stream, "*", *events.encode(kind, at, values))


def read_entries(connection: Connection, stream: str, ids: Sequence[str]) -> list[Entry]:
    """Return the entries with these ids, without those that are no longer on the stream. (XRANGE)"""
    replies = connection.execute([("XRANGE", stream, id, id) for id in ids], keep_errors=True)
    return [entry for reply in replies if isinstance(reply, list) for entry in parse_entries(reply)]


def read_newest(connection: Connection, stream: str, *, before: str = "+", count: int) -> list[Entry]:
    """Return up to `count` entries, newest first, that stand before the id `before`. (XREVRANGE)"""
    end = before if before == "+" else f"({before}"
    return parse_entries(connection.call("XREVRANGE", stream, end, "-", "COUNT", count))


def read_last_id(connection: Connection, stream: str) -> str:
    """Return the id of the last entry ever appended; empty if the stream does not exist. (XINFO STREAM)"""
    reply = connection.call("XINFO", "STREAM", stream, keep_errors=True)
    if isinstance(reply, redis.ResponseError):
        return ""
    return str(parse_pairs(reply)[b"last-generated-id"].decode())


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A copy of an entry that could not be understood.

    id      the id of the entry on the stream
    at      when it was found, in ISO 8601, UTC
    fields  its raw fields as text
    """

    id: str
    at: str
    reason: str
    fields: Mapping[str, str]


def dead_letter_command(entry: Entry, reason: str, at: str) -> Command:
    """Return the command that copies an entry to the dead letters. (XADD)"""
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
