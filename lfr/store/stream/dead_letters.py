"""Dead letters: copies of events that could not be understood, until somebody handles them.

One that is put back leaves the dead letters in the transaction that appends its event. One that is dismissed
moves to a stream of its own, which keeps the latest of them, with who has done it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lfr.actor import Actor
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import Entry, as_text, flatten_pairs, parse_entries, read_newest
from lfr.values.json import InvalidJson, decode_json, encode_json

_MAX_DEAD_LETTERS: Final = 10_000
_MAX_DISMISSED: Final = 1000
"""About how many are kept of each; Redis drops the oldest."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A copy of an entry that could not be understood.

    id        its own, by which it is retried or dismissed
    entry_id  that of the entry of which it is a copy
    stream    the key of the stream on which that was; empty: a build before has not noted it
    at        when it became a dead letter, in ISO 8601, UTC
    fields    the raw fields of the entry as text; empty if the copy cannot be read
    is_exact  whether these are all of its bytes: whether they were UTF-8
    dismissed_at, actor  when and by whom it was dismissed; empty, None: it was not, or nobody knows
    """

    id: str
    entry_id: str
    stream: str
    at: str
    reason: str
    fields: Mapping[str, str]
    is_exact: bool
    dismissed_at: str
    actor: Actor | None


def dead_letter_command(entry: Entry, reason: str, at: str) -> Command:
    """Return the command that copies an entry to the dead letters; beyond about 10,000, Redis drops the
    oldest. `at` is now, in ISO 8601, UTC. (XADD)"""
    event = encode_json(as_text(entry))
    fields = {"id": entry.id, "stream": entry.stream, "at": at, "reason": reason, "event": event}
    try:
        for name, value in entry.fields.items():
            _ = name.decode(), value.decode()
    except UnicodeDecodeError:
        fields["exact"] = "0"
    return _append_command(keys.DEAD_LETTERS, _MAX_DEAD_LETTERS, fields)


def read_dead_letters(
    connection: Connection, *, before: str = "+", count: int, are_dismissed: bool = False
) -> list[DeadLetter]:
    """Return up to `count` dead letters before the id `before` (`+`: the last ones), newest first; or those
    that were dismissed. (XREVRANGE)"""
    entries = read_newest(connection, _stream(are_dismissed), before=before, count=count)
    return [parse_dead_letter(entry) for entry in entries]


def watch_letters(
    connection: Connection, ids: Sequence[str], *, are_dismissed: bool
) -> list[DeadLetter | None]:
    """Watch all dead letters, and return as `read_letters`. (WATCH, XRANGE)"""
    connection.call("WATCH", _stream(are_dismissed))
    return read_letters(connection, ids, are_dismissed=are_dismissed)


def read_letters(
    connection: Connection, ids: Sequence[str], *, are_dismissed: bool
) -> list[DeadLetter | None]:
    """Return the dead letters with these ids, or those that were dismissed; None for each that is not among
    them. (XRANGE)"""
    stream = _stream(are_dismissed)
    replies = connection.execute([("XRANGE", stream, id, id) for id in ids])
    matches = [parse_entries(reply, stream) for reply in replies]
    return [parse_dead_letter(entries[0]) if entries else None for entries in matches]


def put_back_commands(letter: DeadLetter, bus: str, *, is_dismissed: bool = False) -> list[Command]:
    """Return the commands that append the event of a dead letter, as it was, to the stream from which it
    came, and remove the letter. (XADD, XDEL)"""
    stream = keys.ENDS if letter.stream == keys.ENDS else bus
    return [
        ("XADD", stream, "*", *flatten_pairs(letter.fields.items())),
        ("XDEL", _stream(is_dismissed), letter.id),
    ]


def dismiss_commands(letter: DeadLetter, at: str, actor: Actor | None) -> list[Command]:
    """Return the commands that move a dead letter to those that were dismissed; beyond about 1,000 of them,
    Redis drops the oldest. `at` is now, in ISO 8601, UTC. (XADD, XDEL)"""
    fields = {"id": letter.entry_id, "stream": letter.stream, "at": letter.at, "reason": letter.reason}
    fields |= {"event": encode_json({**letter.fields}), "dismissed_at": at}
    if not letter.is_exact:
        fields["exact"] = "0"
    if actor is not None:
        fields |= {"actor": actor.name, "actor_reason": actor.reason}
    return [
        _append_command(keys.DISMISSED_LETTERS, _MAX_DISMISSED, fields),
        ("XDEL", keys.DEAD_LETTERS, letter.id),
    ]


def parse_dead_letter(entry: Entry) -> DeadLetter:
    """Return the dead letter that an entry of their stream is."""
    fields = as_text(entry)
    try:
        event = decode_json(fields.get("event", "{}").encode())
    except InvalidJson:
        event = {}
    return DeadLetter(
        id=entry.id,
        entry_id=fields.get("id", ""),
        stream=fields.get("stream", ""),
        at=fields.get("at", ""),
        reason=fields.get("reason", ""),
        fields={str(name): str(text) for name, text in event.items()} if isinstance(event, dict) else {},
        is_exact="exact" not in fields,
        dismissed_at=fields.get("dismissed_at", ""),
        actor=Actor(fields["actor"], fields.get("actor_reason", "")) if "actor" in fields else None,
    )


def _stream(are_dismissed: bool) -> str:
    return keys.DISMISSED_LETTERS if are_dismissed else keys.DEAD_LETTERS


def _append_command(stream: str, most: int, fields: Mapping[str, str]) -> Command:
    return ("XADD", stream, "MAXLEN", "~", most, "*", *flatten_pairs(fields.items()))
