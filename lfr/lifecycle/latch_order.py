"""Keeps the order in which latches are used: that of the ends of the steps before.

Several lifecycles read results at once, and each may be slow. If the result before an acquire came first and
the result before a countdown second, the acquire must be on the bus before the countdown, or that would find
the latch at zero. So a lifecycle holds back results that start steps with latches while another one has an
earlier result pending. They stay pending. The earliest is never held back. If the other lifecycle has died,
its results are reclaimed after the lease; then those behind them go on.

Other steps do not wait: nobody can see in which order they start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lfr.engine.transition import Transition
from lfr.store.redis.connection import Connection
from lfr.store.stream.entries import ConsumerId, Entry
from lfr.store.stream.groups import read_oldest_of_others, release_claims
from lfr.store.workflows.load import LoadedWorkflow
from lfr.tasks.catalogue import ACQUIRE, COUNTDOWN, RELEASE
from lfr.values.stream_id import StreamId

_LATCH_TASKS: Final = frozenset({ACQUIRE, RELEASE, COUNTDOWN})

_MAX_DELIVERIES: Final = 5
"""An event that was delivered more often meets a defect each time: the others do not wait for it."""


class LatchOrder:
    """The results that one lifecycle holds back. `consumers`: its consumer on each of its streams."""

    def __init__(self, consumers: Sequence[ConsumerId]) -> None:
        self._consumers = consumers
        self._held: dict[tuple[str, str], Entry] = {}

    @property
    def held_count(self) -> int:
        """How many results are held back."""
        return len(self._held)

    def hold(self, entries: Iterable[Entry]) -> None:
        """Hold these results back."""
        self._held |= {(entry.stream, entry.id): entry for entry in entries}

    def release(self, connection: Connection) -> list[Entry]:
        """Return the results that are held back, in their order, and hold them back no more; none as long as
        an earlier result than all of them is pending at another lifecycle. (XPENDING)"""
        held = sorted(self._held.values(), key=lambda entry: StreamId.parse(entry.id))
        if not held or self._read_oldest(connection, StreamId.parse(held[0].id)) is not None:
            return []
        self._held = {}
        return held

    def _read_oldest(self, connection: Connection, before: StreamId) -> StreamId | None:
        return read_oldest_of_others(
            connection, self._consumers, before=before, most_deliveries=_MAX_DELIVERIES
        )

    def find_early(self, connection: Connection, transitions: Mapping[str, Sequence[Transition]]) -> set[str]:
        """Return the workflows with transitions that start steps with latches, while an earlier result is
        pending at another lifecycle, or held back by this one. Some transition does so, see `uses_latches`.
        (XPENDING)"""
        spans = {
            id: (min(ids), max(ids))
            for id, changes in transitions.items()
            if (ids := [StreamId.parse(change.entry_id) for change in changes if _uses_latch(change)])
        }
        oldest = self._read_oldest(connection, max(last for _, last in spans.values()))
        earlier = [StreamId.parse(entry.id) for entry in self._held.values()]
        earlier += [] if oldest is None else [oldest]
        early: set[str] = set()
        # What is held back holds back those behind it: the results of a workflow are processed together.
        while behind := {id for id in spans.keys() - early if earlier and min(earlier) < spans[id][1]}:
            early |= behind
            earlier += [spans[id][0] for id in behind]
        return early

    def leave(self, connection: Connection) -> None:
        """Let other lifecycles reclaim at once what is held back."""
        for consumer in self._consumers:
            ids = [entry.id for entry in self._held.values() if entry.stream == consumer.stream]
            release_claims(connection, consumer, ids)


def uses_latches(
    loaded: Mapping[str, LoadedWorkflow], transitions: Mapping[str, Sequence[Transition]]
) -> bool:
    """Return whether any of these transitions of workflows starts a step with a latch."""
    return any(
        _uses_latch(change)
        for id, changes in transitions.items()
        if not loaded[id].flow.tasks.isdisjoint(_LATCH_TASKS)
        for change in changes
    )


def in_order(transitions: Mapping[str, Sequence[Transition]]) -> list[tuple[str, Transition]]:
    """Return the transitions of all workflows, each with its workflow, in the order of their results."""
    pairs = [(id, change) for id, changes in transitions.items() for change in changes]
    return sorted(pairs, key=lambda pair: StreamId.parse(pair[1].entry_id))


def _uses_latch(transition: Transition) -> bool:
    return any(start.invocation.base in _LATCH_TASKS for start in transition.starts)
