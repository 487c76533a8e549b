"""How many entries to read at once: bounded by bytes as well as by entries.

Redis counts entries, not bytes, when it answers a read. So the next read asks for as many entries as fit into
the limit if they are as large as those of the last one. Before the first read, and after a longer time,
nothing is known of what has come meanwhile: then the size of the whole stream is asked for, and few entries
are read. If a read returns more bytes than the limit, its reader splits it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Final

from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import Entry, entry_bytes, parse_entries

MAX_READ_BYTES: Final = 16 * 2**20
"""How many bytes the entries have together that are read and processed at once, unless it is one entry."""

_FIRST_COUNT: Final = 100
"""How many entries the first read asks for at most."""

_LONG_AGO_SECONDS: Final = 2.0
"""After this time the size of the last entries says nothing of the next ones: longer than a read blocks."""


class ReadSize:
    """Decides how many entries the next read of a stream asks for."""

    def __init__(self) -> None:
        self._count = _FIRST_COUNT
        self._read_at = -math.inf

    def next_count(self, most: int) -> int:
        """Return how many entries to read, at least 1 and at most `most`."""
        if time.monotonic() - self._read_at > _LONG_AGO_SECONDS:
            self._count = min(self._count, _FIRST_COUNT)
        return min(self._count, most)

    def look_ahead(self, connection: Connection, streams: Sequence[str]) -> None:
        """If the last read was long ago, note how large the entries of these streams are on average. (XLEN,
        MEMORY USAGE)"""
        if time.monotonic() - self._read_at <= _LONG_AGO_SECONDS:
            return
        commands: list[Command] = [("XLEN", stream) for stream in streams]
        commands += [("MEMORY", "USAGE", stream) for stream in streams]
        replies = connection.execute_unchecked(commands)
        for length, size in zip(replies[: len(streams)], replies[len(streams) :], strict=True):
            if isinstance(length, int) and isinstance(size, int) and length:  # a user may not ask for it
                self._count = min(self._count, max(1, MAX_READ_BYTES * length // max(size, 1)))

    def note(self, count: int, size: int) -> None:
        """Note that a read has returned so many entries, of so many bytes."""
        self._read_at = time.monotonic()
        if count:
            self._count = max(1, MAX_READ_BYTES * count // max(size, 1))

    def note_entries(self, entries: Sequence[Entry]) -> None:
        """Note that a read has returned these entries."""
        self.note(len(entries), sum(map(entry_bytes, entries)))


def split_by_bytes(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the entries in parts of at most MAX_READ_BYTES each, in their order. A larger entry is a part of
    its own."""
    parts: list[list[Entry]] = []
    remaining_bytes = 0
    for entry in entries:
        size = entry_bytes(entry)
        if size > remaining_bytes or not parts:
            parts.append([])
            remaining_bytes = MAX_READ_BYTES
        parts[-1].append(entry)
        remaining_bytes -= size
    return parts


def read_entries(connection: Connection, stream: str, ids: Sequence[str]) -> Iterator[Entry]:
    """Yield the entries with these ids, in this order, without those that are not on the stream; a few at a
    time, so that not all are in memory at once. (XRANGE)"""
    size = ReadSize()
    position = 0
    while position < len(ids):
        part = ids[position : position + size.next_count(len(ids))]
        position += len(part)
        replies = connection.execute([("XRANGE", stream, id, id) for id in part], keep_errors=True)
        entries = [
            each for reply in replies if isinstance(reply, list) for each in parse_entries(reply, stream)
        ]
        size.note_entries(entries)
        yield from entries
