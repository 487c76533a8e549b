"""The shape that every compiled flow has, and the numbers that a run of it can reach.

A flow from an archive may come from anywhere. The engine counts on this shape: scopes are nested, no edge
leaves its scope, and each turn of a loop starts a task. `progress_error` says which progress no run can have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from lfr.flow import MAX_ATTEMPT, Flow, StepKind
from lfr.language.compile import MAX_EDGES, MAX_STEPS
from lfr.language.reachability import check_loops, completable_steps

MAX_TURNS: Final = 10_000
"""How often a step of a flow with a loop may be about to start, or run, at the same time."""

_INVOKING: Final = (StepKind.TASK, StepKind.RESOURCE)


class BadGraph(ValueError):
    """No flow text compiles to this flow; the text says why."""


def check_graph(flow: Flow) -> None:
    """Check that steps and edges are as the compiler makes them. Raises BadGraph.

    The index of each step must be its position, and the edges must be sorted.
    """
    size = len(flow.steps)
    if not 2 <= size <= MAX_STEPS or len(flow.edges) > MAX_EDGES:
        raise BadGraph(f"it has {size:,} steps and {len(flow.edges):,} edges")
    scopes = _scopes(flow)
    for source, target in flow.edges:
        if not (0 <= source < size - 1 and 0 <= target < size):
            raise BadGraph(f"an edge leads from step {source} to step {target}, of {size}")
        if _scope_of_source(flow, scopes, source) != _scope_of_target(flow, scopes, target):
            raise BadGraph(f"the edge from step {source} to step {target} leads into or out of a subflow")
    if any(check_loops(flow, dict.fromkeys(flow.predecessors[0], 0))):
        raise BadGraph("it has a loop that does no task")


def _scopes(flow: Flow) -> list[int]:
    """Return, by step, the index of the start of its scope; for a start and an end, the scope around them.
    Raises BadGraph unless each subflow ends within its scope."""
    scopes: list[int] = []
    open_starts = [0]
    last = len(flow.steps) - 1
    for step in flow.steps:
        is_border = step.index == 0, step.index == last
        if (step.kind is StepKind.START, step.kind is StepKind.END) != is_border:
            raise BadGraph(f"step {step.index} is a {step.kind.value}")
        if step.kind is StepKind.SUBFLOW_END:
            start = open_starts.pop()
            if not start or flow.steps[start].end != step.index:
                raise BadGraph(f"step {step.index} ends no subflow")
        scopes.append(open_starts[-1])
        if step.kind is StepKind.SUBFLOW:
            open_starts.append(step.index)
    if len(open_starts) > 1:
        raise BadGraph(f"the subflow at step {open_starts[-1]} has no end")
    return scopes


def _scope_of_source(flow: Flow, scopes: list[int], index: int) -> int:
    """Return the scope in which an edge begins: that of a subflow begins inside it."""
    return index if flow.steps[index].kind is StepKind.SUBFLOW else scopes[index]


def _scope_of_target(flow: Flow, scopes: list[int], index: int) -> int:
    """Return the scope in which an edge ends: one to the end of a subflow ends inside it."""
    ends_inside = flow.steps[index].kind is StepKind.SUBFLOW_END
    return _start_of(flow, scopes, index) if ends_inside else scopes[index]


def _start_of(flow: Flow, scopes: list[int], end: int) -> int:
    """Return the start of the subflow that ends at this step: the scope of the step before, or that step."""
    before = flow.steps[end - 1]
    return before.index if before.kind is StepKind.SUBFLOW else scopes[end - 1]


def steps_that_can_start(flow: Flow) -> frozenset[int]:
    """Return the indices of the steps of a flow, or of a part of it, that do not wait for themselves."""
    return frozenset(completable_steps(flow, lambda step: True))


def progress_error(flow: Flow, can_start: Collection[int], steps: Mapping[int, Sequence[int]]) -> str | None:
    """Return why no run of a flow, or of a part of it, can have this progress; None if one can.

    `can_start` is what `steps_that_can_start` returns. `steps` holds, by index, the numbers of
    `StepProgress`; the last ones may be missing.
    """
    has_loop = bool(flow.predecessors[0]) and flow.first == 0
    for index, numbers in steps.items():
        waiting, active, attempt, retries, earlier = (*numbers, 0, 0)[:5]
        step, threshold = flow.steps[index], flow.thresholds[index]
        turns = MAX_TURNS if has_loop else 1
        if active and not (step.kind in _INVOKING or step.iterate):
            return f"step {index}, a {step.kind.value}, runs"
        if waiting + active * threshold > turns * threshold:
            return f"step {index} has {waiting} activations and {active} invocations"
        if not has_loop and index not in can_start and (active or waiting >= threshold):
            return f"step {index} can never start, and has {waiting} activations and {active} invocations"
        if not active <= attempt <= MAX_ATTEMPT or retries > attempt or earlier > attempt:
            return f"step {index} has made {attempt} attempts, {retries} retries, and {active} of them run"
    return None
