"""Describes a workflow as littleflow_redis does: its flow as matrix and list, its history as vectors.

`F` is the matrix of edges, `T` for each step the name of a class and its fields. A vector of `S` has by step
the number of invocations that start (below zero: that end); a vector of `A` the number of activations that a
step receives (below zero: uses). A step that has failed or was stopped stays at 1 in `S` until a restart.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lfr.drawing.state_diagram import task_name
from lfr.engine.transition import FactKind
from lfr.errors import Conflict
from lfr.flow import Flow, Step, StepKind
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.inspect.workflow import require_flow, require_record
from lfr.operations.workflow_ids import PREFIX, parse_workflow_id
from lfr.states import StepState, WorkflowState
from lfr.store.redis.connection import Store
from lfr.store.workflows.history import History, read_whole_history
from lfr.store.workflows.queries import load_records, read_ids_by_rank
from lfr.values.times import iso_time

MAX_STEPS: Final = 1000
"""Of how many steps a flow may be: a matrix of it has a million numbers."""

MAX_NUMBERS: Final = 1_000_000
"""How many numbers the vectors of a trace have together; of a longer one, the latest vectors are returned."""

_CLASSES: Final = {
    StepKind.START: "StartFlow",
    StepKind.END: "Sink",
    StepKind.TASK: "InvokeTask",
    StepKind.SUBFLOW: "InvokeFlow",
    StepKind.SUBFLOW_END: "Sink",
    StepKind.LITERAL: "Source",
    StepKind.RESOURCE: "InvokeTask",
}

_STANDING: Final = (StepState.RUNNING, StepState.FAILED, StepState.STOPPED)
"""The states of a step that has started and not ended, for littleflow_redis."""

Vectors = list[tuple[str, list[int]]]
"""Times in ISO 8601, each with a vector by step; the newest first."""


@dataclass(slots=True)
class Traces:
    """How a workflow has run: the vectors of `S` and `A`, their sums, and by step 1 if it has failed."""

    S: Vectors
    A: Vectors
    S_sum: list[int]
    A_sum: list[int]
    failures: list[int]


def describe_flow(store: Store, id: str) -> dict[str, Any]:
    """Return `F` and `T` of a workflow's flow. Raises BadInput, NotFound, and Conflict for a long flow."""
    flow, _, _ = _load(store, id)
    matrix = [[0] * len(flow.steps) for _ in flow.steps]
    for source, target in flow.edges:
        matrix[source][target] = 1
    return {"F": matrix, "T": [[_CLASSES[step.kind], _fields(step, flow)] for step in flow.steps]}


def load_traces(store: Store, id: str) -> tuple[WorkflowState, Traces]:
    """Return the state of a workflow and how it has run. Raises as `describe_flow`."""
    flow, state, history = _load(store, id)
    return state, trace(flow, history)


def list_states(store: Store, first: int, count: int) -> list[dict[str, str]]:
    """Return `id`, without `workflow:`, and `state` of `count` workflows, newest first, without the `first`
    newest ones."""
    with store.connect() as connection:
        records = load_records(connection, read_ids_by_rank(connection, first, count), for_list=True)
    return [
        {"id": record.id.removeprefix(PREFIX), "state": record.state.value}
        for record in records
        if record is not None
    ]


def _load(store: Store, id: str) -> tuple[Flow, WorkflowState, History]:
    id = parse_workflow_id(id)
    with store.connect() as connection:
        record = require_record(connection, id)
        flow = require_flow(connection, id)
        if len(flow.steps) > MAX_STEPS:
            raise Conflict(
                f"{id} has {len(flow.steps):,} steps, more than {MAX_STEPS:,}", hint="use lfr's API"
            )
        return flow, record.state, read_whole_history(connection, id)


def _fields(step: Step, flow: Flow) -> dict[str, Any]:
    match _CLASSES[step.kind]:
        case "InvokeTask":
            return {
                "index": step.index,
                "name": task_name(step),
                "parameters": step.parameters or {},
                "base": step.base or None,
                "doc": flow.docs.get(step.name),
                "merge": step.merge,
            }
        case "Source":
            return {"index": step.index, "value": step.value}
        case "StartFlow":
            return {"index": step.index}
    return {"index": step.index, "merge": step.merge}


def trace(flow: Flow, history: History) -> Traces:
    """Return how a workflow of this flow has run.

    If the oldest entries of its history were removed, the first vector of `S` says what ran then, and that of
    `A` which activations there must have been, for steps that have started since.
    """
    size = len(flow.steps)
    S, A = _Trace(size), _Trace(size)
    failures = [0] * size
    successors: list[list[int]] = [[] for _ in range(size)]
    for source, target in flow.edges:
        successors[source].append(target)
    removed = None if history.removed is None else HistoryState.parse(history.removed)
    if removed is None and history.entries:
        A.add(history.entries[0].at_ms, Counter([flow.first]))  # by the start of the workflow
    elif removed is not None:
        states = {index: step["state"] for index, step in removed.steps.items()}
        S.add(removed.until_ms, Counter(index for index, state in states.items() if state in _STANDING))
        for index, state in states.items():
            failures[index] = int(state == StepState.FAILED)
    for entry in history.entries:
        gains, uses, passes, ends, starts = (Counter[int]() for _ in range(5))
        for fact in entry.facts:
            if fact.index is None or fact.item is not None:
                continue
            index = fact.index
            is_active = S.total[index] + passes[index] + ends[index] + starts[index] > 0
            if fact.kind is FactKind.STARTED:
                starts[index] += 1
                if is_active:  # it had failed or was stopped, or its attempt is retried
                    ends[index] -= 1
                else:
                    uses[index] -= flow.thresholds[index]
                failures[index] = 0
            elif fact.kind in (FactKind.ENDED, FactKind.PASSED, FactKind.SKIPPED):
                if starts[index]:  # in this same entry: before its end
                    starts[index], passes[index] = starts[index] - 1, passes[index] + 1
                elif not is_active:
                    passes[index] += 1
                    uses[index] -= flow.thresholds[index]
                ends[index] -= 1
                gains.update(successors[index])
            elif fact.kind is FactKind.FAILED:
                failures[index] = 1
        for changes in (passes, ends, starts):
            S.add(entry.at_ms, changes)
        for changes in (gains, uses):
            A.add(entry.at_ms, changes)
    if removed is not None:
        A.add_before(removed.until_ms, Counter({index: -least for index, least in A.least.items()}))
    return Traces(S.vectors(), A.vectors(), S.total, A.total, failures)


class _Trace:
    """The vectors of a trace as what each changes, by step; the latest of them, and the sums of all.

    total  by step, the sum
    least  the lowest sum so far of each step of which it was below zero
    """

    def __init__(self, size: int) -> None:
        self.total = [0] * size
        self.least: dict[int, int] = {}
        self._changes: deque[tuple[int, Mapping[int, int]]] = deque(maxlen=max(1, MAX_NUMBERS // size))

    def add(self, at_ms: int, changes: Mapping[int, int]) -> None:
        """Add a vector, if it is not zero."""
        if any(changes.values()):
            self._changes.appendleft((at_ms, changes))
        for index, number in changes.items():
            self.total[index] += number
            if self.total[index] < self.least.get(index, 0):
                self.least[index] = self.total[index]

    def add_before(self, at_ms: int, changes: Mapping[int, int]) -> None:
        """Add a vector before all others, if it is not zero and there is room for it."""
        if any(changes.values()) and len(self._changes) != self._changes.maxlen:
            self._changes.append((at_ms, changes))
        for index, number in changes.items():
            self.total[index] += number

    def vectors(self) -> Vectors:
        """Return the latest vectors, the newest first."""
        indices = range(len(self.total))
        return [
            (iso_time(at_ms) or "", [changes.get(index, 0) for index in indices])
            for at_ms, changes in self._changes
        ]
