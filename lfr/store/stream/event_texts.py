"""Events as JSON texts, for whoever hands them on and does not look into them.

The fields of an event are JSON already. So an object is made of them as they are, without a decoder. That
they are JSON is checked; most values of many events are the same, and are checked once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final

from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import Entry, as_text, flatten_pairs, parse_pairs
from lfr.store.stream.read_size import ReadSize, read_entries
from lfr.values.json import InvalidJson, decode_json, encode_json

_PLAIN: Final = re.compile(rb'"[ !#-\[\]-~]*"|0|-?[1-9][0-9]{0,15}|\{\}|\[\]|true|false|null')
"""The JSON texts of most values."""

_MAX_CHECKED: Final = 20_000
_MAX_CHECKED_BYTES: Final = 64
"""How many values are remembered as JSON, and the size of the largest."""


class EventTexts:
    """Makes JSON texts of events, and reads the events for that."""

    def __init__(self) -> None:
        self._checked: set[bytes] = set()  # values that are JSON
        self._read_size = ReadSize()

    def encode(self, events: Sequence[Sequence[bytes]]) -> list[str]:
        """Return each event as one JSON object. An event is its names and values in turn, as Redis returns
        them. Those of an event that cannot be understood become texts."""
        values = [event[1::2] for event in events]
        garbage = self._find_garbage(set().union(*values) - self._checked)
        texts: list[str] = []
        for event, event_values in zip(events, values, strict=True):
            template = _object_template(tuple(event[::2]))
            if template is None or (garbage and not garbage.isdisjoint(event_values)):
                texts.append(_unusual_text(event, garbage))
            else:
                texts.append((template % tuple(event_values)).decode())
        return texts

    def encode_entry(self, entry: Entry) -> str:
        """Return the event of one entry as `encode` does."""
        return self.encode([flatten_pairs(entry.fields.items())])[0]

    def read(self, connection: Connection, ids: Mapping[str, Collection[str]]) -> dict[str, dict[str, str]]:
        """Return events by stream and entry id, each as `encode` makes it, without those that are gone.

        `ids` has the entry ids by stream. One read serves many entries that stand close together, on all
        streams; what stands far from the others is read by itself. (XRANGE)
        """
        texts: dict[str, dict[str, str]] = {stream: {} for stream in ids}
        remaining = {stream: sorted(each, key=_position) for stream, each in ids.items() if each}
        while remaining:
            total = sum(map(len, remaining.values()))
            count = self._read_size.next_count(total)
            if count < total:
                count = max(1, count // len(remaining))
            parts = {stream: each[:count] for stream, each in remaining.items()}
            remaining = {stream: each[count:] for stream, each in remaining.items() if len(each) > count}
            received_before = connection.received_bytes
            commands: list[Command] = [
                ("XRANGE", stream, part[0], part[-1], "COUNT", 2 * len(part))
                for stream, part in parts.items()
            ]
            pages = connection.execute(commands)
            size = connection.received_bytes - received_before or sum(
                len(value) for page in pages for _, event in page for value in event
            )
            self._read_size.note(sum(map(len, pages)), size)
            for (stream, part), page in zip(parts.items(), pages, strict=True):
                requested = set(part)
                rows = [(id, event) for raw, event in page if (id := raw.decode()) in requested]
                encoded = self.encode([event for _, event in rows])
                texts[stream] |= zip((id for id, _ in rows), encoded, strict=True)
                if len(page) == 2 * len(part) and len(rows) < len(part):
                    missing = [id for id in part if id not in texts[stream]]
                    for entry in read_entries(connection, stream, missing):
                        texts[stream][entry.id] = self.encode_entry(entry)
        return texts

    def _find_garbage(self, values: Collection[bytes]) -> set[bytes]:
        """Return those of these values that are not JSON. Remember the others, if they are small."""
        garbage = {value for value in values if not _PLAIN.fullmatch(value) and not _is_json(value)}
        if len(self._checked) + len(values) > _MAX_CHECKED:
            self._checked.clear()
        self._checked.update(value for value in values if len(value) <= _MAX_CHECKED_BYTES)
        self._checked -= garbage
        return garbage


def _position(id: str) -> tuple[int, int]:
    """Return what an entry id is sorted by; faster than `StreamId.parse`."""
    ms, _, sequence = id.partition("-")
    return int(ms), int(sequence)


def _is_json(value: bytes) -> bool:
    try:
        decode_json(value)
    except InvalidJson:
        return False
    return True


def _unusual_text(event: Sequence[bytes], garbage: Collection[bytes]) -> str:
    """Return an event as JSON object that has values which are not JSON, or a name twice: the last counts."""
    fields = parse_pairs(event)
    template = _object_template(tuple(fields))
    if template is None or any(value in garbage for value in fields.values()):
        return encode_json(as_text(Entry("", fields)))
    return (template % tuple(fields.values())).decode()


@lru_cache(maxsize=64)
def _object_template(names: tuple[bytes, ...]) -> bytes | None:
    """Return a JSON object with these members, `%b` in place of each value; None if one of them is there
    twice. Few kinds of event are many."""
    if len(set(names)) < len(names):
        return None
    members = (encode_json(name.decode(errors="backslashreplace")).encode() for name in names)
    return b"{" + b",".join(member.replace(b"%", b"%%") + b":%b" for member in members) + b"}"
