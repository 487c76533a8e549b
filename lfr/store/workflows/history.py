"""The history of a workflow: a list with one element for each transition, appended by `commit`. A transition
with many facts has several, so that a page of elements has few facts.

An element is a text: the time in milliseconds since the epoch and the facts, as words with a blank between
them (see `lfr.engine.transition.Fact`). If a step failed, the reason follows, behind the first line break:

    1796013322152 -4 !5

If somebody has caused the transition by hand, who and why follow the facts, a tab before each:

    1796013322152 terminated	ann@web1	wrong input

The oldest elements of a long history are removed (`trim_history`). Then the field `removed` of the record
says how many elements of the list, and how many entries in all, they were; `W:removed` holds what they said,
as JSON that this module does not look into.

An earlier version wrote the history as a stream, whose entries have the fields `at`, `facts` and `reason`.
The workflows that it began keep this stream: its entries come before those of the list.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from lfr.actor import Actor
from lfr.engine.transition import Fact, FactKind
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.stream.entries import parse_pairs
from lfr.store.workflows.record import RECORD_FIELDS, Record, Removed, parse_record, parse_removed
from lfr.values.json import Json, decode_json, encode_json

_PAGE: Final = 1000
"""How many elements of the list, or entries of the stream, are read at once."""

_MOST_FACTS: Final = 250
"""How many facts an element has, but for those that belong to the last of them."""

_MOST_OF_WORKFLOW: Final = 10
"""How many facts of the workflow may follow: a failure stands beside that of the step that has caused it."""

_LATEST: Final = 100
"""How many elements at the end of the list may follow a failure that is looked for: what ran has ended."""

_MAX_TRIES: Final = 10
"""How often to try to remove elements while others append some."""

_ENTRY_ID: Final = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of a history.

    id      from which reading goes on: how many elements the list has had up to this one; in the stream, the
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


class History(NamedTuple):
    """A history: its entries, oldest first, and what those said that were removed before; None: none were."""

    entries: list[HistoryEntry]
    removed: Json = None


class RawHistory(NamedTuple):
    """A history whose facts are not parsed."""

    entries: list[RawEntry]
    removed: Json = None


def format_elements(
    at_ms: int, words: Sequence[str], reason: str = "", actor: Actor | None = None
) -> Iterator[str]:
    """Yield the elements of a history's list for a transition: one, or several if it has many facts. `words`
    are those of its facts. The first element says who has caused it, and each with a failure the reason."""
    first = True
    for part in _parts(words):
        facts = " ".join(part)
        if first and actor is not None:
            facts = f"{facts}\t{actor.name}\t{actor.reason}" if actor.reason else f"{facts}\t{actor.name}"
        has_reason = reason and (len(part) == len(words) or any(map(_may_have_reason, part)))
        yield f"{at_ms} {facts}\n{reason}" if has_reason else f"{at_ms} {facts}"
        first = False


def _parts(words: Sequence[str]) -> Iterator[Sequence[str]]:
    start = 0
    while True:
        end = start + _MOST_FACTS
        while end < min(len(words), start + _MOST_FACTS + _MOST_OF_WORKFLOW) and words[end][0].isalpha():
            end += 1
        yield words[start:end]
        start = end
        if start >= len(words):
            return


def _may_have_reason(word: str) -> bool:
    """Return whether this is a fact of the workflow, or the failure of an attempt."""
    return word[0].isalpha() or word[0] in "!^"


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
    than `count`, there are no more. (HGET, LRANGE, XREAD)"""
    removed = _read_removed(connection, workflow)
    while (page := _read_page(connection, workflow, after, count, removed)) is None:
        removed = _read_removed(connection, workflow)
    return list(map(parse_entry, page))


def read_record_and_history(
    connection: Connection, workflow: str, *, after: str = "", removed: Removed = (0, 0), count: int = _PAGE
) -> tuple[Record | None, list[RawEntry]]:
    """Return the record of a workflow, None if there is none, and what `read_history` returns, with unparsed
    facts, both at the same point in time. `removed` is that of the record, if it is known. (MULTI/EXEC)"""
    while True:
        commands = [("HMGET", workflow, *RECORD_FIELDS), *_read_commands(workflow, after, count, removed)]
        reply, *replies = connection.transact(commands) or [None]
        record = parse_record(workflow, reply)
        if record is None:
            return None, []
        if record.removed == removed:
            return record, _parse_replies(replies, after, count, removed)
        removed = record.removed


def read_whole_history(connection: Connection, workflow: str) -> History:
    """Return a whole history."""
    entries, removed = read_raw_history(connection, workflow)
    return History(list(map(parse_entry, entries)), removed)


def read_raw_history(connection: Connection, workflow: str) -> RawHistory:
    """Return what `read_whole_history` returns, with unparsed facts."""
    while True:
        removed_reply, text = connection.execute(
            [("HGET", workflow, "removed"), ("GET", keys.removed_history(workflow))]
        )
        removed = parse_removed(removed_reply)
        entries: list[RawEntry] = []
        page: list[RawEntry] | None = []
        is_complete = False
        while page is not None and not is_complete:
            after = entries[-1].id if entries else ""
            page = _read_page(connection, workflow, after, _PAGE, removed)
            entries += page or []
            is_complete = page is not None and len(page) < _PAGE
        if is_complete:
            return RawHistory(entries, None if text is None else decode_json(text))


def parse_history_list(elements: Iterable[bytes]) -> History:
    """Return the history that a list holds, of which nothing was removed."""
    return History(list(map(parse_entry, _parse_elements(elements, 0))))


def read_removed_history(connection: Connection, workflow: str) -> Json:
    """Return what the entries said that were removed; None: none were. (GET)"""
    text = connection.call("GET", keys.removed_history(workflow))
    return None if text is None else decode_json(text)


def read_latest_entries(
    connection: Connection, workflows: Sequence[str], *, count: int
) -> list[list[HistoryEntry]]:
    """Return up to `count` of the latest entries of the history of each of these workflows, oldest first,
    without those that an earlier version wrote. (LRANGE)"""
    commands: list[Command] = [("LRANGE", keys.facts(workflow), -count, -1) for workflow in workflows]
    return [list(map(parse_entry, _parse_elements(reply, 0))) for reply in connection.execute(commands)]


def read_failed_step(connection: Connection, workflow: str) -> int | None:
    """Return the index of the step with which a failed workflow has failed; None if it was no step, as in one
    that took too long. Looks at the latest entries only. (LRANGE)"""
    elements = connection.call("LRANGE", keys.facts(workflow), -_LATEST, -1)
    for entry in map(parse_entry, reversed(_parse_elements(elements, 0))):
        failed = [fact for fact in entry.facts if fact.kind is FactKind.FAILED]
        if any(fact.index is None for fact in failed):
            return next((fact.index for fact in failed if fact.index is not None), None)
    return None


def read_history_since(connection: Connection, workflow: str, since_ms: int) -> History:
    """Return the part of a history that is later than `since_ms` (since the epoch). Reads few entries before
    it. (HGET, LLEN, LRANGE, XREAD)"""
    while True:
        removed = _read_removed(connection, workflow)
        entries, reaches_stream = _read_list_since(connection, workflow, since_ms)
        text = None
        if reaches_stream:  # so it, and what was removed, may have entries that are later, too
            entries = _read_stream_since(connection, workflow, since_ms) + entries
            text = connection.call("GET", keys.removed_history(workflow))
        if _read_removed(connection, workflow) == removed:
            later = [parse_entry(entry) for entry in entries if entry.at_ms > since_ms]
            return History(later, None if text is None else decode_json(text))


def _read_list_since(connection: Connection, workflow: str, since_ms: int) -> tuple[list[RawEntry], bool]:
    """Return the last pages of the list, and whether they are all of it."""
    key, pages = keys.facts(workflow), deque[list[RawEntry]]()
    end = int(connection.call("LLEN", key))
    while end:
        first = max(0, end - _PAGE)
        page = _parse_elements(connection.call("LRANGE", key, first, end - 1), first)
        if all(entry.at_ms <= since_ms for entry in page):
            break
        pages.appendleft(page)
        end = first
    return [entry for page in pages for entry in page], not end


def _read_stream_since(connection: Connection, workflow: str, since_ms: int) -> list[RawEntry]:
    entries: list[RawEntry] = []
    after = f"{since_ms}-0"  # the id of an entry is no earlier than its transition
    while page := _parse_stream(connection.call(*_stream_command(workflow, after, _PAGE))):
        entries += page
        after = page[-1].id
    return entries


def trim_history(
    connection: Connection, workflow: str, *, most: int, count: int, add: Callable[[History], Json]
) -> bool:
    """Remove the `count` oldest entries if a history has more than `most`; those of the stream first. Return
    whether it has more than that still.

    `add` returns what the removed entries say, from these and from what those said that were removed before.
    Does nothing if others change the workflow all the time. (HGET, GET, LLEN, LRANGE, XLEN, XRANGE; WATCH;
    MULTI/EXEC: LTRIM, XDEL, HSET, SET)
    """
    key, stream = keys.facts(workflow), keys.history(workflow)
    identity = ("HMGET", workflow, "started", "run", "removed")
    before, text, length, elements, stream_length, stream_entries = (
        connection.transact(
            [
                identity,
                ("GET", keys.removed_history(workflow)),
                ("LLEN", key),
                ("LRANGE", key, 0, count - 1),
                ("XLEN", stream),
                ("XRANGE", stream, "-", "+", "COUNT", count),
            ]
        )
        or [None] * 6
    )
    if before is None or before[0] is None or length + stream_length <= most:
        return False
    of_list, of_all = parse_removed(before[2])
    oldest = _parse_stream_entries(stream_entries) or _parse_elements(elements, of_list)
    former = None if text is None else decode_json(text)
    removed = encode_json(add(History(list(map(parse_entry, oldest)), former)))
    if stream_entries:
        cut: Command = ("XDEL", stream, *(entry.id for entry in oldest))
    else:
        cut = ("LTRIM", key, len(oldest), -1)
        of_list += len(oldest)
    commands = [
        cut,
        ("HSET", workflow, "removed", f"{of_list} {of_all + len(oldest)}"),
        ("SET", keys.removed_history(workflow), removed),
    ]
    for _ in range(_MAX_TRIES):
        _, now = connection.execute([("WATCH", workflow), identity])
        if now != before:  # another lifecycle has done it, or another workflow has the id
            connection.unwatch()
            return False
        if connection.transact(commands) is not None:
            return bool(length + stream_length - len(oldest) > most)
    return True


def _read_removed(connection: Connection, workflow: str) -> Removed:
    return parse_removed(connection.call("HGET", workflow, "removed"))


def _read_page(
    connection: Connection, workflow: str, after: str, count: int, removed: Removed
) -> list[RawEntry] | None:
    """Return a page of entries; None if others than `removed` have been removed."""
    commands = _read_commands(workflow, after, count, removed)
    *replies, reply = connection.execute([*commands, ("HGET", workflow, "removed")])
    return _parse_replies(replies, after, count, removed) if parse_removed(reply) == removed else None


def _is_in_list(id: str) -> bool:
    return entry_order(id)[0] == 1


def _read_commands(workflow: str, after: str, count: int, removed: Removed) -> list[Command]:
    if _is_in_list(after):
        return [_list_command(workflow, max(0, int(after) - removed[0]), count)]
    return [_stream_command(workflow, after or "0-0", count), _list_command(workflow, 0, count)]


def _list_command(workflow: str, first: int, count: int) -> Command:
    return ("LRANGE", keys.facts(workflow), first, first + count - 1)


def _stream_command(workflow: str, after: str, count: int) -> Command:
    return ("XREAD", "COUNT", count, "STREAMS", keys.history(workflow), after)


def _parse_replies(replies: Sequence[Reply], after: str, count: int, removed: Removed) -> list[RawEntry]:
    """Return the entries that `_read_commands` has read; those of the list only after the whole stream."""
    if _is_in_list(after):
        return _parse_elements(replies[0], max(int(after), removed[0]))
    entries = _parse_stream(replies[0])
    return entries if len(entries) >= count else entries + _parse_elements(replies[1], removed[0])


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
    return _parse_stream_entries(reply[0][1]) if reply else []


def _parse_stream_entries(reply: Reply) -> list[RawEntry]:
    return [_parse_stream_entry(id.decode(), parse_pairs(flat)) for id, flat in reply]


def _parse_stream_entry(id: str, fields: Mapping[bytes, bytes]) -> RawEntry:
    reason = fields.get(b"reason", b"").decode(errors="replace")
    return RawEntry(id, int(fields[b"at"]), fields[b"facts"].decode(), reason)


def split_entry(entry: RawEntry) -> Iterator[RawEntry]:
    """Yield an entry in parts with few facts: an earlier version wrote any number of them in one."""
    return (entry._replace(facts=" ".join(part)) for part in _parts(entry.facts.split()))


def parse_entry(entry: RawEntry) -> HistoryEntry:
    """Return the entry with its facts."""
    facts = tuple(map(Fact.parse, entry.facts.split()))
    return HistoryEntry(entry.id, entry.at_ms, facts, entry.reason, entry.actor)
