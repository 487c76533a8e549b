"""A step begins to wait for an event: one that is kept, or else one to come.

The beginning of a wait and the coming of its event may meet. Each reads, under watch, what the other writes:
the wait the kept events of its place, the event the waits of its places. So one of the two is refused, and
finds the other when it is done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import ConsumerId
from lfr.store.waits.event_buffer import (
    KeptEvent,
    came_after_start,
    correct_hints,
    introduce,
    watch_events,
)
from lfr.store.waits.match import Meeting, awaited
from lfr.store.waits.match_index import watch_field_sets
from lfr.store.waits.registry import add_wait_commands
from lfr.store.waits.start import Standing, start_receipt_commands, watch_started
from lfr.tasks.matching import FieldSet, field_set, place
from lfr.tasks.wait_spec import Wait
from lfr.values.stream_id import StreamId

_MORE = 100
"""How many kept events of a place are looked at besides one for each wait."""


class _Found(NamedTuple):
    """The ids of the kept events of a place that have ended no wait, and of those that have, oldest first."""

    free: list[str]
    taken: list[str]


def keep_event_waits(
    connection: Connection, consumer: ConsumerId, waits: Sequence[Wait], *, retain_ms: int
) -> bool:
    """End each of these waits by an event that is kept, or keep it until one comes.

    False if it is to be done again, one by one: somebody else has touched what it stands on. Watched: the
    waits, the field sets of their kinds, the kept events of their places and those of them that may fit.
    """
    standing = watch_started(connection, consumer, waits)
    wanted = [wait for wait in waits if wait.since in standing.wanted]
    asked = watch_field_sets(connection, (awaited(wait).kind for wait in wanted))
    unknown = _unknown(wanted, asked)
    if unknown:
        connection.execute([("UNWATCH",)])
        for kind, names in unknown:
            introduce(connection, kind, names, retain_ms, standing.now_ms)
        return False
    found = _find(connection, wanted, standing)
    meeting = None if found is None else _watch_found(connection, found)
    if found is None or meeting is None:
        return False
    commands: list[Command] = []
    for wait in sorted(wanted, key=lambda wait: StreamId.parse(wait.since)):
        event = _choose(connection, consumer.stream, wait, found[_place(wait)], meeting, standing)
        if event is None:
            commands += add_wait_commands(wait)
        else:
            meeting.end(wait, event)
    commands += meeting.commands(consumer.stream, asked, retain_ms, standing.now_ms)
    return (
        connection.transact(commands + start_receipt_commands(consumer, waits, standing.now_ms)) is not None
    )


def _unknown(
    waits: Sequence[Wait], asked: Mapping[str, Mapping[FieldSet, bool]]
) -> set[tuple[str, FieldSet]]:
    """The kinds and field sets by which kept events are not found yet."""
    wanted = {(awaited(wait).kind, field_set(awaited(wait).match)) for wait in waits}
    return {(kind, names) for kind, names in wanted if not asked[kind].get(names)}


def _place(wait: Wait) -> str:
    return place(awaited(wait).kind, awaited(wait).match)


def _find(connection: Connection, waits: Sequence[Wait], standing: Standing) -> dict[str, _Found] | None:
    """What is kept in the place of each wait that may fit; None if there is too much for several waits at
    once. (WATCH, ZRANGEBYSCORE)"""
    by_place: dict[str, list[Wait]] = {}
    for wait in waits:
        by_place.setdefault(_place(wait), []).append(wait)
    commands: list[Command] = []
    for here, theirs in by_place.items():
        oldest_ms = min(standing.started_ms[wait.task.workflow] for wait in theirs)
        since_ms = min(StreamId.parse(wait.since).ms for wait in theirs)
        commands += (
            ("WATCH", keys.free(here), keys.taken(here)),
            ("ZRANGEBYSCORE", keys.free(here), oldest_ms, "+inf", "LIMIT", 0, len(theirs) + _MORE),
            ("ZRANGEBYSCORE", keys.taken(here), since_ms, "+inf", "LIMIT", 0, len(theirs) + _MORE),
        )
    replies = connection.execute(commands) if commands else []
    found: dict[str, _Found] = {}
    for number, (here, theirs) in enumerate(by_place.items()):
        free, taken = ([id.decode() for id in reply] for reply in replies[3 * number + 1 : 3 * number + 3])
        if len(theirs) > 1 and max(len(free), len(taken)) == len(theirs) + _MORE:
            connection.execute([("UNWATCH",)])
            return None
        found[here] = _Found(free, taken)
    return found


def _watch_found(connection: Connection, found: Mapping[str, _Found]) -> Meeting | None:
    """The events that were found, under watch; None after a wrong hint has been corrected."""
    ids = list(dict.fromkeys(id for each in found.values() for id in (*each.free, *each.taken)))
    kept = {event.id: event for event in watch_events(connection, ids) if event is not None}
    for here, each in found.items():
        wrong = [id for id in each.free if id not in kept or kept[id].is_taken]
        if wrong:
            correct_hints(connection, here, wrong, [kept[id] for id in wrong if id in kept])
            return None
    return Meeting(kept)


def _choose(
    connection: Connection, stream: str, wait: Wait, found: _Found, meeting: Meeting, standing: Standing
) -> KeptEvent | None:
    """The event that ends a wait: the oldest that came after it began, else the oldest that is free and came
    after its workflow had started."""
    since, workflow = StreamId.parse(wait.since), wait.task.workflow
    here = [meeting.events[id] for id in (*found.free, *found.taken) if id in meeting.events]
    here.sort(key=lambda event: StreamId.parse(event.id))
    for event in here:
        if StreamId.parse(event.id) > since:
            return event
    started_ms = standing.started_ms[workflow]
    for event in here:
        if not event.is_taken and came_after_start(connection, stream, event.id, workflow, started_ms):
            return event
    return None
