"""Workflows moved on by the steps that have ended: `advance`, and the loading of what it lacks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from lfr.engine import LoadRequest, StepResult, Transition, advance
from lfr.store.redis.connection import Connection
from lfr.store.workflows.load import LoadedWorkflow, load_more


def advance_all(
    connection: Connection, loaded: Mapping[str, LoadedWorkflow], ended: Mapping[str, Iterable[StepResult]]
) -> dict[str, list[Transition]]:
    """Move each workflow on by its ended steps, in order; load what turns out to be needed."""
    moved: dict[str, list[Transition]] = {id: [] for id in ended}
    left = {id: deque(steps) for id, steps in ended.items()}
    while left:
        needs: list[tuple[LoadedWorkflow, LoadRequest]] = []
        for id, steps in list(left.items()):
            workflow = loaded[id]
            while steps:
                answer = advance(workflow.flow, workflow.progress, workflow.outputs, steps[0])
                if isinstance(answer, LoadRequest):
                    needs.append((workflow, answer))
                    break
                steps.popleft()
                if isinstance(answer, Transition):
                    workflow.take(answer)
                    moved[id].append(answer)
            else:
                del left[id]
        load_more(connection, needs)
    return moved
