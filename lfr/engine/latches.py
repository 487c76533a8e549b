"""Decides what requests to latches do. Pure: the store loads the latches and writes the changes.

A latch is a counter that all workflows share. An acquire adds one to it, a release subtracts one; the release
that makes it zero opens it, which completes the countdowns that wait for it. A countdown completes when the
latch is zero. A release of a latch that is zero fails.

A consumer that has died may have left an earlier request pending, and that may be an acquire. Until it is
processed, nobody can be sure that a latch is zero: a release is deferred, and a countdown waits.

A step counts once, however many attempts it takes: if an attempt was counted and then stopped before its end
took effect, as by a termination or a retry, the next attempt succeeds and changes no count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lfr import events
from lfr.tasks.catalogue import ACQUIRE, COUNTDOWN
from lfr.tasks.wait_spec import LatchRequest, Wait
from lfr.values.json import Json
from lfr.values.stream_id import StreamId


@dataclass(frozen=True, slots=True)
class Latch:
    """A latch: its name, its Redis key, its count (None if the key holds no integer), and whether countdowns
    wait for it."""

    name: str
    key: str
    count: int | None
    has_waiters: bool

    @property
    def is_zero(self) -> bool:
        """Whether its count is zero or below. False if its key holds no integer."""
        return self.count is not None and self.count <= 0


class SetCount(NamedTuple):
    """A latch gets a count above zero, by an acquire or by a release of a step of this workflow."""

    latch: Latch
    new_count: int
    is_acquire: bool
    workflow: str


class OpenLatch(NamedTuple):
    """A latch is set to zero and its countdowns complete. `tag` identifies this opening: it is unique."""

    latch: Latch
    tag: str


class StartCountdown(NamedTuple):
    """A countdown is stored as waiting, even if its latch is zero now.

    Then it is decided again once no earlier entry is pending: it completes if the latch is still zero.
    """

    latch: Latch
    wait: Wait


@dataclass(slots=True)
class LatchChanges:
    """What a batch of requests changes.

    changes    changes of the latches and of the countdowns that wait for them, in order
    counted    requests to mark as counted: acquires and releases that changed a count, now or in an earlier
               attempt
    refused    releases to mark as refused, so that a second start-task of the same attempt changes nothing
    end_tasks  the values of the end-task events of the steps that complete or fail
    deferred   releases of a latch at zero before which an acquire may be pending: to be read again later
    """

    changes: list[SetCount | OpenLatch | StartCountdown] = field(default_factory=list)
    counted: list[LatchRequest] = field(default_factory=list)
    refused: list[LatchRequest] = field(default_factory=list)
    end_tasks: list[dict[str, Json]] = field(default_factory=list)
    deferred: list[LatchRequest] = field(default_factory=list)


def apply_requests(
    requests: Sequence[LatchRequest],
    latches: Mapping[str, Latch],
    *,
    is_certain: bool,
    counted_ids: Collection[str] = (),
) -> LatchChanges:
    """Return what these requests change, decided in the order of the stream.

    `latches` holds the latch of each request by name; it stays as it is. `is_certain`: no request that is
    earlier than these is pending. `counted_ids`: entry ids of requests whose step was counted in an earlier
    attempt.
    """
    draft = _Draft(latches, is_certain)
    for request in sorted(requests, key=lambda request: StreamId.parse(request.entry_id)):
        if request.entry_id in counted_ids:
            draft.carry_over(request)
        else:
            draft.apply(request)
    return draft.result


def is_settled(entry_id: str, oldest_pending: StreamId | None) -> bool:
    """Return whether nothing earlier than this entry is pending. `oldest_pending` None: nothing is."""
    return oldest_pending is None or StreamId.parse(entry_id) <= oldest_pending


class _Draft:
    """Changes in the making; `_latches` holds each latch as they leave it."""

    def __init__(self, latches: Mapping[str, Latch], is_certain: bool) -> None:
        self.result = LatchChanges()
        self._latches = dict(latches)
        self._is_certain = is_certain

    def carry_over(self, request: LatchRequest) -> None:
        """End a step that an earlier attempt has counted."""
        self.result.counted.append(request)
        self._end(request)

    def apply(self, request: LatchRequest) -> None:
        """Apply one request."""
        latch = self._latches[request.latch]
        if latch.count is None:
            self._end(request, f"{latch.key} holds something that is no whole number")
        elif request.task.base == COUNTDOWN:
            self._count_down(request, latch)
        elif request.task.base == ACQUIRE:
            self._set_count(request, latch, max(latch.count, 0) + 1)
        elif not latch.is_zero:
            self._set_count(request, latch, latch.count - 1)
        elif self._is_certain:
            self.result.refused.append(request)
            self._end(request, f"the latch {latch.name} is at zero, so there is nothing to release")
        else:
            self.result.deferred.append(request)

    def _set_count(self, request: LatchRequest, latch: Latch, count: int) -> None:
        is_acquire = request.task.base == ACQUIRE
        change = (
            SetCount(latch, count, is_acquire, request.task.workflow)
            if count
            else OpenLatch(latch, tag=request.entry_id)
        )
        self._latches[latch.name] = replace(latch, count=count, has_waiters=latch.has_waiters and count > 0)
        self.result.changes.append(change)
        self.result.counted.append(request)
        self._end(request)

    def _count_down(self, request: LatchRequest, latch: Latch) -> None:
        if latch.is_zero and self._is_certain:
            self._end(request)
            return
        wait = Wait(request.task, request.entry_id, latch=latch.name)
        self.result.changes.append(StartCountdown(latch, wait))
        self._latches[latch.name] = replace(latch, has_waiters=True)

    def _end(self, request: LatchRequest, failure: str | None = None) -> None:
        reason = None if failure is None else f"{request.task.base}: {failure}"
        task = request.task
        values = events.end_task_values(task, output=task.input, output_from=task.input_from, failure=reason)
        self.result.end_tasks.append(values)
