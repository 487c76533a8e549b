"""Runs a flow in this process, with a function as its tasks: the smallest loop around the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from lfr.engine.advance import advance, begin
from lfr.engine.transition import FactKind, Progress, Start, StepResult, Transition
from lfr.errors import LfrError
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.values.json import ABSENT, Json

Task: TypeAlias = Callable[[str, str, int, Json, Json], Json]
"""A task as a function: (name, base, index, input, parameters) -> output."""

Trace: TypeAlias = Callable[[int, str, Json], None]
"""A callback for a step: (index, name, input)."""


class LocalFailure(LfrError):
    """A local run has failed. `place` is the step, if it was a step that failed."""


def run_flow(
    flow: Flow,
    task: Task,
    input: Json,
    trace: Trace | None = None,
    *,
    skipped: Trace | None = None,
    limit: int = 1_000_000,
    turns: int | None = None,
) -> Json:
    """Run `flow` to its end and return its output, or ABSENT if its end is never reached.

    `task` does every task and every resource. `trace` is called before each of them, `skipped` for each step
    whose guard is false. The items of an iterated step are done one after the other. Nothing is retried.

    Raises LocalFailure if a step fails, after `limit` tasks, or after `turns` passes (None: any number)
    through the start of a flow that leads back to it. What `task` raises goes to the caller.
    """
    return _LocalRun(task, trace, skipped, limit, turns).run(flow, input)


@dataclass(slots=True)
class _LocalRun:
    """What a flow and its parts share in a local run: the callbacks, the limits, and the counts so far."""

    task: Task
    trace: Trace | None
    skipped: Trace | None
    limit: int
    turns: int | None
    task_count: int = 0
    turn_count: int = 0

    def run(self, flow: Flow, input: Json) -> Json:
        """Run a flow, or the part of a flow that runs for an item; return its output."""
        outputs: dict[int, Json] = {}
        progress = Progress(is_whole=True)
        starts: deque[Start] = deque()

        def apply(transition: Transition) -> None:
            progress.apply(transition)
            outputs.update(transition.outputs)
            starts.extend(transition.starts)
            self._trace_skipped(flow, transition)
            self._count_turns(flow, transition)
            if transition.state is WorkflowState.FAILED:
                failed = next(fact.index for fact in transition.facts if fact.kind is FactKind.FAILED)
                raise LocalFailure(transition.reason, place=f"step {failed}")

        apply(begin(flow, input))
        while starts:
            start = starts.popleft()
            transition = advance(flow, progress, outputs, StepResult(start.index, self._output(flow, start)))
            assert isinstance(transition, Transition)  # the progress is whole, and no task ends twice
            apply(transition)
        return outputs.get(flow.last, ABSENT)

    def _count_turns(self, flow: Flow, transition: Transition) -> None:
        """Count how often the start of the whole flow passes; parts that run for items have no turns."""
        if self.turns is None or flow.part_name:
            return
        self.turn_count += sum(fact.index == 0 and fact.kind is FactKind.PASSED for fact in transition.facts)
        if self.turn_count > self.turns:
            raise LocalFailure("the flow leads back to its :start, and so has no end")

    def _trace_skipped(self, flow: Flow, transition: Transition) -> None:
        if self.skipped is not None:
            for fact in transition.facts:
                if fact.kind is FactKind.SKIPPED and fact.index is not None:
                    self.skipped(fact.index, flow.steps[fact.index].name, transition.outputs[fact.index])

    def _output(self, flow: Flow, start: Start) -> Json:
        """Return the output of one step: do its task, or run its items."""
        step = flow.steps[start.index]
        if step.iterate:
            part = flow.part(step.index)
            outputs = (self.run(part, item) for item in start.input)
            return [{} if output is ABSENT else output for output in outputs]
        self.task_count += 1
        if self.task_count > self.limit:
            raise LocalFailure(f"after {self.limit} tasks the run was stopped")
        name, base, parameters, _ = start.invocation
        if self.trace is not None:
            self.trace(step.index, name, start.input)
        return self.task(name, base, step.index, start.input, parameters)
