"""Decides a schedule in one transaction: moves its cursor, starts a workflow, records what became of each
time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from lfr.actor import make_actor
from lfr.engine.step_inputs import normalize_input
from lfr.errors import Conflict, LfrError, NoMemory, NotFound, Refused, TooLarge, Unreachable
from lfr.flow_inputs import complete_input
from lfr.labels import merge_labels
from lfr.operations.find_flow import load_stored_flow
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import WorkflowStart, watch_starts
from lfr.schedules.decide import Decision, Outcome, OutcomeKind, decide, refuse
from lfr.schedules.spec import BadSchedule, Schedule
from lfr.schedules.start_ids import start_id
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Connection, Store, read_time_ms
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.schedules import (
    StoredSchedule,
    due_command,
    load_states,
    outcome_commands,
    problem_commands,
    state_commands,
    watch_schedules,
)

LOGGER = logging.getLogger(__name__)

_PUT_OFF_MS = 60_000
"""When to look again at a schedule that this version of lfr cannot read."""

_MEMORY_RETRY_MS = 10_000
"""When to try a start again for which Redis had too little memory."""


def decide_schedule(
    store: Store,
    connection: Connection,
    name: str,
    clock: Callable[[Connection], int] = read_time_ms,
) -> Decision | None:
    """Decide the times of a schedule that are due, up to the first that starts a workflow; return the
    decision as it was committed, None if there is no such schedule. `clock` says what time it is, in
    milliseconds since the epoch.

    A start that is not possible is an outcome, too; but one for which Redis has too little memory is tried
    again, as long as `catch_up` permits. A workflow that is to make way is terminated before.
    """
    store = store.acting(make_actor(f"schedule {name}"))
    refusals: dict[int, str] = {}
    latest_start: list[int] = []
    terminated: list[str] = []

    def attempt() -> tuple[Sequence[Command] | None, Decision | None]:
        stored = watch_schedules(connection, [name]).get(name)
        now_ms = clock(connection)
        if stored is None:
            return [due_command(name, None)], None
        try:
            schedule = stored.parse()
        except BadSchedule as error:  # a later version has stored it
            LOGGER.warning("schedule %s cannot be used: %s", name, error)
            return [due_command(name, now_ms + _PUT_OFF_MS)], None
        decision = decide(name, schedule, stored.state, load_states(connection, stored.state.running), now_ms)
        if decision.terminate:
            connection.unwatch()
            words = "it makes way for the next one (overlap: terminate)"
            acting = store.acting(make_actor(f"schedule {name}", words))
            for id in decision.terminate:
                with suppress(Conflict, NotFound):  # it has just ended
                    terminate_workflow(acting, id)
            terminated.extend(decision.terminate)
            raise ReadAgain
        commands: list[Command] = []
        if decision.start_ms is not None and (reason := refusals.get(decision.start_ms)):
            decision = refuse(decision, schedule, reason)
        elif decision.start_ms is not None:
            latest_start.append(decision.start_ms)
            try:
                commands = _start_commands(store, connection, stored, schedule, decision.start_ms, refusals)
            except NoMemory as error:
                LOGGER.warning("schedule %s waits for memory: %s", name, error)
                return [due_command(name, now_ms + _MEMORY_RETRY_MS)], None
            if terminated:
                decision = _noting_terminated(decision, terminated[-1])
        commands += decision_commands(stored, decision, now_ms)
        return commands, decision

    while True:
        try:
            decision = retry_until_committed(connection, attempt)
            break
        except TooLarge as error:  # Redis does not take its input
            connection.unwatch()
            if not latest_start or latest_start[-1] in refusals:
                raise
            refusals[latest_start[-1]] = str(error)
    if decision is not None:
        _log(name, decision.outcomes)
    return decision


def decide_until(store: Store, connection: Connection, name: str, until_ms: int) -> None:
    """Decide all times of a schedule that are due at `until_ms`, as a lifecycle would have done then."""
    decision = decide_schedule(store, connection, name, lambda _: until_ms)
    while decision is not None and decision.due_ms is not None and decision.due_ms <= until_ms:
        decision = decide_schedule(store, connection, name, lambda _: until_ms)


def decision_commands(stored: StoredSchedule, decision: Decision, now_ms: int) -> list[Command]:
    """Return the commands that write what was decided for a schedule."""
    changed = stored.with_state(decision.state, now_ms)
    return [
        *state_commands(changed, decision.due_ms),
        *outcome_commands(stored, decision.outcomes),
        *problem_commands(changed, decision.outcomes),
    ]


def start_of(
    store: Store, connection: Connection, stored: StoredSchedule, schedule: Schedule, time_ms: int
) -> WorkflowStart:
    """Return the start of a schedule's workflow for a time. Raises NotFound for its flow, and BadInput if its
    input does not fit."""
    flow = load_stored_flow(connection, stored.flow)
    input = complete_input(flow.flow.parameters, normalize_input(schedule.input))
    id = start_id(stored.name, time_ms)
    labels = merge_labels(flow.flow.parameters, {})
    return WorkflowStart(store, id, flow.flow, flow.text, input, labels, version=flow.version.number)


def _start_commands(
    store: Store,
    connection: Connection,
    stored: StoredSchedule,
    schedule: Schedule,
    time_ms: int,
    refusals: dict[int, str],
) -> list[Command]:
    """Return the commands that start the workflow for a time; none if it exists already. If it cannot be
    started, note the reason in `refusals` and raise ReadAgain. Raises NoMemory."""
    try:
        start = start_of(store, connection, stored, schedule, time_ms)
        [commands] = watch_starts(connection, RouteCache(store), [start], may_exist=True)
        return commands or []
    except (Unreachable, Refused, NoMemory):
        raise
    except LfrError as error:
        refusals[time_ms] = str(error)
        raise ReadAgain from None


def _noting_terminated(decision: Decision, id: str) -> Decision:
    *others, start = decision.outcomes
    reason = "; ".join(filter(None, (start.reason, f"{id} made way for it")))
    return replace(decision, outcomes=(*others, replace(start, reason=reason)))


def _log(name: str, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        match outcome.kind:
            case OutcomeKind.MISSED:
                LOGGER.warning("schedule %s missed %d times: %s", name, outcome.count, outcome.reason)
            case OutcomeKind.REFUSED:
                LOGGER.warning("schedule %s started nothing: %s", name, outcome.reason)
            case OutcomeKind.PAUSED:
                LOGGER.warning(
                    "schedule %s is paused: %s (lfr schedule resume %s)", name, outcome.reason, name
                )
            case OutcomeKind.SKIPPED | OutcomeKind.QUEUED:
                LOGGER.info("schedule %s: %s %s", name, outcome.workflow, outcome.reason)
            case _:
                LOGGER.info("schedule %s started %s", name, outcome.workflow)
