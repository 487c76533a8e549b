"""Decides what is done at the times of a schedule: start, skip, miss, queue, pause. It writes nothing.

The cursor of a schedule is the latest of its times that has been decided. Whoever commits a decision moves
the cursor, starts the workflow and records the outcomes in one transaction: so each time is decided once,
however many lifecycles look at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lfr.schedules.occurrences import TimeRange, leap, next_time
from lfr.schedules.spec import ON_TIME_MS, Overlap, Schedule
from lfr.schedules.start_ids import start_id
from lfr.states import WorkflowState
from lfr.values.times import format_duration

_MAX_TIMES: Final = 500
"""How many times one decision looks at."""

MAX_RUNNING: Final = 100
"""How many workflows a schedule remembers as running."""

_LOOK_AGAIN_MS: Final = 60_000
"""After what time to look again at a schedule with a start that waits, and no further times."""

MAX_COUNTED: Final = 10_000
"""How many times are counted that pass while a schedule is paused."""


class OutcomeKind(StrEnum):
    """What has become of a time of a schedule, or what was done to the schedule at a time."""

    STARTED = "started"
    CAUGHT_UP = "caught-up"
    QUEUED = "queued"
    SKIPPED = "skipped"
    MISSED = "missed"
    REFUSED = "refused"
    TRIGGERED = "triggered"
    BACKFILLED = "backfilled"
    PAUSED = "paused"
    RESUMED = "resumed"


STARTS: Final = frozenset(
    {OutcomeKind.STARTED, OutcomeKind.CAUGHT_UP, OutcomeKind.TRIGGERED, OutcomeKind.BACKFILLED}
)
"""The outcomes that have started a workflow."""

_MERGED: Final = frozenset({OutcomeKind.SKIPPED, OutcomeKind.MISSED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a time, or of some that follow each other with the same outcome.

    at_ms     when it was decided
    workflow  the id of the workflow that was started, or that was still running; empty: none
    reason    why no workflow was started, or why it was started late; of what was done by hand why, and who
              has done it; empty: none
    """

    kind: OutcomeKind
    first_ms: int
    last_ms: int
    count: int
    at_ms: int
    workflow: str = ""
    reason: str = ""

    def merged(self, later: Outcome) -> Outcome | None:
        """Return both in one, if the later one only repeats this one."""
        is_same = (self.kind, self.workflow, self.reason) == (later.kind, later.workflow, later.reason)
        if not is_same or self.kind not in _MERGED:
            return None
        count = self.count + later.count
        return replace(self, last_ms=later.last_ms, count=count, at_ms=later.at_ms)


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """How far a schedule is.

    cursor_ms  the latest of its times that was decided, or when it was made
    running    the ids of its workflows that have not ended as far as it knows, the oldest first
    queued_ms  the time whose start waits until these have ended; None: there is none
    failures   how many of its workflows have failed since one has finished
    paused     why it is paused; empty: it is not
    """

    cursor_ms: int
    running: tuple[str, ...] = ()
    queued_ms: int | None = None
    failures: int = 0
    paused: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for a schedule.

    state      after it
    outcomes   in the order of their times
    start_ms   the time for which a workflow is to be started; None: none
    terminate  the ids of workflows that are to be terminated before that
    due_ms     when to decide again; None: never, as long as nobody changes the schedule
    """

    state: ScheduleState
    outcomes: tuple[Outcome, ...] = ()
    start_ms: int | None = None
    terminate: tuple[str, ...] = ()
    due_ms: int | None = None


def decide(
    name: str,
    schedule: Schedule,
    state: ScheduleState,
    states_by_id: Mapping[str, WorkflowState | None],
    now_ms: int,
) -> Decision:
    """Decide on the times that are due now: up to the first that starts a workflow.

    `states_by_id` has the states of the workflows in `state.running`; None: it is gone.
    """
    was_paused = bool(state.paused)
    state = _settle(schedule, state, states_by_id)
    if state.paused:
        return Decision(state, () if was_paused else (_paused(state, now_ms),))
    if state.queued_ms is not None and not state.running:
        queued_ms = state.queued_ms
        outcome = _start_outcome(name, schedule, queued_ms, now_ms, "it was queued")
        return _start(name, replace(state, queued_ms=None), queued_ms, [outcome], (), now_ms)
    outcomes: list[Outcome] = []
    horizon_ms = now_ms - schedule.catch_up_ms - schedule.jitter_ms - 1
    if missed := leap(schedule.timing, state.cursor_ms, horizon_ms, _MAX_TIMES):
        outcomes.append(_missed(schedule, missed, now_ms))
        state = replace(state, cursor_ms=missed.last_ms)
        if missed.count >= _MAX_TIMES:
            return Decision(state, tuple(outcomes), due_ms=now_ms)
    times = schedule.timing.after(state.cursor_ms)
    for _ in range(_MAX_TIMES):
        time_ms = next(times, None)
        due_ms = None if time_ms is None else schedule.due_ms(name, time_ms)
        if time_ms is None or due_ms is None or due_ms > now_ms:
            if due_ms is None and state.queued_ms is not None:
                due_ms = now_ms + _LOOK_AGAIN_MS
            return Decision(state, tuple(outcomes), due_ms=due_ms)
        state = replace(state, cursor_ms=time_ms)
        if now_ms - due_ms > schedule.catch_up_ms:
            outcomes.append(_missed(schedule, TimeRange(time_ms, time_ms, 1), now_ms))
        elif state.running and schedule.overlap is Overlap.SKIP:
            outcomes.append(_running(OutcomeKind.SKIPPED, state, time_ms, now_ms, "it still runs"))
        elif state.running and schedule.overlap is Overlap.QUEUE and state.queued_ms is None:
            outcomes.append(_running(OutcomeKind.QUEUED, state, time_ms, now_ms, "it still runs"))
            state = replace(state, queued_ms=time_ms)
        elif state.running and schedule.overlap is Overlap.QUEUE:
            reason = "it still runs, and another start waits for its end"
            outcomes.append(_running(OutcomeKind.SKIPPED, state, time_ms, now_ms, reason))
        else:
            outcomes.append(_start_outcome(name, schedule, time_ms, now_ms))
            terminate = state.running if schedule.overlap is Overlap.TERMINATE else ()
            if terminate:
                state = replace(state, running=())
            return _start(name, state, time_ms, outcomes, terminate, now_ms)
    return Decision(state, tuple(outcomes), due_ms=now_ms)


def is_due(name: str, schedule: Schedule, state: ScheduleState, now_ms: int) -> bool:
    """Return whether a time of a schedule is due that has not been decided; of a paused one, none is."""
    time_ms = None if state.paused else next_time(schedule.timing, state.cursor_ms)
    return time_ms is not None and schedule.due_ms(name, time_ms) <= now_ms


def refuse(decision: Decision, schedule: Schedule, reason: str) -> Decision:
    """Return the decision in place of one whose start is not possible."""
    assert decision.start_ms is not None
    *others, start = decision.outcomes
    refused = replace(start, kind=OutcomeKind.REFUSED, workflow="", reason=reason)
    running = tuple(id for id in decision.state.running if id != start.workflow)
    state = replace(decision.state, running=running, failures=decision.state.failures + 1)
    state = _pause_after_failures(schedule, state, f"the last one was refused: {reason}")
    if state.paused:
        return Decision(state, (*others, refused, _paused(state, refused.at_ms)))
    return Decision(state, (*others, refused), due_ms=decision.due_ms)


def pass_over(
    schedule: Schedule, state: ScheduleState, now_ms: int, reason: str
) -> tuple[ScheduleState, list[Outcome]]:
    """Move the cursor to now without a start, and return the outcome of the times that this passes over. A
    start that is queued stays so."""
    passed = leap(schedule.timing, state.cursor_ms, now_ms, MAX_COUNTED)
    state = replace(state, cursor_ms=max(state.cursor_ms, now_ms))
    if passed is None:
        return state, []
    if passed.count == MAX_COUNTED:
        reason += "; later times are not counted"
    return state, [_outcome(OutcomeKind.MISSED, passed, now_ms, reason)]


def _settle(
    schedule: Schedule, state: ScheduleState, states_by_id: Mapping[str, WorkflowState | None]
) -> ScheduleState:
    """Return the state without the workflows that have ended, and paused if too many have failed."""
    running: list[str] = []
    failures, last_failed = state.failures, ""
    for id in state.running:
        match states_by_id.get(id):
            case WorkflowState.RUNNING:
                running.append(id)
            case WorkflowState.FAILED:
                failures, last_failed = failures + 1, id
            case WorkflowState.FINISHED:
                failures = 0
    state = replace(state, running=tuple(running), failures=failures)
    return _pause_after_failures(schedule, state, f"the last one was {last_failed}") if last_failed else state


def _pause_after_failures(schedule: Schedule, state: ScheduleState, last: str) -> ScheduleState:
    if state.paused or not schedule.pause_after or state.failures < schedule.pause_after:
        return state
    count = state.failures
    subject = "a workflow has failed" if count == 1 else f"{count} workflows in a row have failed"
    return replace(state, paused=f"{subject}; {last}")


def _start(
    name: str,
    state: ScheduleState,
    time_ms: int,
    outcomes: Sequence[Outcome],
    terminate: tuple[str, ...],
    now_ms: int,
) -> Decision:
    running = (*state.running, start_id(name, time_ms))[-MAX_RUNNING:]
    return Decision(replace(state, running=running), tuple(outcomes), time_ms, terminate, now_ms)


def _start_outcome(name: str, schedule: Schedule, time_ms: int, now_ms: int, reason: str = "") -> Outcome:
    is_late = not reason and now_ms - schedule.due_ms(name, time_ms) > ON_TIME_MS
    if is_late:
        reason = "no lifecycle could start it at that time"
    kind = OutcomeKind.CAUGHT_UP if is_late else OutcomeKind.STARTED
    return Outcome(kind, time_ms, time_ms, 1, now_ms, start_id(name, time_ms), reason)


def _paused(state: ScheduleState, now_ms: int) -> Outcome:
    return Outcome(OutcomeKind.PAUSED, now_ms, now_ms, 1, now_ms, reason=state.paused)


def _running(kind: OutcomeKind, state: ScheduleState, time_ms: int, now_ms: int, reason: str) -> Outcome:
    return Outcome(kind, time_ms, time_ms, 1, now_ms, state.running[-1], reason)


def _missed(schedule: Schedule, range: TimeRange, now_ms: int) -> Outcome:
    limit = format_duration(schedule.catch_up_ms / 1000)
    reason = f"no lifecycle could start it in time: a start may be late by {limit} (catch_up)"
    return _outcome(OutcomeKind.MISSED, range, now_ms, reason)


def _outcome(kind: OutcomeKind, range: TimeRange, now_ms: int, reason: str) -> Outcome:
    return Outcome(kind, range.first_ms, range.last_ms, range.count, now_ms, reason=reason)
