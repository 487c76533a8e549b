"""Finds steps that can never start, and loops that never end.

A step waits for all steps that lead to it, so no step on a cycle ever starts: each waits for one that runs
after it. The only exception is the flow's start, which waits for nothing: `-> :start` makes a loop that
runs again and again. Each turn must start a task, or the loop would be one endless transition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from lfr.flow import Flow, Step, StepKind
from lfr.language.diagnostics import Problem

_TAKES_TIME: Final = (StepKind.TASK, StepKind.RESOURCE)
"""Steps of any other kind end as soon as they start."""

_MAX_NAMED: Final = 5
"""How many steps a message names; the others are counted."""

_HINT: Final = "a step waits for all steps that lead to it; only -> :start makes a loop"


def completable_steps(flow: Flow, can_end: Callable[[Step], bool]) -> set[int]:
    """Return the indices of the steps that can end if only the first and steps that pass `can_end` do.

    The flow may be a part of one. If a subflow may be skipped, its end counts as ended when its start does.
    """
    missing = [len(sources) for sources in flow.predecessors]
    ended: set[int] = set()
    stack = [flow.first]
    while stack:
        step = flow.steps[stack.pop()]
        if step.index in ended:
            continue
        ended.add(step.index)
        if step.kind is StepKind.SUBFLOW and _may_be_skipped(step):
            stack.append(step.end)
        for successor in flow.successors[step.index]:
            missing[successor] -= 1
            if missing[successor] == 0 and can_end(flow.steps[successor]):
                stack.append(successor)
    return ended


def _may_be_skipped(step: Step) -> bool:
    """Return whether a step may end at once: by its guard, or without items."""
    return step.guard is not None or step.iterate


def check_loops(flow: Flow, restarts: Mapping[int, int]) -> Iterator[Problem]:
    """Yield an error for each loop that may run without starting a task.

    `restarts` maps each step that leads to `:start` to the offset of that `:start`.
    """
    if not restarts:
        return
    instant = completable_steps(flow, lambda step: step.kind not in _TAKES_TIME or _may_be_skipped(step))
    for index, offset in restarts.items():
        if index in instant:
            message = "this loop can run without doing any task, and would then run endlessly in an instant"
            yield Problem(offset, message, "put a task without a guard into it, such as wait:delay")


def lint_reachability(flow: Flow, offsets: Sequence[int], restarts: Mapping[int, int]) -> Iterator[Problem]:
    """Warn of endless loops and of steps that never start. `offsets` holds the offset of each step."""
    completable = completable_steps(flow, lambda step: True)
    yield from _endless_loops(restarts, completable)
    if len(completable) == len(flow.steps):
        return
    for cycle, blocked in _blocked_by_cycle(flow, completable).items():
        message = _explain_cycle(flow, cycle) + _list_blocked(flow, cycle, blocked)
        yield Problem(offsets[cycle[0]], message, _HINT)


def explain_unreachable(flow: Flow, index: int) -> str:
    """Return why a step of a whole flow can never start; empty: it can. A workflow whose end never starts
    finishes without an output, once nothing else runs."""
    completable = completable_steps(flow, lambda step: True)
    if index in completable:
        return ""
    for cycle, blocked in _blocked_by_cycle(flow, completable).items():
        if index in blocked:
            return _explain_cycle(flow, cycle)
    return "no path leads to it"


def explain_unfinished(flow: Flow) -> str:
    """Return which part of a whole flow can never run, and why; empty: each can. Its end may be that part:
    then a workflow finishes without an output, once nothing else runs."""
    completable = completable_steps(flow, lambda step: True)
    never = [step.index for step in flow.steps if step.index not in completable]
    if not never or (never == [flow.last] and not flow.predecessors[flow.last]):
        return ""  # a flow that goes round for ever has no way to its end
    reason = explain_unreachable(flow, never[0])
    return f"its end can never be reached: {reason}" if flow.last in never else reason


def _endless_loops(restarts: Mapping[int, int], completable: set[int]) -> Iterator[Problem]:
    offsets = [offset for index, offset in restarts.items() if index in completable]
    for offset in offsets:
        message = "this loop never ends: each turn starts the flow again, with its first input"
        if len(offsets) > 1:
            message = "several loops, and each turn of each starts them all: they multiply"
        yield Problem(offset, message, "lfr terminate stops it")


def _blocked_by_cycle(flow: Flow, completable: set[int]) -> dict[tuple[int, ...], list[int]]:
    """Return the cycles of steps that wait for each other, each with all steps that it keeps from starting.

    A cycle begins with its lowest index; the blocked steps are in ascending order.
    """
    cycles: dict[int, tuple[int, ...]] = {}
    for step in flow.steps:
        path: dict[int, None] = {}
        index: int | None = step.index if step.index not in completable else None
        while index is not None and index not in cycles and index not in path:
            path[index] = None
            index = _blocking_step(flow, index, completable)
        if index is not None and path:
            cycles.update(dict.fromkeys(path, cycles.get(index) or _cycle(list(path), index)))
    blocked: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index in sorted(cycles):
        blocked[cycles[index]].append(index)
    return blocked


def _blocking_step(flow: Flow, index: int, completable: set[int]) -> int | None:
    """Return a step that never ends and that this one waits for; None for the end of a flow that only loops.

    If no step leads to the end of a scope, all of its statements lead into cycles: any of them will do.
    """
    sources = flow.predecessors[index] or range(index - 1, 0, -1)
    return next((source for source in sources if source not in completable), None)


def _cycle(path: list[int], index: int) -> tuple[int, ...]:
    """Return the cycle at the end of a backward path to `index`, in forward order."""
    cycle = path[path.index(index) :][::-1]
    lowest = cycle.index(min(cycle))
    return (*cycle[lowest:], *cycle[:lowest])


def _explain_cycle(flow: Flow, cycle: Sequence[int]) -> str:
    names: list[str] = []
    last_named = -1
    for index in cycle:
        if index > last_named:  # otherwise it is inside a subflow that is named already
            names.append(_name(flow.steps[index]))
            last_named = max(index, flow.steps[index].end)
    path = [*names[:_MAX_NAMED], *["..."] * (len(names) > _MAX_NAMED), names[0]]
    detail = f" ({' -> '.join(path)})" if len(names) > 1 else ""
    return f"{names[0]} can never start: it waits for itself{detail}"


def _list_blocked(flow: Flow, cycle: Sequence[int], blocked: Sequence[int]) -> str:
    """Name the blocked steps outside of the cycle, without the ends of subflows."""
    members = set(cycle)
    others = [flow.steps[index] for index in blocked if index not in members]
    names = [_name(step) for step in others if step.kind is not StepKind.SUBFLOW_END]
    if not names:
        return ""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    verb = "does" if len(names) == 1 else "do"
    return f"; so neither {verb} {', '.join(names[:_MAX_NAMED])}{more}"


def _name(step: Step) -> str:
    match step.kind:
        case StepKind.END:
            return "the flow's end"
        case StepKind.LITERAL:
            return "a literal"
        case StepKind.RESOURCE:
            return f"<{step.uri}>"
        case StepKind.SUBFLOW:
            return step.name or "a subflow"
    return step.name
