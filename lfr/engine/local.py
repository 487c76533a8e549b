"""Run a flow in this process, with functions as tasks: the smallest shell around the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lfr.engine.advance import StepResult, advance, begin
from lfr.engine.progress import Progress
from lfr.engine.step_inputs import normalize_output
from lfr.engine.transition import FactKind, Start, Transition
from lfr.errors import LfrError
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.tasks.step_options import invocation_of
from lfr.values.json import Json

Task: TypeAlias = Callable[[str, str, int, Json, Json], Json]
"""A task as a function: (name, base, index, input, parameters) -> output."""


Trace: TypeAlias = Callable[[int, str, Json], None]
"""Is told of a step: (index, name, input)."""


class LocalFailure(LfrError):
    """A local run has failed. `place` is the step, if one failed by itself."""


def run_flow(
    flow: Flow,
    tasks: Mapping[str, Task] | Task,
    input: Json = None,
    trace: Trace | None = None,
    *,
    skipped: Trace | None = None,
    limit: int = 1_000_000,
    turns: int | None = None,
) -> Json:
    """Run `flow` to its end and return its output, or None if its end is never reached.

    `tasks` is one function for all, or a function for each task by its name (`base`, for an alias;
    `resource:load` and `resource:store` for resources). `trace(index, name, input)` is called before
    each task, `skipped` for each step whose guard says no. The items of an iterated step are done one
    after the other. After `limit` tasks a run is stopped, and after so many `turns` one that leads back to
    its start. Raises LocalFailure then, if a step fails, or if a task has no function; what a function
    raises passes through.
    """
    given = {} if input is None else normalize_output(input)
    return _Local(tasks, trace, skipped, limit, turns).run(flow, given)


@dataclass(slots=True)
class _Local:
    """What all parts of a local run share: the functions, who looks on, how much there may be.

    done  how many tasks have been; `turned`: how many turns
    """

    tasks: Mapping[str, Task] | Task
    trace: Trace | None
    skipped: Trace | None
    limit: int
    turns: int | None
    done: int = 0
    turned: int = 0

    def run(self, flow: Flow, input: Json) -> Json:
        """Run a flow, or the part of one that runs for an item; its output."""
        outputs: dict[int, Json] = {}
        progress = Progress(is_whole=True)
        starts: deque[Start] = deque()

        def take(transition: Transition) -> None:
            progress.apply(transition)
            outputs.update(transition.outputs)
            starts.extend(transition.starts)
            self._tell_skipped(flow, transition)
            self._count_turns(flow, transition)
            if transition.state is WorkflowState.FAILED:
                failed = next(fact.index for fact in transition.facts if fact.kind is FactKind.FAILED)
                raise LocalFailure(transition.reason, place=f"step {failed}")

        take(begin(flow, input))
        while starts:
            start = starts.popleft()
            answer = advance(flow, progress, outputs, StepResult(start.index, self._do(flow, start)))
            assert isinstance(answer, Transition)  # a whole progress needs nothing, and no task ends twice
            take(answer)
        return outputs.get(flow.last)

    def _count_turns(self, flow: Flow, transition: Transition) -> None:
        """A turn begins when the start of the whole flow passes; those of items turn once."""
        if self.turns is None or flow.part_name:
            return
        self.turned += sum(fact.index == 0 and fact.kind is FactKind.PASSED for fact in transition.facts)
        if self.turned > self.turns:
            raise LocalFailure("the flow leads back to its :start, and so has no end")

    def _tell_skipped(self, flow: Flow, transition: Transition) -> None:
        if self.skipped is not None:
            for fact in transition.facts:
                if fact.kind is FactKind.SKIPPED and fact.index is not None:
                    self.skipped(fact.index, flow.steps[fact.index].name, transition.outputs[fact.index])

    def _do(self, flow: Flow, start: Start) -> Json:
        """The output of one step."""
        step = flow.steps[start.index]
        if step.iterate:
            part = flow.part(step.index)
            outputs = (self.run(part, item) for item in start.input)
            return [{} if output is None else output for output in outputs]
        self.done += 1
        if self.done > self.limit:
            raise LocalFailure(f"after {self.limit} tasks the run was stopped")
        name, base, parameters = invocation_of(step)
        if self.trace is not None:
            self.trace(step.index, name, start.input)
        task = self.tasks if callable(self.tasks) else self.tasks.get(base)
        if task is None:
            raise LocalFailure(f"there is no function for task {base}")
        return task(name, base, step.index, start.input, parameters)
