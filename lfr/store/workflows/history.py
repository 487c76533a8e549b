"""The history of a workflow: a stream with one entry for each transition.

An entry has the fields `at` (milliseconds since the epoch), `facts` (words with a blank between them, see
`lfr.engine.transition.Fact`) and, if a step failed, `reason`. `commit` appends to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfr.engine.transition import Fact
from lfr.store import keys
from lfr.store.redis.connection import Connection, Reply
from lfr.store.stream.entries import parse_pairs


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of a history.

    id      the entry id, from which reading goes on
    at_ms   the time of the transition, in milliseconds since the epoch
    facts   what happened, in order
    reason  why a step, or an attempt of it, failed; else empty
    """

    id: str
    at_ms: int
    facts: tuple[Fact, ...]
    reason: str


def read_history(
    connection: Connection, workflow: str, *, after: str = "0-0", count: int = 1000, block_ms: int = 0
) -> list[HistoryEntry]:
    """Return up to `count` entries later than the one with id `after`, oldest first. (XREAD)

    If there is none, wait up to `block_ms` milliseconds for one; 0: do not wait.
    """
    block = ("BLOCK", block_ms) if block_ms else ()
    reply = connection.call("XREAD", "COUNT", count, *block, "STREAMS", keys.history(workflow), after)
    return [_parse_entry(entry) for entry in reply[0][1]] if reply else []


def read_whole_history(connection: Connection, workflow: str, *, since_ms: int = 0) -> list[HistoryEntry]:
    """Return all entries of a history that are later than `since_ms` (since the epoch), oldest first.

    No earlier entries are read: the id of an entry is no earlier than its transition.
    """
    entries: list[HistoryEntry] = []
    page = read_history(connection, workflow, after=f"{since_ms}-0")
    while page:
        entries += page
        page = read_history(connection, workflow, after=page[-1].id)
    return [entry for entry in entries if entry.at_ms > since_ms]


def _parse_entry(entry: Sequence[Reply]) -> HistoryEntry:
    id, flat = entry
    fields = parse_pairs(flat)
    return HistoryEntry(
        id=id.decode(),
        at_ms=int(fields[b"at"]),
        facts=tuple(map(Fact.parse, fields[b"facts"].decode().split())),
        reason=fields.get(b"reason", b"").decode(errors="replace"),
    )
