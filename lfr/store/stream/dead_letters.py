"""Events that could not be understood: kept aside with the reason, so that they stop nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import Entry, as_text, read_newest
from lfr.values.json import InvalidJson, decode_json, encode_json

_MOST = 10_000
"""About how many dead letters are kept; the oldest go first."""


def dead_letter_command(entry: Entry, reason: str, at: str) -> Command:
    """The command that copies an entry to the dead letters. (XADD)"""
    told = ("id", entry.id, "at", at, "reason", reason, "event", encode_json(as_text(entry)))
    return ("XADD", keys.DEAD, "MAXLEN", "~", _MOST, "*", *told)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be understood.

    id      that it had on the stream
    at      when that was found, in ISO 8601, UTC
    fields  as they were, as text
    """

    id: str
    at: str
    reason: str
    fields: Mapping[str, str]


def read_dead_letters(connection: Connection, *, count: int) -> list[DeadLetter]:
    """Up to `count` dead letters, newest first. (XREVRANGE)"""
    return [_letter(as_text(entry)) for entry in read_newest(connection, keys.DEAD, count=count)]


def _letter(told: Mapping[str, str]) -> DeadLetter:
    try:
        fields = decode_json(told.get("event", "{}").encode())
    except InvalidJson:
        fields = {}
    known = {str(name): str(text) for name, text in fields.items()} if isinstance(fields, dict) else {}
    return DeadLetter(told.get("id", ""), told.get("at", ""), told.get("reason", ""), known)
