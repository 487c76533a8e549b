"""Describes a workflow as littleflow_redis does: its flow as matrix and list, its history as vectors.

`F` is the matrix of edges, `T` for each step the name of a class and its fields. A vector of `S` has by step
the number of invocations that start (below zero: that end); a vector of `A` the number of activations that a
step receives (below zero: uses). A step that has failed or was stopped stays at 1 in `S` until a restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lfr.drawing.state_diagram import task_name
from lfr.engine.transition import FactKind
from lfr.errors import Conflict
from lfr.flow import Flow, Step, StepKind
from lfr.operations.inspect.summary import iso_time
from lfr.operations.inspect.workflow import require_flow, require_record
from lfr.operations.workflow_ids import PREFIX, parse_workflow_id
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from lfr.store.workflows.history import HistoryEntry, read_whole_history
from lfr.store.workflows.queries import load_records, read_ids_by_rank

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
    flow, state, entries = _load(store, id)
    return state, trace(flow, entries)


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


def _load(store: Store, id: str) -> tuple[Flow, WorkflowState, list[HistoryEntry]]:
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


def trace(flow: Flow, entries: Iterable[HistoryEntry]) -> Traces:
    """Return how a workflow of this flow has run, from its history, oldest entry first."""
    size = len(flow.steps)
    max_vectors = max(1, MAX_NUMBERS // size)
    S: deque[tuple[str, list[int]]] = deque(maxlen=max_vectors)
    A: deque[tuple[str, list[int]]] = deque(maxlen=max_vectors)
    traces = Traces([], [], [0] * size, [0] * size, [0] * size)
    successors: list[list[int]] = [[] for _ in range(size)]
    for source, target in flow.edges:
        successors[source].append(target)

    def note(trace: deque[tuple[str, list[int]]], total: list[int], at_ms: int, vector: list[int]) -> None:
        if any(vector):
            trace.appendleft((iso_time(at_ms) or "", vector))
            total[:] = map(sum, zip(total, vector, strict=True))

    is_first = True
    for entry in entries:
        gains, uses, passes, ends, starts = ([0] * size for _ in range(5))
        gains[flow.first] += is_first  # the activation by the start of the workflow
        is_first = False
        for fact in entry.facts:
            if fact.index is None or fact.item is not None:
                continue
            index = fact.index
            is_active = traces.S_sum[index] + passes[index] + ends[index] + starts[index] > 0
            if fact.kind is FactKind.STARTED:
                starts[index] += 1
                if is_active:  # it had failed or was stopped, or its attempt is retried
                    ends[index] -= 1
                else:
                    uses[index] -= flow.thresholds[index]
                traces.failures[index] = 0
            elif fact.kind in (FactKind.ENDED, FactKind.PASSED, FactKind.SKIPPED):
                if starts[index]:  # in this same entry: before its end
                    starts[index], passes[index] = starts[index] - 1, passes[index] + 1
                elif not is_active:
                    passes[index] += 1
                    uses[index] -= flow.thresholds[index]
                ends[index] -= 1
                for successor in successors[index]:
                    gains[successor] += 1
            elif fact.kind is FactKind.FAILED:
                traces.failures[index] = 1
        for vector in (passes, ends, starts):
            note(S, traces.S_sum, entry.at_ms, vector)
        for vector in (gains, uses):
            note(A, traces.A_sum, entry.at_ms, vector)
    traces.S, traces.A = list(S), list(A)
    return traces
