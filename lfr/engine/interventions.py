"""The transitions that people ask for: terminate and restart a workflow; retry, skip and fail a step. And the
one that ends a workflow which takes too long.

All of them need the whole progress, and all but `terminate`, `time_out` and `fail_step` need all outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lfr.engine.advance import TransitionBuilder, gather_input
from lfr.engine.step_inputs import InputError
from lfr.engine.transition import UNTOUCHED, Fact, FactKind, LoadRequest, Progress, Start, Transition
from lfr.flow import Flow
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.values.json import ABSENT, Json


class StepAction(StrEnum):
    """An intervention in one step."""

    RETRY = "retry"
    SKIP = "skip"
    FAIL = "fail"


class NotPossible(ValueError):
    """The state of a step does not allow an intervention; the text says why."""


def terminate(flow: Flow, progress: Progress) -> Transition:
    """Return the transition that stops a workflow. It cancels the tasks that run, and gives their steps the
    activations back, as if they had never started: later results of them are stale. Does not check the state,
    and does not stop the workflows of items."""
    transition = _stop_all(flow, progress)
    transition.state = WorkflowState.TERMINATED
    transition.facts.append(Fact(None, FactKind.TERMINATED))
    return transition


def time_out(flow: Flow, progress: Progress, reason: str) -> Transition:
    """Return the transition that fails a workflow which has taken too long. It stops what runs as `terminate`
    does. Does not check the state."""
    transition = _stop_all(flow, progress)
    transition.state, transition.reason = WorkflowState.FAILED, reason
    transition.facts += (Fact(None, FactKind.TIMED_OUT), Fact(None, FactKind.FAILED))
    return transition


def _stop_all(flow: Flow, progress: Progress) -> Transition:
    """Cancel all tasks that run, and give their steps the activations back."""
    builder = TransitionBuilder(flow, progress, {})
    for index, step in progress.steps.items():
        if step.active:
            builder.cancel(index, step.active)
            builder.return_activations(index, step.active)
    return builder.transition


def restart(flow: Flow, progress: Progress, outputs: Mapping[int, Json]) -> Transition:
    """Return the transition that continues a failed or terminated workflow: it starts every step that has
    enough activations. Does not check the workflow's state.

    The outputs of steps that have ended are kept. If nothing starts and nothing runs, the workflow finishes.
    An iterated step that still runs is started again without an input: it continues with its items.
    """
    builder = TransitionBuilder(flow, progress, outputs)
    _set_running(builder)
    _start_ready_steps(builder)
    return _transition(builder)


def refusal_reason(action: StepAction, flow: Flow, progress: Progress, index: int) -> str:
    """Return why this action cannot be done to the step `index` now, or an empty text if it can. The progress
    of that step must be loaded."""
    step = progress.steps.get(index, UNTOUCHED)
    if step.active:
        return ""
    if action is StepAction.FAIL:
        return "it does not run"
    may_restart = WorkflowState.RUNNING in MAY_FOLLOW[progress.state]
    is_stopped = may_restart and step.waiting >= flow.thresholds[index]
    return "" if is_stopped else "it neither runs nor waits for a restart"


def retry_step(flow: Flow, progress: Progress, outputs: Mapping[int, Json], index: int) -> Transition:
    """Return the transition that starts another attempt of a running task at once; results of the attempt so
    far are then stale, and retries count from 0 again.

    If the step has failed or was stopped, it is that of `restart`. Raises NotPossible for any other step.
    """
    _check(StepAction.RETRY, flow, progress, index)
    if not progress.steps.get(index, UNTOUCHED).active:
        return restart(flow, progress, outputs)
    builder = TransitionBuilder(flow, progress, outputs)
    builder.cancel(index)
    builder.retry(flow.steps[index], flow.invocation_of(index), "tried again by hand")
    return _transition(builder)


def fail_step(flow: Flow, progress: Progress, index: int, reason: str) -> Transition:
    """Return the transition that fails a running task without a retry, and so the workflow, and cancels the
    task. Raises NotPossible if it does not run."""
    _check(StepAction.FAIL, flow, progress, index)
    builder = TransitionBuilder(flow, progress, {})
    builder.cancel(index)
    builder.fail(flow.steps[index], reason)
    builder.propagate()
    return _transition(builder)


def skip_step(
    flow: Flow, progress: Progress, outputs: Mapping[int, Json], index: int, output: Json
) -> Transition:
    """Return the transition that skips a task that runs, has failed or was stopped: its output is `output`,
    or, if that is ABSENT, its input, or `{}` if it has failed because there is no input.

    If it does not run, the workflow continues as after a restart. Raises NotPossible for any other step.
    """
    _check(StepAction.SKIP, flow, progress, index)
    builder = TransitionBuilder(flow, progress, outputs)
    skipped_output = _output_of_skipped(flow, outputs, index, output)
    if progress.steps.get(index, UNTOUCHED).active:
        builder.cancel(index)
        builder.complete(flow.steps[index], FactKind.SKIPPED, skipped_output)
        builder.propagate()
    else:
        builder.use_activations(index)
        _set_running(builder)
        builder.complete(flow.steps[index], FactKind.SKIPPED, skipped_output)
        _start_ready_steps(builder)
    return _transition(builder)


def _check(action: StepAction, flow: Flow, progress: Progress, index: int) -> None:
    if reason := refusal_reason(action, flow, progress, index):
        raise NotPossible(reason)


def _set_running(builder: TransitionBuilder) -> None:
    builder.transition.state = WorkflowState.RUNNING
    builder.transition.failed = -builder.progress.failed
    builder.transition.facts.append(Fact(None, FactKind.RESTARTED))


def _start_ready_steps(builder: TransitionBuilder) -> None:
    """Start every step that has enough activations, and what follows from it."""
    transition = builder.transition
    for index in sorted(builder.progress.steps):
        before, step = builder.progress.steps[index], builder.flow.steps[index]
        if before.active and step.iterate:
            transition.starts.append(Start(index, builder.flow.invocation_of(index), None, before.attempt))
        while transition.state is WorkflowState.RUNNING and builder.start_if_ready(index):
            pass
    builder.propagate()


def _output_of_skipped(flow: Flow, outputs: Mapping[int, Json], index: int, output: Json) -> Json:
    if output is not ABSENT:
        return output
    try:
        return gather_input(flow, lambda source: outputs.get(source, {}), index)
    except InputError:  # this is why the step failed
        return {}


def _transition(builder: TransitionBuilder) -> Transition:
    result = builder.result()
    assert not isinstance(result, LoadRequest)  # the whole progress is loaded
    return result
