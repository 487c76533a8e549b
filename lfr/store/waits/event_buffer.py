"""Events that are kept for waits to come.

An event that was read may be wanted by a wait whose start-task is not dealt with yet. Such a wait may be
older than the event: then the event ends it, whatever else it has ended. Or it is younger, but its workflow
is not: then the event ends it if it has ended none, and is then taken.

What counts is the event itself, `waits:event:ID`. That its id stands among the free or the taken ones of a
place is only a hint where to look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import parse_entries
from lfr.store.waits.start import root_of
from lfr.tasks.matching import FieldSet, places
from lfr.values.json import Json, decode_json_lines, encode_json, encode_json_lines
from lfr.values.stream_id import StreamId

_PAGE = 500

_LEAST_RETAIN_MS = 1000
"""So long an event is kept in any case, for waits that are older than it."""


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event by its id on the stream. `is_taken`: no younger wait may have it; `is_receipted`: it has its
    receipt."""

    id: str
    kind: str
    values: Mapping[str, Json]
    is_taken: bool = False
    is_receipted: bool = False


def watch_events(connection: Connection, ids: Sequence[str]) -> list[KeptEvent | None]:
    """Watch and read events that are kept; None for one that is not. (WATCH, GET)"""
    if not ids:
        return []
    found = connection.execute([("WATCH", *map(keys.event, ids)), *(("GET", keys.event(id)) for id in ids)])[
        1:
    ]
    return [_read(id, text) if text else None for id, text in zip(ids, found, strict=True)]


def buffer_event_commands(
    event: KeptEvent, asked: Iterable[FieldSet], retain_ms: int, now_ms: int
) -> list[Command]:
    """The commands that keep an event as it now is, where those find it who ask for these fields."""
    lasts_ms = max(retain_ms, _LEAST_RETAIN_MS)
    told = [event.kind, event.is_taken, event.is_receipted, list(event.values)]
    came_ms = StreamId.parse(event.id).ms
    oldest_ms = min(now_ms, came_ms) - lasts_ms
    commands: list[Command] = [
        ("SET", keys.event(event.id), encode_json_lines(told, *event.values.values()), "PX", lasts_ms)
    ]
    indexes = [keys.kept(event.kind)]
    for place in places(event.kind, event.values, asked).values():
        if event.is_taken:
            commands.append(("ZREM", keys.free(place), event.id))
        indexes.append(keys.taken(place) if event.is_taken else keys.free(place))
    for index in indexes:
        commands += (
            ("ZADD", index, came_ms, event.id),
            ("ZREMRANGEBYSCORE", index, "-inf", oldest_ms),
            ("PEXPIRE", index, lasts_ms),
        )
    return commands


def introduce(connection: Connection, kind: str, names: FieldSet, retain_ms: int, now_ms: int) -> None:
    """Have the kept events of a kind found by these fields. (ZADD, HSETNX; ZRANGE, GET, ZADD; HSET)

    From the first command on, whoever keeps an event puts it there; those that were kept before are put
    there now. Killed in between, the next wait that asks for these fields begins again.
    """
    # Who waits may be ended at once, and never be kept: so it is noted here what is to be forgotten one day.
    noted: Command = ("ZADD", keys.AWAITED_KINDS, "NX", now_ms, kind)
    connection.execute([noted, ("HSETNX", keys.field_sets(kind), names, 0)])
    ids = [id.decode() for id in connection.execute([("ZRANGE", keys.kept(kind), 0, -1)])[0]]
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        texts = connection.execute([("GET", keys.event(id)) for id in page])
        found = [_read(id, text) for id, text in zip(page, texts, strict=True) if text]
        commands = [command for event in found for command in _hint(event, [names], retain_ms)]
        if commands:
            connection.execute(commands)
    connection.execute([("HSET", keys.field_sets(kind), names, 1)])


def correct_hints(
    connection: Connection, place: str, wrong: Collection[str], found: Iterable[KeptEvent]
) -> None:
    """Take ids away from the free ones of a place; those that are taken stand where these do. (ZREM, ZADD)"""
    commands: list[Command] = [("UNWATCH",), ("ZREM", keys.free(place), *wrong)]
    commands += [
        ("ZADD", keys.taken(place), StreamId.parse(event.id).ms, event.id)
        for event in found
        if event.id in wrong
    ]
    connection.execute(commands)


def came_after_start(connection: Connection, stream: str, event: str, workflow: str, started_ms: int) -> bool:
    """Whether an event came after the workflow of a wait had started. (XRANGE, if the times are equal)"""
    came_ms, number = StreamId.parse(event)
    if came_ms != started_ms:
        return came_ms > started_ms
    # Within one millisecond their order on the stream tells, as long as the start stands there.
    later = connection.execute(
        [("XRANGE", stream, f"({came_ms}-{number}", f"{came_ms + 1000}", "COUNT", 1000)]
    )[0]
    told = (
        events.peek_kind(entry.fields) for entry in parse_entries(later) if _is_about(entry.fields, workflow)
    )
    return events.START_WORKFLOW not in told


def _is_about(fields: events.Fields, workflow: str) -> bool:
    return fields.get(b"workflow") == encode_json(root_of(workflow)).encode()


def _hint(event: KeptEvent, asked: Iterable[FieldSet], retain_ms: int) -> list[Command]:
    commands: list[Command] = []
    for place in places(event.kind, event.values, asked).values():
        index = keys.taken(place) if event.is_taken else keys.free(place)
        commands.append(("ZADD", index, StreamId.parse(event.id).ms, event.id))
        commands.append(("PEXPIRE", index, max(retain_ms, _LEAST_RETAIN_MS)))
    return commands


def _read(id: str, text: bytes) -> KeptEvent:
    (kind, is_taken, is_receipted, names), *values = decode_json_lines(text)
    return KeptEvent(id, kind, dict(zip(names, values, strict=True)), is_taken, is_receipted)
