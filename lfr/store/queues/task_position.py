"""Finds where the task of an attempt stands: in the queue of a group, on the bus, with a worker, or ended."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from lfr import event_fields, events
from lfr.event_fields import Malformed
from lfr.store import keys
from lfr.store.queues.routes import OWN_GROUPS
from lfr.store.redis.connection import Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import Entry, parse_entries
from lfr.store.stream.groups import Group, read_groups
from lfr.values.stream_id import StreamId

_PAGE: Final = 100

MAX_AHEAD: Final = 1000
"""How many entries are looked at: before the task in its queue, and of the results."""


MAX_SAME: Final = 10
"""How many tasks that came at one time `read_consumers` looks at."""


@dataclass(frozen=True, slots=True)
class TaskPosition:
    """The start-task of an attempt that has not ended.

    group       the group of workers in whose queue it is, or whose worker has read it on the bus; empty: it
                is on the bus, and nobody has read it
    ahead       how many entries the group has to read before this one, up to MAX_AHEAD; 0 once it is read
    consumer    who has read it; empty: nobody
    idle_ms     since its consumer has last read or claimed it
    deliveries  how often it was handed out
    """

    group: str
    ahead: int = 0
    consumer: str = ""
    idle_ms: int = 0
    deliveries: int = 0


def find_task_position(
    connection: Connection, bus: str, group: str | None, attempt: events.AttemptId, since_ms: int
) -> TaskPosition | None:
    """Return where the start-task of an attempt stands, None if it is not found; reads bounded parts of one
    stream. `group` has claimed its task; None: nobody has. `since_ms` is when the attempt started, on the
    clock of Redis. (XINFO, XRANGE, XPENDING)"""
    stream = bus if group is None else keys.queue(group)
    entry_id = _find_entry(connection, stream, attempt, since_ms)
    if entry_id is None:
        return None
    groups = read_groups(connection, stream)
    if group is None:
        groups = [each for each in groups if each.name not in OWN_GROUPS]
    for each in groups:
        row = connection.call("XPENDING", stream, each.raw_name, entry_id, entry_id, 1, keep_errors=True)
        if isinstance(row, list) and row:
            _, consumer, idle_ms, deliveries = row[0]
            name = consumer.decode(errors="backslashreplace")
            return TaskPosition(each.name, 0, name, int(idle_ms), int(deliveries))
    if group is None:
        return TaskPosition("")
    own = next((each for each in groups if each.name == group), None)
    return TaskPosition(group, _count_ahead(connection, stream, own, entry_id))


def read_consumers(connection: Connection, starts: Sequence[tuple[str, int]]) -> list[list[str]]:
    """Return for each start of a task, a group and milliseconds since the epoch, the consumers of the group
    that work on what came into its queue in the second from then on, each as often as it has such a task;
    none if these are more than MAX_SAME, or without a group. (XPENDING)"""
    pipeline = Pipeline(connection)
    replies = [
        pipeline.add(
            "XPENDING",
            keys.queue(group),
            group,
            str(StreamId(since_ms, 0)),
            f"({StreamId(since_ms + 1000, 0)}",
            MAX_SAME,
        )
        for group, since_ms in starts
        if group
    ]
    pipeline.send()
    rows = iter([reply.value_or_none or [] for reply in replies])
    return [
        [consumer.decode(errors="backslashreplace") for _, consumer, *_ in (next(rows) if group else [])]
        for group, _ in starts
    ]


def _find_entry(connection: Connection, stream: str, attempt: events.AttemptId, since_ms: int) -> str | None:
    """Return the id of the start-task of an attempt: no earlier than the attempt, and mostly just then."""
    start, looked_at = str(StreamId(since_ms, 0)), 0
    while looked_at < MAX_AHEAD:
        page = parse_entries(connection.call("XRANGE", stream, start, "+", "COUNT", _PAGE), stream)
        for entry in page:
            if _attempt_of(entry, events.START_TASK) == attempt[:3]:
                return entry.id
        if len(page) < _PAGE:
            return None
        start, looked_at = f"({page[-1].id}", looked_at + len(page)
    return None


def _count_ahead(connection: Connection, stream: str, group: Group | None, entry_id: str) -> int:
    start, count = "-" if group is None else f"({group.last_delivered}", 0
    while count < MAX_AHEAD:
        page = connection.call("XRANGE", stream, start, f"({entry_id}", "COUNT", _PAGE)
        count += len(page)
        if len(page) < _PAGE:
            break
        start = f"({page[-1][0].decode()}"
    return count


@dataclass(frozen=True, slots=True)
class Results:
    """The results that no lifecycle has processed: how many there are, and of which attempts (workflow, index
    and attempt), among the oldest and the newest MAX_AHEAD."""

    count: int
    attempts: frozenset[tuple[str, int, int]]


def read_results(connection: Connection) -> Results:
    """Return the results that no lifecycle has processed. (XLEN, XRANGE, XREVRANGE)"""
    pipeline = Pipeline(connection)
    length = pipeline.add("XLEN", keys.ENDS)
    oldest = pipeline.add("XRANGE", keys.ENDS, "-", "+", "COUNT", MAX_AHEAD)
    newest = pipeline.add("XREVRANGE", keys.ENDS, "+", "-", "COUNT", MAX_AHEAD)
    pipeline.send()
    entries = [entry for page in (oldest, newest) for entry in parse_entries(page.value_or_none or ())]
    attempts = {_attempt_of(entry, events.END_TASK) for entry in entries}
    return Results(length.value_or_none or 0, frozenset(each for each in attempts if each is not None))


def count_in_work(connection: Connection, groups: Sequence[str]) -> dict[str, int]:
    """Return how many tasks the workers of each of these groups have read and not ended. (XPENDING)"""
    pipeline = Pipeline(connection)
    replies = {group: pipeline.add("XPENDING", keys.queue(group), group) for group in groups}
    pipeline.send()
    return {group: reply.value_or_none[0] if reply.value_or_none else 0 for group, reply in replies.items()}


def _attempt_of(entry: Entry, kind: str) -> tuple[str, int, int] | None:
    """Return workflow, index and attempt of an event of this kind; None for any other."""
    if event_fields.peek_kind(entry.fields) != kind:
        return None
    with suppress(Malformed):
        values = event_fields.decode(event_fields.without_large_values(entry.fields))
        workflow, index, attempt = (values.get(name) for name in (b"workflow", b"index", b"attempt"))
        if isinstance(workflow, str) and isinstance(index, int) and isinstance(attempt, int | None):
            return workflow, index, 1 if attempt is None else attempt
    return None
