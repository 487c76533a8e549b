"""The history of a workflow: a list with one element for each transition, which `commit` appends.

An element is a text: the time in milliseconds since the epoch and the facts, as words with a blank between
them (see `lfr.engine.transition.Fact`). If a step failed, the reason follows, behind the first line break:

    1796013322152 -4 !5

If somebody has caused the transition by hand, who and why follow the facts, a tab before each:

    1796013322152 terminated	ann@web1	wrong input

An earlier version wrote the history as a stream, whose entries have the fields `at`, `facts` and `reason`.
The workflows that it began keep this stream: its entries come before those of the list.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from lfr.actor import Actor
from lfr.engine.transition import Fact, FactKind
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.stream.entries import parse_pairs
from lfr.store.workflows.load import RECORD_FIELDS, Record, parse_record

_PAGE: Final = 1000
"""How many elements of the list, or entries of the stream, are read at once."""

_LATEST: Final = 100
"""How many elements at the end of the list may follow a failure that is looked for: what ran has ended."""

_ENTRY_ID: Final = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of a history.

    id      from which reading goes on: how many elements the list has up to this one; in the stream, the
            entry id
    at_ms   the time of the transition, in milliseconds since the epoch
    facts   what happened, in order
    reason  why a step, or an attempt of it, failed; else empty
    actor   who has caused it by hand
    """

    id: str
    at_ms: int
    facts: tuple[Fact, ...]
    reason: str
    actor: Actor | None = None


class RawEntry(NamedTuple):
    """An entry of a history whose facts are not parsed: words with a blank between them."""

    id: str
    at_ms: int
    facts: str
    reason: str
    actor: Actor | None = None


def format_element(at_ms: int, facts: str, reason: str = "", actor: Actor | None = None) -> str:
    """Return the element of a history's list; `facts` are words with a blank between them."""
    if actor is not None:
        facts = f"{facts}\t{actor.name}\t{actor.reason}" if actor.reason else f"{facts}\t{actor.name}"
    return f"{at_ms} {facts}\n{reason}" if reason else f"{at_ms} {facts}"


def entry_order(id: str) -> tuple[int, int, int]:
    """Return what orders the ids of one history's entries; zeros, before the first, for any other text."""
    match = _ENTRY_ID.fullmatch(id)
    if match is None:
        return 0, 0, 0
    number, second = match.groups()
    return (1, int(number), 0) if second is None else (0, int(number), int(second))


def read_history(
    connection: Connection, workflow: str, *, after: str = "", count: int = _PAGE
) -> list[HistoryEntry]:
    """Return the entries later than the one with id `after` (empty: all), oldest first. If these are fewer
    than `count`, there are no more. (LRANGE, XREAD)"""
    replies = connection.execute(_read_commands(workflow, after, count))
    return list(map(_parse_facts, _parse_replies(replies, after, count)))


def read_record_and_history(
    connection: Connection, workflow: str, *, after: str = "", count: int = _PAGE
) -> tuple[Record | None, list[HistoryEntry]]:
    """Return the record of a workflow, None if there is none, and what `read_history` returns, both at the
    same point in time. (MULTI/EXEC)"""
    commands = [("HMGET", workflow, *RECORD_FIELDS), *_read_commands(workflow, after, count)]
    record, *replies = connection.transact(commands) or [None]
    return parse_record(workflow, record), list(map(_parse_facts, _parse_replies(replies, after, count)))


def read_whole_history(connection: Connection, workflow: str) -> list[HistoryEntry]:
    """Return all entries of a history, oldest first."""
    return list(map(_parse_facts, read_raw_history(connection, workflow)))


def read_raw_history(connection: Connection, workflow: str) -> list[RawEntry]:
    """Return what `read_whole_history` returns, with unparsed facts."""
    entries: list[RawEntry] = []
    is_complete = False
    while not is_complete:
        after = entries[-1].id if entries else ""
        replies = connection.execute(_read_commands(workflow, after, _PAGE))
        page = _parse_replies(replies, after, _PAGE)
        entries += page
        is_complete = len(page) < _PAGE
    return entries


def read_failed_step(connection: Connection, workflow: str) -> int | None:
    """Return the index of the step with which a failed workflow has failed; None if it was no step, as in one
    that took too long. Looks at the latest entries only. (LRANGE)"""
    elements = connection.call("LRANGE", keys.facts(workflow), -_LATEST, -1)
    for entry in map(_parse_facts, reversed(_parse_elements(elements, 0))):
        failed = [fact for fact in entry.facts if fact.kind is FactKind.FAILED]
        if any(fact.index is None for fact in failed):
            return next((fact.index for fact in failed if fact.index is not None), None)
    return None


def read_history_since(connection: Connection, workflow: str, since_ms: int) -> list[HistoryEntry]:
    """Return the entries that are later than `since_ms` (since the epoch), oldest first. Reads few that are
    earlier. (LLEN, LRANGE, XREAD)"""
    key, pages = keys.facts(workflow), deque[list[RawEntry]]()
    end = int(connection.call("LLEN", key))
    while end:
        first = max(0, end - _PAGE)
        page = _parse_elements(connection.call("LRANGE", key, first, end - 1), first)
        if all(entry.at_ms <= since_ms for entry in page):
            break
        pages.appendleft(page)
        end = first
    entries = [entry for page in pages for entry in page]
    if not end:  # so the stream may have entries that are later, too
        entries = _read_stream_since(connection, workflow, since_ms) + entries
    return [_parse_facts(entry) for entry in entries if entry.at_ms > since_ms]


def _read_stream_since(connection: Connection, workflow: str, since_ms: int) -> list[RawEntry]:
    entries: list[RawEntry] = []
    after = f"{since_ms}-0"  # the id of an entry is no earlier than its transition
    while page := _parse_stream(connection.call(*_stream_command(workflow, after, _PAGE))):
        entries += page
        after = page[-1].id
    return entries


def _is_in_list(id: str) -> bool:
    return entry_order(id)[0] == 1


def _read_commands(workflow: str, after: str, count: int) -> list[Command]:
    if _is_in_list(after):
        return [_list_command(workflow, int(after), count)]
    return [_stream_command(workflow, after or "0-0", count), _list_command(workflow, 0, count)]


def _list_command(workflow: str, first: int, count: int) -> Command:
    return ("LRANGE", keys.facts(workflow), first, first + count - 1)


def _stream_command(workflow: str, after: str, count: int) -> Command:
    return ("XREAD", "COUNT", count, "STREAMS", keys.history(workflow), after)


def _parse_replies(replies: Sequence[Reply], after: str, count: int) -> list[RawEntry]:
    """Return the entries that `_read_commands` has read; those of the list only after the whole stream."""
    if _is_in_list(after):
        return _parse_elements(replies[0], int(after))
    entries = _parse_stream(replies[0])
    return entries if len(entries) >= count else entries + _parse_elements(replies[1], 0)


def _parse_elements(elements: Iterable[bytes], first: int) -> list[RawEntry]:
    return [_parse_element(str(number), element) for number, element in enumerate(elements, first + 1)]


def _parse_element(id: str, element: bytes) -> RawEntry:
    head, _, reason = element.partition(b"\n")
    at_ms, _, text = head.partition(b" ")
    facts, *actor = text.decode(errors="replace").split("\t")
    return RawEntry(
        id, int(at_ms), facts, reason.decode(errors="replace"), Actor(*actor[:2]) if actor else None
    )


def _parse_stream(reply: Reply) -> list[RawEntry]:
    return [_parse_stream_entry(id.decode(), parse_pairs(flat)) for id, flat in reply[0][1]] if reply else []


def _parse_stream_entry(id: str, fields: Mapping[bytes, bytes]) -> RawEntry:
    reason = fields.get(b"reason", b"").decode(errors="replace")
    return RawEntry(id, int(fields[b"at"]), fields[b"facts"].decode(), reason)


def _parse_facts(entry: RawEntry) -> HistoryEntry:
    facts = tuple(map(Fact.parse, entry.facts.split()))
    return HistoryEntry(entry.id, entry.at_ms, facts, entry.reason, entry.actor)
