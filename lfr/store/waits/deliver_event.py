"""An event comes: it ends all waits that are older than it and ask for it.

If there is none, it ends the oldest of the younger waits whose workflow had started before it came: these
were dealt with first. If there is none of these either, it is kept as free. In any case it is kept, for
older waits of which the start-task is still to be dealt with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lfr.store import keys
from lfr.store.redis.clock import read_time_ms
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import ConsumerId, acknowledge_command
from lfr.store.waits.event_buffer import KeptEvent, came_after_start, watch_events
from lfr.store.waits.match import Meeting
from lfr.store.waits.match_index import watch_field_sets
from lfr.store.waits.registry import remove_wait_commands, watch_waits
from lfr.store.waits.start import root_of
from lfr.tasks.matching import FieldSet, places
from lfr.tasks.wait_spec import Wait
from lfr.values.json import Json
from lfr.values.stream_id import StreamId

FEW = 8
"""How many waits of a place are ended by each of many events in one transaction."""

MANY = 500
"""How many waits of a place are ended by one event in one transaction."""


class Arrival(NamedTuple):
    """An event that has come: its id on the stream, its kind, its fields."""

    id: str
    kind: str
    values: Mapping[str, Json]


class Outcome(NamedTuple):
    """What became of arrivals.

    is_refused  nothing was done: somebody else has touched what it stands on
    unfinished  those that may end more waits; they have not been acknowledged
    """

    is_refused: bool
    unfinished: Sequence[Arrival]


@dataclass(slots=True)
class _Waiting:
    """The waits in the places of an event.

    older   the waits that are older than the event; `younger`: the others, oldest first
    is_cut  whether there may be more of the older ones
    """

    older: list[Wait] = field(default_factory=list)
    younger: list[Wait] = field(default_factory=list)
    is_cut: bool = False


class _Found(NamedTuple):
    """The waits in the places of each event; and places with names of waits that somebody has deleted."""

    waiting: Sequence[_Waiting]
    lost: Sequence[tuple[str, str]]


def take_arrivals(
    connection: Connection, consumer: ConsumerId, arrivals: Sequence[Arrival], *, most: int, retain_ms: int
) -> Outcome:
    """Let events end up to `most` waits in each of their places, and keep them, in one transaction.

    Of several, those that may end more are left for later; one alone ends as many as it may. Watched: the
    field sets of their kinds, the events as they are kept, their places, and the waits there.
    """
    asked = watch_field_sets(connection, (arrival.kind for arrival in arrivals))
    known = watch_events(connection, [arrival.id for arrival in arrivals])
    found = _find(connection, arrivals, asked, most)
    now_ms = read_time_ms(connection)
    meeting = Meeting({event.id: event for event in known if event is not None})
    unfinished = [arrival for arrival, theirs in zip(arrivals, found.waiting, strict=True) if theirs.is_cut]
    finished: list[str] = []
    for arrival, theirs in zip(arrivals, found.waiting, strict=True):
        if theirs.is_cut and len(arrivals) > 1:
            continue
        _meet(
            connection,
            consumer.stream,
            meeting,
            arrival,
            theirs,
            is_fresh=_came_ms(arrival) + retain_ms > now_ms,
        )
        finished += [] if theirs.is_cut else [arrival.id]
    commands = meeting.commands(consumer.stream, asked, retain_ms, now_ms)
    commands += remove_wait_commands([wait for wait, _ in meeting.ended])
    commands += [("ZREM", keys.event_waits(place), name) for place, name in found.lost]
    commands += [acknowledge_command(consumer, finished)] if finished else []
    return Outcome(connection.transact(commands) is None, unfinished)


def _find(
    connection: Connection,
    arrivals: Sequence[Arrival],
    asked: Mapping[str, Mapping[FieldSet, bool]],
    most: int,
) -> _Found:
    """The waits that each event may end. (WATCH, ZRANGE; WATCH, GET)"""
    here = [list(places(each.kind, each.values, asked[each.kind]).values()) for each in arrivals]
    wanted = list(dict.fromkeys(place for theirs in here for place in theirs))
    commands: list[Command] = [("WATCH", *map(keys.event_waits, wanted))] if wanted else []
    commands += [("ZRANGE", keys.event_waits(place), 0, most - 1) for place in wanted]
    pages = connection.execute(commands)[1:] if commands else []
    names = {place: [name.decode() for name in page] for place, page in zip(wanted, pages, strict=True)}
    all_names = list(dict.fromkeys(name for page in names.values() for name in page))
    waits = dict(zip(all_names, watch_waits(connection, all_names), strict=True))
    waiting = [
        _sort(arrival, [[waits[name] for name in names[place]] for place in theirs], most)
        for arrival, theirs in zip(arrivals, here, strict=True)
    ]
    lost = [(place, name) for place in wanted for name in names[place] if waits[name] is None]
    return _Found(waiting, lost)


def _sort(arrival: Arrival, pages: Sequence[Sequence[Wait | None]], most: int) -> _Waiting:
    waiting = _Waiting()
    came = StreamId.parse(arrival.id)
    for page in pages:
        there = [wait for wait in page if wait is not None]
        older = [wait for wait in there if StreamId.parse(wait.since) < came]
        waiting.older += older
        waiting.younger += [wait for wait in there if StreamId.parse(wait.since) > came]
        waiting.is_cut |= len(page) == most and len(older) == len(there)
    waiting.younger.sort(key=lambda wait: StreamId.parse(wait.since))
    return waiting


def _meet(
    connection: Connection,
    stream: str,
    meeting: Meeting,
    arrival: Arrival,
    waiting: _Waiting,
    *,
    is_fresh: bool,
) -> None:
    """Let one event end its waits; keep it."""
    over = {wait.name for wait, _ in meeting.ended}
    known = meeting.events.get(arrival.id)
    event = known or KeptEvent(arrival.id, arrival.kind, arrival.values, is_taken=not is_fresh)
    ended = [wait for wait in waiting.older if wait.name not in over]
    if not ended and known is None and is_fresh:
        younger = (wait for wait in waiting.younger if wait.name not in over)
        ended = [wait for wait in younger if _started_before(connection, stream, wait, arrival.id)][:1]
    for wait in ended:
        meeting.end(wait, event)
        event = meeting.events[event.id]
    if known is None and not ended:
        meeting.keep(event)


def _started_before(connection: Connection, stream: str, wait: Wait, event: str) -> bool:
    """Whether the workflow of a wait had started before an event came. (HGET)"""
    workflow = wait.task.workflow
    started = connection.execute([("HGET", root_of(workflow), "started")])[0]
    return started is not None and came_after_start(connection, stream, event, workflow, int(started))


def _came_ms(arrival: Arrival) -> int:
    return StreamId.parse(arrival.id).ms
