"""Transitions that people ask for: terminate, restart. They need the whole progress."""

from __future__ import annotations

from collections.abc import Mapping

from lfr.engine.advance import Draft, Needed
from lfr.engine.progress import Progress
from lfr.engine.transition import Fact, Start, Transition, What
from lfr.flow import Flow, Json
from lfr.states import WorkflowState


def terminate(flow: Flow, progress: Progress) -> Transition:
    """Stop a workflow for good: what runs counts as never started, so a late end of it is ignored."""
    draft = Draft(flow, progress, {})
    for index, step in progress.steps.items():
        for _ in range(step.active):
            draft.stop(index)
            draft.put_back(index)
    draft.transition.state = WorkflowState.TERMINATED
    draft.transition.facts.append(Fact(None, What.TERMINATED))
    return draft.transition


def restart(flow: Flow, progress: Progress, outputs: Mapping[int, Json]) -> Transition | Needed:
    """Go on with a failed or terminated workflow: start every step that has activations enough.

    Outputs of what has ended are kept. With nothing to start and nothing that runs, it finishes.
    An iterated step that still ran when another one failed is told to go on with its items.
    """
    draft = Draft(flow, progress, outputs)
    change = draft.transition
    change.state = WorkflowState.RUNNING
    change.failed = -progress.failed
    change.facts.append(Fact(None, What.RESTARTED))
    for index in sorted(progress.steps):
        step = progress.steps[index]
        if step.active and flow.steps[index].iterate:
            change.starts.append(Start(index, None, step.attempt))
        while change.state is WorkflowState.RUNNING and draft.start_if_ready(index):
            pass
    draft.settle()
    return draft.result()
