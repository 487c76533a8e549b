"""Finds what only time shows and rules give notice of: late workflows, steps that stand, schedules with
problems, roles that are gone, dead letters; and whether all is well."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lfr.errors import NotFound
from lfr.notices.compose import compose_late, compose_missed, compose_role_gone, compose_stuck
from lfr.notices.notice import Notice
from lfr.notices.rules import Rule, Trigger
from lfr.operations.explain.cause import CauseKind
from lfr.operations.explain.explanation import explain_workflow
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.inspect.steps import describe_steps
from lfr.operations.inspect.workflow import require_flow
from lfr.operations.select_workflows import Position, select_workflows
from lfr.operations.status import load_status
from lfr.operations.workers import WAIT_ROLES
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.states import StepState, WorkflowState
from lfr.store.notices import RecipientState
from lfr.store.processes import Heartbeat
from lfr.store.redis.connection import Connection, Store
from lfr.store.schedules import load_problems, load_schedules
from lfr.store.workflows.history import read_whole_history
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.values.json import Json
from lfr.values.times import format_timestamp, iso_time, parse_timestamp

_LATE_PAGE: Final = 500
_STUCK_PAGE: Final = 50
"""How many of the running workflows one look examines, for each rule and flow; the next look goes on."""

_SLICE_SECONDS: Final = 0.5
"""After this time a look begins to examine the steps of no further workflow."""

_PLANNED: Final = frozenset({CauseKind.DELAY, CauseKind.RETRY, CauseKind.PAUSE})
"""Why a step stands that is as it should be: the flow or a person has said so."""

_MAX_STEPS: Final = 3
_MAX_CHILDREN: Final = 3
_MAX_DEPTH: Final = 5
"""Of how many standing steps the cause is asked; how many open items of each are looked at, and how deep."""

_ROLE_GONE_SECONDS: Final = 60.0
_UNDELIVERED_SECONDS: Final = 600.0
"""How long a role may be away, and a recipient fail, while all is well."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that holds: the notice of it, and the subject, which stays the same while it holds and
    begins with the id of the workflow if it is about one."""

    rule: Rule
    subject: str
    notice: Notice

    @property
    def member(self) -> str:
        """Return its name in NOTICE_CONDITIONS."""
        return f"{self.rule.name} {self.notice.trigger} {self.subject}"


class WorkflowConditions:
    """Finds late workflows and steps that stand. Each look examines some of the workflows that run, the next
    look goes on behind them.

    examined  the workflows whose steps the last look has examined, by rule
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._positions: dict[tuple[str, Trigger, str | None], Position | None] = {}
        self.examined: dict[str, set[str]] = {}

    def find_late(self, connection: Connection, rule: Rule, now_ms: int) -> Iterator[Condition]:
        """Yield the workflows that run for longer than the rule says."""
        for record in self._select(connection, rule, Trigger.LATE, now_ms, _LATE_PAGE):
            notice = compose_late(rule, describe_record(record), record.run, now_ms, has_ended=False)
            yield Condition(rule, f"{record.id} {record.run}", notice)

    def find_stuck(self, connection: Connection, rule: Rule, now_ms: int) -> Iterator[Condition]:
        """Yield the workflows with a step that stands for longer than the rule says, unless it is delayed or
        paused."""
        examined = self.examined[rule.name] = set()
        before_ms, started = now_ms - round(1000 * rule.after_seconds), time.monotonic()
        for record in self._select(connection, rule, Trigger.STUCK, now_ms, _STUCK_PAGE):
            if time.monotonic() - started > _SLICE_SECONDS:
                return
            examined.add(record.id)
            step = self._standing_step(connection, record, before_ms)
            if step is not None:
                notice = compose_stuck(rule, describe_record(record), record.run, step, now_ms)
                yield Condition(rule, f"{record.id} {step['id']} {step['index']} {step['attempt']}", notice)

    def _select(
        self, connection: Connection, rule: Rule, trigger: Trigger, now_ms: int, count: int
    ) -> Iterator[Record]:
        """Yield the next workflows that a rule is for. Whoever stops to ask gets the same one first the next
        time."""
        until_ms = now_ms - round(1000 * rule.after_seconds)
        for flow in rule.flows or (None,):
            key = (rule.name, trigger, flow)
            filter = WorkflowFilter(
                states=(WorkflowState.RUNNING,), flow=flow, labels=rule.labels, until_ms=until_ms
            )
            after = self._positions.get(key)
            selection = select_workflows(connection, filter, after, count=count, newest_first=False)
            for record in selection.records:
                yield record
                self._positions[key] = Position(record.started_ms, record.id)
            self._positions[key] = selection.next

    def _standing_step(
        self, connection: Connection, record: Record, before_ms: int, depth: int = 0
    ) -> dict[str, Json] | None:
        """Return the first step of a workflow that runs since before this time and that stands; of an
        iterated step or a call, the step that stands in it."""
        try:
            flow = require_flow(connection, record.id)
            history = HistoryState.of(read_whole_history(connection, record.id))
            steps = describe_steps(flow, history, record)
            running = [each for each in steps if each["state"] == StepState.RUNNING]
            old = [each for each in running if (parse_timestamp(each["started"]) or before_ms) <= before_ms]
            for step in old[:_MAX_STEPS]:
                [explained] = explain_workflow(self._store, record.id, step["index"])["steps"]
                children = [child["id"] for child in explained.get("items", [])][:_MAX_CHILDREN]
                if children and explained["cause"] in (CauseKind.ITEMS, CauseKind.CALL):
                    inner = self._standing_child(connection, children, before_ms, depth)
                    if inner is not None:
                        return inner
                elif explained["cause"] not in _PLANNED and explained["state"] == StepState.RUNNING:
                    causes = {key: explained[key] for key in ("index", "name", "cause", "text", "cure")}
                    return {"id": record.id, "attempt": step["attempt"], "started": step["started"], **causes}
        except NotFound:  # it has just been deleted
            return None
        return None

    def _standing_child(
        self, connection: Connection, children: Sequence[str], before_ms: int, depth: int
    ) -> dict[str, Json] | None:
        if depth == _MAX_DEPTH:
            return None
        for record in load_records(connection, children):
            if record is not None and record.state is WorkflowState.RUNNING:
                step = self._standing_step(connection, record, before_ms, depth + 1)
                if step is not None:
                    return step
        return None


def describe_record(record: Record) -> dict[str, Json]:
    """Return the facts about a workflow: workflow, flow, labels, state, reason, started, ended."""
    return {
        "workflow": record.id,
        "flow": record.name,
        "labels": dict(record.labels),
        "state": record.state.value,
        "reason": record.reason or None,
        "started": iso_time(record.started_ms),
        "ended": iso_time(record.ended_ms),
    }


def find_missed(connection: Connection, rule: Rule, now_ms: int) -> Iterator[Condition]:
    """Yield the schedules that are paused, or whose latest time was missed or refused."""
    problems = load_problems(connection)
    schedules = load_schedules(connection, list(problems))
    for name, schedule in schedules.items():
        flow = schedule.flow.partition("@")[0]
        if not rule.covers_flow(flow):
            continue
        outcome_ms = schedule.latest.at_ms if schedule.latest else schedule.paused_ms
        notice = compose_missed(rule, name, flow, problems[name], outcome_ms, now_ms)
        yield Condition(rule, f"{name} {outcome_ms}", notice)


def find_gone_roles(
    connection: Connection, rule: Rule, last_alive: Mapping[str, int], now_ms: int
) -> Iterator[Condition]:
    """Yield the roles, and groups of workers, of which no process was alive for as long as the rule says.
    `last_alive` says when one was, in milliseconds since the epoch."""
    for role, alive_ms in last_alive.items():
        if rule.covers_role(role) and now_ms - alive_ms >= 1000 * rule.after_seconds:
            since = format_timestamp(alive_ms / 1000)
            notice = compose_role_gone(rule, role, alive_ms, since, now_ms)
            yield Condition(rule, f"{role} {alive_ms}", notice)


def live_roles(heartbeats: Sequence[Heartbeat]) -> set[str]:
    """Return the roles of live processes; of `lfr tasks`, each group, as `tasks GROUP`."""
    roles: set[str] = set()
    for each in heartbeats:
        process = each.process
        if process.role == "tasks":
            roles.update(f"tasks {group}" for group in process.claims or ())
        else:
            roles.add(process.role)
    return roles


def find_troubles(
    store: Store,
    last_alive: Mapping[str, int],
    recipients: Mapping[str, RecipientState],
    now_ms: int,
) -> list[str]:
    """Return why not all is well; empty if it is. The caller has just written to Redis.

    All is well while Redis has no problem that `lfr status` names, a lifecycle lives, and a wait role if
    there are delays or waits for events, no role is gone that was alive in the last day, and no recipient of
    notices fails for long.
    """
    status: Mapping[str, Any] = load_status(store)
    roles = {role["role"] for role in status["roles"]}
    troubles = list(status["redis"]["warnings"])
    if not roles.intersection(("lifecycle", "worker")):
        troubles.append("no lifecycle runs")
    if (status["timers"]["delays"] or status["event_waits"]) and not roles.intersection(WAIT_ROLES):
        troubles.append("no wait role runs")
    for role, alive_ms in last_alive.items():
        if now_ms - alive_ms >= 1000 * _ROLE_GONE_SECONDS:
            troubles.append(f"no process of {role} is alive")
    for name, state in recipients.items():
        if state.queued and state.failures and now_ms - state.since_ms >= 1000 * _UNDELIVERED_SECONDS:
            troubles.append(f"{name} takes no notices: {state.reason}")
    return troubles
