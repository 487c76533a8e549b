"""Which steps can ever start, and which loops would turn without end in one instant.

A step waits for all that leads to it, so no step on a circle ever starts: each waits for another one that
runs after it. The one exception is the flow's start, which waits for nothing: `-> :start` makes a loop
that turns. Each of its turns must start a task. Else the whole loop is one transition, without an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lfr.flow import Flow, Step, StepKind
from lfr.language.diagnostics import Problem

WORKS = (StepKind.TASK, StepKind.RESOURCE)
"""Steps of these kinds take time; all others end when they start."""


def completable_steps(flow: Flow, can_end: Callable[[Step], bool]) -> set[int]:
    """The steps that end, sooner or later, once the flow has begun, if only those can that `can_end` names.

    The end of a subflow that may be passed over counts among them as soon as the subflow itself does.
    """
    missing = [len(sources) for sources in flow.predecessors]
    ended: set[int] = set()
    stack = [0]
    while stack:
        step = flow.steps[stack.pop()]
        if step.index in ended:
            continue
        ended.add(step.index)
        if step.kind is StepKind.SUBFLOW and may_be_passed_over(step):
            stack.append(step.end)
        for successor in flow.successors[step.index]:
            missing[successor] -= 1
            if missing[successor] == 0 and can_end(flow.steps[successor]):
                stack.append(successor)
    return ended


def may_be_passed_over(step: Step) -> bool:
    """Whether a step may end with nothing done: its guard says no, or there are no items."""
    return step.guard is not None or step.iterate


def check_loops(flow: Flow, returns: Mapping[int, int]) -> Iterator[Problem]:
    """The loops that may turn without end in one instant: with no task in them, or only such as may be
    passed over. `returns` has the place of each `:start` that something leads to, by the step before it."""
    if not returns:
        return
    at_once = completable_steps(flow, lambda step: step.kind not in WORKS or may_be_passed_over(step))
    for index, at in returns.items():
        if index in at_once:
            message = "this loop can turn without doing any task, and would then turn for ever in an instant"
            yield Problem(at, message, "put a task without a guard into it, such as wait:delay")
