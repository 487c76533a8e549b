"""Holds waits and events back while other consumers of the group process older events of the same kind.

Several wait roles read the stream at once, and each may be slow. An event that is processed before an older
one would complete the wait that the older one is for. So a role asks what other consumers have pending, and
holds back what comes after an older event of its kind. The oldest event of a kind is never held back. If its
consumer has died, another one reclaims it after the lease; then those behind it go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lfr import event_fields, events
from lfr.engine.waits import UserEvent, pattern_of
from lfr.store.redis.connection import Connection
from lfr.store.stream.entries import ConsumerId
from lfr.store.stream.groups import call_group
from lfr.store.stream.read_size import read_entries
from lfr.tasks.wait_spec import Wait
from lfr.values.stream_id import StreamId

_PAGE_SIZE: Final = 1000

_MAX_DELIVERIES: Final = 5
"""An event that was delivered more often meets a defect each time: the others do not wait for it."""


class ReadyToProcess(NamedTuple):
    """The waits and events that a role may process now, each in the order of the stream."""

    waits: list[Wait]
    user_events: list[UserEvent]


class _Pending(NamedTuple):
    """A pending entry of the group: its id, its consumer, how often it was delivered."""

    id: str
    consumer: str
    deliveries: int


class EventOrder:
    """The waits and events that one consumer holds back. They stay pending, so their claims are renewed."""

    def __init__(self, consumer: ConsumerId) -> None:
        self._consumer = consumer
        self._held: dict[str, Wait | UserEvent] = {}
        self._kinds: dict[str, str | None] = {}  # of events that others have pending; None: no user event

    @property
    def held_ids(self) -> list[str]:
        """The entry ids of the waits and events that are held back."""
        return list(self._held)

    def release(
        self, connection: Connection, waits: Sequence[Wait] = (), user_events: Sequence[UserEvent] = ()
    ) -> ReadyToProcess:
        """Return those of these, and of those held back, that may be processed now. Hold the others back.
        Forget those that another consumer has reclaimed. Raises NoGroup. (XPENDING, XRANGE)"""
        new: dict[str, Wait | UserEvent] = {wait.entry_id: wait for wait in waits}
        new |= {event.id: event for event in user_events}
        if not new and not self._held:
            return ReadyToProcess([], [])
        if not self._held and not self._have_others_pending(connection):
            return ReadyToProcess(list(waits), list(user_events))
        candidates = self._held | new
        pending = self._read_pending(connection, max(map(StreamId.parse, candidates)))
        own_ids = {each.id for each in pending if each.consumer == self._consumer.name}
        candidates = {id: each for id, each in candidates.items() if id in new or id in own_ids}
        oldest = self._find_oldest_events(connection, [each for each in pending if each.id not in own_ids])
        self._held = {}
        ready = ReadyToProcess([], [])
        for id in sorted(candidates, key=StreamId.parse):
            candidate = candidates[id]
            kind = candidate.kind if isinstance(candidate, UserEvent) else pattern_of(candidate).kind
            if kind in oldest and oldest[kind] < StreamId.parse(id):
                self._held[id] = candidate
            elif isinstance(candidate, UserEvent):
                ready.user_events.append(candidate)
            else:
                ready.waits.append(candidate)
        return ready

    def _have_others_pending(self, connection: Connection) -> bool:
        """Return whether another consumer of the group has pending entries. (XPENDING)"""
        *_, consumers = call_group(connection, "XPENDING", self._consumer.stream, self._consumer.group)
        return any(name != self._consumer.name.encode() for name, _ in consumers or ())

    def _read_pending(self, connection: Connection, last: StreamId) -> list[_Pending]:
        """Return the pending entries of the group up to the id `last`. (XPENDING)"""
        pending: list[_Pending] = []
        start = "-"
        while True:
            page = call_group(
                connection,
                *("XPENDING", self._consumer.stream, self._consumer.group, start, str(last), _PAGE_SIZE),
            )
            pending += (_Pending(id.decode(), name.decode(), count) for id, name, _, count in page)
            if len(page) < _PAGE_SIZE:
                return pending
            start = f"({pending[-1].id}"

    def _find_oldest_events(self, connection: Connection, pending: Sequence[_Pending]) -> dict[str, StreamId]:
        """Return the id of the oldest of these entries by kind, of users' events only. (XRANGE)"""
        pending = [each for each in pending if each.deliveries <= _MAX_DELIVERIES]
        self._kinds = {each.id: self._kinds[each.id] for each in pending if each.id in self._kinds}
        unknown = [each.id for each in pending if each.id not in self._kinds]
        self._kinds |= dict.fromkeys(unknown)
        for entry in read_entries(connection, self._consumer.stream, unknown):
            kind = event_fields.peek_kind(entry.fields)
            self._kinds[entry.id] = None if kind in events.OWN_KINDS else kind
        oldest: dict[str, StreamId] = {}
        for each in pending:  # in the order of the stream
            kind = self._kinds[each.id]
            if kind is not None:
                oldest.setdefault(kind, StreamId.parse(each.id))
        return oldest
