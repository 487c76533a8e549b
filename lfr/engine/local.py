"""Run a flow in this process, with functions as tasks: the smallest shell around the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

from lfr.engine.advance import Ended, advance, begin
from lfr.engine.inputs import WORKFLOW_INPUT
from lfr.engine.progress import Progress
from lfr.engine.transition import Start, Transition
from lfr.errors import LfrError
from lfr.flow import Flow, Json
from lfr.states import WorkflowState

Task: TypeAlias = Callable[[str, str, int, Json, Json], Json]
"""A task as a function: (name, base, index, input, parameters) -> output."""


class LocalFailure(LfrError):
    """A local run has failed."""


def run_local(
    flow: Flow,
    tasks: Mapping[str, Task] | Task,
    input: Json = None,
    trace: Callable[[int, str, Json], None] | None = None,
    *,
    limit: int = 1_000_000,
) -> Json:
    """Run `flow` to its end and return its output, or None if its end is never reached.

    `tasks` is one function for all, or a function for each task by its name (`base`, for an alias).
    `trace(index, name, input)` is called before each task. After `limit` tasks a flow counts as
    endless. Raises LocalFailure if a step fails or a task has no function; what a function raises
    passes through.
    """
    outputs: dict[int, Json] = {}
    progress = Progress(is_whole=True)
    starts: deque[Start] = deque()

    def take(transition: Transition) -> None:
        progress.apply(transition)
        outputs.update(transition.outputs)
        starts.extend(transition.starts)
        if transition.state is WorkflowState.FAILED:
            raise LocalFailure(transition.reason)

    take(begin(flow, {} if input is None else input))
    while starts:
        limit -= 1
        if limit < 0:
            raise LocalFailure("the flow does not come to an end", hint="does it lead back to its :start?")
        start = starts.popleft()
        step = flow.steps[start.index]
        if trace is not None:
            trace(start.index, step.name, start.input)
        task = tasks if callable(tasks) else tasks.get(step.task)
        if task is None:
            raise LocalFailure(f"there is no function for task {step.task}")
        output = task(step.name, step.task, start.index, start.input, step.parameters)
        answer = advance(flow, progress, outputs, Ended(start.index, output))
        assert isinstance(answer, Transition)  # a whole progress needs nothing, and no task ends twice
        take(answer)
    outputs.pop(WORKFLOW_INPUT, None)
    return outputs.get(flow.last)
