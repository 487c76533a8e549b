"""Makes the spans of one workflow from its history: of the workflow, of each attempt of its steps, of its
children.

A workflow that is restarted has one span for each time that it has run, so that what was exported stays true.
What still runs when a workflow fails is cut there: every span lies within that of its parent. What ends in
the moment in which it starts (literals, subflows, skipped steps) has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lfr.engine.transition import Fact, FactKind
from lfr.flow import Flow, Step, StepKind
from lfr.item_ids import ItemId
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.traces.span import AttributeValue, Span, SpanEvent
from lfr.states import StepState, WorkflowState
from lfr.store.workflows.history import History, HistoryEntry
from lfr.store.workflows.record import Record
from lfr.store.workflows.task_logs import AttemptKey, LoggedAttempt
from lfr.trace_context import TraceContext
from lfr.values.times import parse_timestamp

_ENDS: Final = {
    FactKind.FINISHED: WorkflowState.FINISHED,
    FactKind.FAILED: WorkflowState.FAILED,
    FactKind.TERMINATED: WorkflowState.TERMINATED,
}

_STATES: Final = {
    FactKind.ENDED: StepState.DONE,
    FactKind.SKIPPED: StepState.SKIPPED,
    FactKind.FAILED: StepState.FAILED,
    FactKind.RETRIED: StepState.FAILED,
}

_EVIDENCE: Final = {
    "host": "host.name",
    "process": "process.pid",
    "version": "lfr.worker.version",
    "cpu_seconds": "lfr.cpu_seconds",
    "peak_bytes": "lfr.peak_bytes",
}
"""The attributes for the values of `task_log.EVIDENCE`."""


@dataclass(frozen=True, slots=True)
class TracedWorkflow:
    """What the spans of a workflow are made of.

    flow      None: it is gone from Redis, so that steps have no names
    evidence  what workers have said of attempts
    now_ms    the time, in milliseconds since the epoch: until then runs what has not ended
    """

    record: Record
    flow: Flow | None
    history: History
    evidence: Mapping[AttemptKey, LoggedAttempt]
    trace: TraceContext
    now_ms: int

    @property
    def attributes(self) -> dict[str, AttributeValue]:
        """Return the attributes of its own spans."""
        record = self.record
        values: dict[str, AttributeValue] = {"lfr.workflow.id": record.id}
        if record.name:
            values["lfr.flow.name"] = record.name
        if record.version is not None:
            values["lfr.flow.version"] = record.version
        if record.removed[1]:
            values["lfr.history.removed"] = record.removed[1]
        return values | {f"lfr.label.{name}": value for name, value in record.labels.items()}


@dataclass(frozen=True, slots=True)
class ChildRun:
    """A run of a child: the id of the child, how often it had been restarted before, the span."""

    id: str
    number: int
    span: Span

    @property
    def is_stored(self) -> bool:
        """Whether the child may still be stored: one that has succeeded is not."""
        return self.span.attributes["lfr.step.state"] != StepState.DONE


@dataclass(slots=True)
class WorkflowRun:
    """One run of a workflow, from its start or a restart to its end.

    number    how often it had been restarted before
    state     at its end
    spans     of the attempts of its steps; `children`: those of children
    """

    number: int
    start_ms: int
    end_ms: int = 0
    state: WorkflowState = WorkflowState.RUNNING
    reason: str = ""
    events: list[SpanEvent] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    children: list[ChildRun] = field(default_factory=list)

    def span(self, workflow: TracedWorkflow, parent_id: str) -> Span:
        """Return the span of this run."""
        attributes = workflow.attributes | {"lfr.workflow.state": self.state.value}
        if self.number:
            attributes["lfr.workflow.restarts"] = self.number
        trace = workflow.trace
        return Span(
            *(trace.trace_id, trace.workflow_span_id(self.number), parent_id),
            workflow.record.name or workflow.record.id,
            *(self.start_ms, self.end_ms, attributes),
            failure=self.reason if self.state is WorkflowState.FAILED else None,
            events=self.events,
            flags=trace.flags,
        )


@dataclass(slots=True)
class _Open:
    """An attempt of a step, or a run of a child, that has not ended. `number`: that of the attempt, or how
    often the child had been restarted."""

    number: int
    start_ms: int
    id: str
    parent_id: str
    part: int = 0
    child: str = ""


_StepKey = tuple[int, int | None]
"""The index of a step, and the number of an item of it."""


def make_runs(workflow: TracedWorkflow) -> list[WorkflowRun]:
    """Return the runs of a workflow in their order, at least one. Raises BadHistoryState."""
    builder = _RunBuilder(workflow)
    for entry in workflow.history.entries:
        builder.add(entry)
    builder.finish()
    return builder.runs


class _RunBuilder:
    def __init__(self, workflow: TracedWorkflow) -> None:
        self._workflow = workflow
        self._trace = workflow.trace
        self._at_ms = workflow.record.started_ms
        self._open: dict[_StepKey, list[_Open]] = {}
        self._cut: dict[_StepKey, list[_Open]] = {}  # runs on after its workflow has failed
        self._child_starts: dict[str, int] = {}
        self._ended: set[str] = set()  # the ids of the spans of attempts
        self._is_over = False
        self.runs = [WorkflowRun(0, self._at_ms)]
        if workflow.history.removed is not None:
            self._open_remaining(HistoryState.parse(workflow.history.removed))

    @property
    def _run(self) -> WorkflowRun:
        return self.runs[-1]

    def add(self, entry: HistoryEntry) -> None:
        """Add the next entry of the history. The clock of Redis may have gone back before it."""
        self._at_ms = max(self._at_ms, entry.at_ms)
        for fact in entry.facts:
            if fact.index is None:
                self._add_to_workflow(fact.kind, entry)
            elif self._is_over:
                self._forget_cut(fact)
            elif fact.kind is FactKind.STARTED:
                self._start((fact.index, fact.item), fact.attempt)
            elif fact.kind in _STATES:
                self._end((fact.index, fact.item), fact, entry)

    def finish(self) -> None:
        """End what has not ended, now."""
        if not self._is_over:
            self._at_ms = max(self._at_ms, self._workflow.now_ms)
            self._run.end_ms = self._at_ms
            self._close_all(StepState.RUNNING)

    def _open_remaining(self, state: HistoryState) -> None:
        """Open what ran when the oldest entries of the history were removed."""
        for index, attempt in state.running_attempts().items():
            if state.steps[index]["reason"] is not None:
                continue  # that attempt has failed, and the next one has not started
            started = parse_timestamp(state.steps[index]["started"])
            self._start((index, None), attempt, self._at_ms if started is None else started)
        self._at_ms = max(self._at_ms, state.until_ms)
        for index, round in state.rounds.items():
            for item, item_state in round.open.items():
                if item_state is StepState.RUNNING:
                    self._start((index, item), round.number)

    def _add_to_workflow(self, kind: FactKind, entry: HistoryEntry) -> None:
        run = self._run
        if kind is FactKind.RESTARTED:
            if self._is_over:
                self._begin_run()
        elif kind in _ENDS:
            if not self._is_over:
                is_stopped = kind is FactKind.TERMINATED or any(
                    fact.kind is FactKind.TIMED_OUT for fact in entry.facts
                )
                self._is_over, run.end_ms, run.state = True, self._at_ms, _ENDS[kind]
                run.reason = entry.reason
                if kind is FactKind.TERMINATED:
                    self._add_event("terminated", entry)
                self._close_all(StepState.STOPPED if is_stopped else StepState.RUNNING)
        elif not self._is_over:  # paused, resumed, timed out
            self._add_event(kind.value, entry)

    def _add_event(self, name: str, entry: HistoryEntry) -> None:
        by_hand = {} if entry.actor is None else {"lfr.actor": entry.actor.name}
        self._run.events.append(SpanEvent(self._at_ms, name, by_hand))

    def _begin_run(self) -> None:
        self._is_over = False
        number = len(self.runs)
        self.runs.append(WorkflowRun(number, self._at_ms))
        for (index, item), attempts in self._cut.items():
            if item is None:
                for each in attempts:
                    self._start((index, None), each.number, part=number)
        self._cut = {}

    def _start(self, key: _StepKey, attempt: int, at_ms: int | None = None, part: int = 0) -> None:
        at_ms = self._at_ms if at_ms is None else at_ms
        index, item = key
        run_id = self._trace.workflow_span_id(self._run.number)
        if item is None:
            if any(each.number == attempt for each in self._open.get(key, ())):
                return  # it was held back by a pause, and now it really starts
            id = self._trace.step_span_id(index, attempt, part)
            new = _Open(attempt, at_ms, id, run_id, part)
        else:
            child = str(ItemId(self._trace.workflow, index, item, attempt))
            number = self._child_starts.get(child, 0)
            self._child_starts[child] = number + 1
            steps = self._open.get((index, None))
            parent_id = steps[-1].id if steps else run_id
            id = self._trace.of_child(child).workflow_span_id(number)
            new = _Open(number, max(at_ms, steps[-1].start_ms if steps else 0), id, parent_id, child=child)
        self._open.setdefault(key, []).append(new)

    def _end(self, key: _StepKey, fact: Fact, entry: HistoryEntry) -> None:
        attempts = self._open.get(key, [])
        position = next((n for n, each in enumerate(attempts) if each.number == fact.attempt), 0)
        is_ended = self._trace.step_span_id(key[0], fact.attempt) in self._ended
        if not attempts and key[1] is None and fact.kind is not FactKind.SKIPPED and not is_ended:
            self._start(key, fact.attempt)  # it has failed because there was no input for it
            attempts = self._open[key]
        if not attempts:
            return  # skipped by its guard; no input for a retry; or an item whose step has ended before it
        ended = attempts.pop(position)
        if not attempts:
            del self._open[key]
            if key[1] is None:
                self._close_children(key[0], StepState.STOPPED)
        self._close(key, ended, _STATES[fact.kind], fact, entry)

    def _close(
        self,
        key: _StepKey,
        ended: _Open,
        state: StepState,
        fact: Fact | None = None,
        entry: HistoryEntry | None = None,
    ) -> None:
        index, item = key
        attributes: dict[str, AttributeValue] = {
            "lfr.workflow.id": ended.child or self._workflow.record.id,
            "lfr.step.index": index,
            "lfr.step.state": state.value,
        }
        step = self._step(index)
        if step is not None and step.task:
            attributes["lfr.task"] = step.task
        if item is None:
            attributes["lfr.attempt"] = ended.number
            attributes |= self._evidence(index, ended.number)
        else:
            attributes["lfr.item"] = item
        if fact is not None and fact.is_simulated:
            attributes["lfr.simulated"] = True
        if entry is not None and entry.actor is not None:
            attributes["lfr.actor"] = entry.actor.name
        reason = "" if entry is None else entry.reason
        events = []
        if fact is not None and fact.kind is FactKind.RETRIED:
            events = [SpanEvent(self._at_ms, "retry", {"lfr.reason": reason} if reason else {})]
        span = Span(
            *(self._trace.trace_id, ended.id, ended.parent_id, self._title(step, index, item)),
            *(ended.start_ms, self._at_ms, attributes),
            failure=reason if state is StepState.FAILED else None,
            events=events,
            flags=self._trace.flags,
        )
        if ended.child:
            self._run.children.append(ChildRun(ended.child, ended.number, span))
        else:
            self._ended.add(span.id)
            self._run.spans.append(span)

    def _close_children(self, index: int, state: StepState) -> None:
        for key in [key for key in self._open if key[0] == index and key[1] is not None]:
            for each in self._open.pop(key):
                self._close(key, each, state)

    def _close_all(self, state: StepState) -> None:
        for key, attempts in self._open.items():
            for each in attempts:
                self._close(key, each, state)
        self._cut = self._open if state is StepState.RUNNING else {}
        self._open = {}

    def _forget_cut(self, fact: Fact) -> None:
        if fact.kind in _STATES and fact.index is not None:
            self._cut.pop((fact.index, fact.item), None)

    def _evidence(self, index: int, attempt: int) -> dict[str, AttributeValue]:
        logged = self._workflow.evidence.get((index, attempt))
        if logged is None:
            return {}
        values = {attribute: logged.evidence.get(name) for name, attribute in _EVIDENCE.items()}
        return {name: value for name, value in values.items() if isinstance(value, str | int | float)}

    def _step(self, index: int) -> Step | None:
        flow = self._workflow.flow
        return flow.steps[index] if flow is not None and 0 <= index < len(flow.steps) else None

    def _title(self, step: Step | None, index: int, item: int | None) -> str:
        name = f"step {index}"
        if step is not None:
            name = step.name or (step.uri if step.kind is StepKind.RESOURCE else step.kind.value)
        if item is None or (step is not None and step.is_call):
            is_iterated = step is not None and step.iterate and item is None
            return f"* {name}" if is_iterated else name
        return f"{name} [{item}]"
