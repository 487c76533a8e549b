"""Describes the latest runs of one flow beside each other: how they ended, what became of each step, how long
it took."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lfr.errors import BadInput
from lfr.flow import Flow, Step, StepKind
from lfr.operations.flow_changes import step_title
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.inspect.steps import describe_steps
from lfr.operations.inspect.summary import summarize
from lfr.operations.list_workflows import format_cursor, parse_cursor
from lfr.operations.select_workflows import select_workflows
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.states import WorkflowState
from lfr.store.queues.pauses import read_pauses
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_versions import load_version
from lfr.store.workflows.history import History, read_history
from lfr.store.workflows.record import Record
from lfr.store.workflows.sizes import measure_largest_flow
from lfr.values.times import parse_timestamp

MAX_RUNS: Final = 100

MAX_STEPS: Final = 300
"""How many steps are compared; of a flow with more, the first."""

MAX_ENTRIES: Final = 1_000
"""A run with a longer history has no steps here: its page shows them."""


class StepKey(NamedTuple):
    """What makes a step of one version of a flow the same as a step of another: its title, and how many steps
    before it have the same title."""

    title: str
    number: int


def describe_runs(
    store: Store, flow_name: str, *, count: int = 30, after: str | None = None
) -> dict[str, Any]:
    """Describe up to `count` runs of the flow with this name behind the cursor `after` (None: the newest).

    Keys: name; version, the latest of the stored flow (None: none is stored); next, the cursor of earlier
    runs, or None; runs, the newest first, each with the keys of `summarize`, `seconds` from start to end
    (None: it has not ended) and `steps`, for each element of the outer `steps` index, state, and seconds of
    that step (None: this run has no such step, or too long a history); steps, in the order of the newest
    run's flow, then those of others: title, seconds, the median of those that are DONE (None: none is);
    `statistics` of these runs, as `describe_durations` returns it.

    Raises BadInput for a count below 1 or above 100, and for a bad cursor.
    """
    if not 1 <= count <= MAX_RUNS:
        raise BadInput(f"size is {count}, but must be from 1 to {MAX_RUNS}")
    position = None if after is None else parse_cursor(after)
    flows = FlowCache()
    with store.connect() as connection:
        selection = select_workflows(connection, WorkflowFilter(flow=flow_name), position, count=count)
        order: dict[StepKey, None] = {}
        steps_by_run = [_load_steps(connection, flows, record, order) for record in selection.records]
        pauses = read_pauses(connection)
        stored = load_version(connection, flow_name, None)
    summaries = [summarize(record, pauses) for record in selection.records]
    return {
        "name": flow_name,
        "version": None if stored is None else stored.number,
        "next": format_cursor(selection.next),
        "runs": [
            {**summary, "seconds": seconds_of(summary), "steps": [steps.get(key) for key in order]}
            for summary, steps in zip(summaries, steps_by_run, strict=True)
        ],
        "steps": [{"title": key.title, "seconds": _median_done(key, steps_by_run)} for key in order],
        "statistics": describe_durations(summaries),
    }


def measure_runs(store: Store, flow_name: str, *, count: int = 30, after: str | None = None) -> int | None:
    """Return about how many bytes `describe_runs` has in memory at once: what the description of the run with
    the largest flow takes. None if Redis does not permit to ask. Raises BadInput for a bad cursor."""
    position = None if after is None else parse_cursor(after)
    with store.connect() as connection:
        selection = select_workflows(connection, WorkflowFilter(flow=flow_name), position, count=count)
        return measure_largest_flow(connection, (record.reference for record in selection.records))


def describe_durations(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe how runs, given as `summarize` returns them, have ended.

    Keys: runs, how many; finished, failed, terminated, running; success, the part of those that have ended
    which has FINISHED, from 0 to 1 (None: none has ended); seconds, of those that have FINISHED: median,
    lower and upper (half of them lie between these two), shortest, longest (None: none has).
    """
    states = Counter(summary["state"] for summary in summaries)
    ended = states[WorkflowState.FINISHED] + states[WorkflowState.FAILED] + states[WorkflowState.TERMINATED]
    seconds = sorted(
        each
        for summary in summaries
        if summary["state"] == WorkflowState.FINISHED and (each := seconds_of(summary)) is not None
    )
    lower, median, upper = _quartiles(seconds) if seconds else (None, None, None)
    return {
        "runs": len(summaries),
        "finished": states[WorkflowState.FINISHED],
        "failed": states[WorkflowState.FAILED],
        "terminated": states[WorkflowState.TERMINATED],
        "running": len(summaries) - ended,
        "success": states[WorkflowState.FINISHED] / ended if ended else None,
        "seconds": {
            "shortest": seconds[0] if seconds else None,
            "lower": lower,
            "median": median,
            "upper": upper,
            "longest": seconds[-1] if seconds else None,
        },
    }


def key_steps(flow: Flow) -> Iterator[tuple[StepKey, Step]]:
    """Yield the steps that are worth a comparison, each with its key: tasks, resources, iterations."""
    numbers: Counter[str] = Counter()
    of_items = flow.steps_of_items
    for step in flow.own_steps:
        is_work = step.kind in (StepKind.TASK, StepKind.RESOURCE) or step.iterate
        if is_work and step.index not in of_items:
            title = f"* {step_title(step)}" if step.iterate else step_title(step)
            yield StepKey(title, numbers[title]), step
            numbers[title] += 1


def _load_steps(
    connection: Connection, flows: FlowCache, record: Record, order: dict[StepKey, None]
) -> dict[StepKey, dict[str, Any]]:
    """Return what has become of the steps of a run that are in `order`; add its others, while it has fewer
    than MAX_STEPS."""
    flow = flows.fetch(connection, [record.reference]).get(record.reference)
    if flow is None:
        return {}
    entries = read_history(connection, record.id, count=MAX_ENTRIES)
    if record.removed != (0, 0) or len(entries) == MAX_ENTRIES:
        return {}
    state = HistoryState.of(History(entries))
    described = {step["index"]: step for step in describe_steps(flow, state, record)}
    cells: dict[StepKey, dict[str, Any]] = {}
    for key, step in key_steps(flow):
        if key in order or len(order) < MAX_STEPS:
            order[key] = None
            cells[key] = _describe_cell(described[step.index])
    return cells


def _describe_cell(step: Mapping[str, Any]) -> dict[str, Any]:
    return {"index": step["index"], "state": step["state"], "seconds": seconds_of(step)}


def seconds_of(described: Mapping[str, Any]) -> float | None:
    """Return how many seconds a described workflow or step took; None if it has not ended."""
    start_ms, end_ms = (parse_timestamp(described[name]) for name in ("started", "ended"))
    return None if start_ms is None or end_ms is None else (end_ms - start_ms) / 1000


def _median_done(key: StepKey, steps_by_run: Iterable[Mapping[StepKey, Mapping[str, Any]]]) -> float | None:
    cells = [steps[key] for steps in steps_by_run if key in steps]
    seconds = [cell["seconds"] for cell in cells if cell["state"] == "DONE" and cell["seconds"] is not None]
    return statistics.median(seconds) if seconds else None


def _quartiles(ordered: Sequence[float]) -> tuple[float, float, float]:
    if len(ordered) == 1:
        return ordered[0], ordered[0], ordered[0]
    lower, median, upper = statistics.quantiles(ordered, n=4, method="inclusive")
    return lower, median, upper
