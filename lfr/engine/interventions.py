"""Transitions that people ask for: terminate, restart. They need the whole progress."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lfr.engine.advance import LoadRequest, TransitionBuilder
from lfr.engine.progress import UNTOUCHED, Progress
from lfr.engine.step_inputs import InputError, gather_input, normalize_output
from lfr.engine.transition import Fact, FactKind, Start, Transition
from lfr.flow import Flow
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.values.json import Json


def terminate(flow: Flow, progress: Progress) -> Transition:
    """Stop a workflow for good: what runs counts as never started, so a late end of it is ignored."""
    draft = TransitionBuilder(flow, progress, {})
    for index, step in progress.steps.items():
        for _ in range(step.active):
            draft.cancel(index)
            draft.put_back(index)
    draft.transition.state = WorkflowState.TERMINATED
    draft.transition.facts.append(Fact(None, FactKind.TERMINATED))
    return draft.transition


def restart(flow: Flow, progress: Progress, outputs: Mapping[int, Json]) -> Transition | LoadRequest:
    """Go on with a failed or terminated workflow: start every step that has activations enough.

    Outputs of what has ended are kept. With nothing to start and nothing that runs, it finishes.
    An iterated step that still ran when another one failed is told to go on with its items.
    """
    draft = TransitionBuilder(flow, progress, outputs)
    _go_on(draft)
    _start_all(draft)
    return draft.result()


def _go_on(draft: TransitionBuilder) -> None:
    draft.transition.state = WorkflowState.RUNNING
    draft.transition.failed = -draft.progress.failed
    draft.transition.facts.append(Fact(None, FactKind.RESTARTED))


def _start_all(draft: TransitionBuilder) -> None:
    """Start whatever has activations enough, and what follows from it."""
    change = draft.transition
    for index in sorted(draft.progress.steps):
        step = draft.progress.steps[index]
        if step.active and draft.flow.steps[index].iterate:
            change.starts.append(Start(index, None, step.attempt))
        while change.state is WorkflowState.RUNNING and draft.start_if_ready(index):
            pass
    draft.settle()


class StepAction(StrEnum):
    """What people do to one step."""

    RETRY = "retry"
    SKIP = "skip"
    FAIL = "fail"


class NotPossible(ValueError):
    """A step is not in a state in which this can be done to it; the text says in which it is."""


def refusal_reason(action: StepAction, flow: Flow, progress: Progress, index: int) -> str:
    """Why this cannot be done to a step now, or an empty text if it can. Of the progress, that of the step
    must be there."""
    if progress.steps.get(index, UNTOUCHED).active:
        return ""
    if action is StepAction.FAIL:
        return "it does not run"
    return "" if _waits_for_restart(flow, progress, index) else "it neither runs nor waits for a restart"


def _check(action: StepAction, flow: Flow, progress: Progress, index: int) -> None:
    if reason := refusal_reason(action, flow, progress, index):
        raise NotPossible(reason)


def retry_step(
    flow: Flow, progress: Progress, outputs: Mapping[int, Json], index: int
) -> Transition | LoadRequest:
    """Start a task anew that runs, as another attempt: what its worker says counts no more. Of one that
    has failed or was stopped, this is the restart of its workflow. Raises NotPossible for any other.
    """
    _check(StepAction.RETRY, flow, progress, index)
    if not progress.steps.get(index, UNTOUCHED).active:
        return restart(flow, progress, outputs)
    draft = TransitionBuilder(flow, progress, outputs)
    draft.cancel(index)
    draft.try_again(flow.steps[index], "tried again by hand", 0.0, 0)
    return draft.result()


def fail_step(flow: Flow, progress: Progress, index: int, reason: str) -> Transition | LoadRequest:
    """Let a task that runs fail, without another attempt. Raises NotPossible if it does not run."""
    _check(StepAction.FAIL, flow, progress, index)
    draft = TransitionBuilder(flow, progress, {})
    draft.cancel(index)
    draft.fail(flow.steps[index], reason)
    draft.settle()
    return draft.result()


def skip_step(
    flow: Flow, progress: Progress, outputs: Mapping[int, Json], index: int, output: Json
) -> Transition | LoadRequest:
    """Go on without a task that runs, has failed or was stopped: its output is this one, or with None its
    input. A workflow that has failed or was terminated goes on as by a restart. Raises NotPossible.
    """
    _check(StepAction.SKIP, flow, progress, index)
    draft = TransitionBuilder(flow, progress, outputs)
    if progress.steps.get(index, UNTOUCHED).active:
        draft.cancel(index)
        draft.leave(flow.steps[index], FactKind.SKIPPED, _output_of_skipped(flow, outputs, index, output))
        draft.settle()
    else:
        draft.take_back(index)
        _go_on(draft)
        draft.leave(flow.steps[index], FactKind.SKIPPED, _output_of_skipped(flow, outputs, index, output))
        _start_all(draft)
    return draft.result()


def _output_of_skipped(flow: Flow, outputs: Mapping[int, Json], index: int, output: Json) -> Json:
    if output is not None:
        return normalize_output(output)
    try:
        return gather_input(flow, outputs.get, index)
    except InputError:  # which is why it failed
        return {}


def _waits_for_restart(flow: Flow, progress: Progress, index: int) -> bool:
    """Whether a step has failed or was stopped."""
    waiting = progress.steps.get(index, UNTOUCHED).waiting
    return WorkflowState.RUNNING in MAY_FOLLOW[progress.state] and waiting >= flow.thresholds[index]
