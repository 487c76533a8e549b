"""Decides which actions the state of a workflow or a step permits, and why not."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial

from lfr.engine.interventions import StepAction, refusal_reason
from lfr.engine.transition import Progress
from lfr.errors import BadInput, Conflict, LfrError, NotFound
from lfr.flow import Flow
from lfr.item_ids import parse_item_id
from lfr.states import MAY_FOLLOW, WorkflowState


class WorkflowAction(StrEnum):
    """An action that people request on a workflow as a whole. Those on a step: `StepAction`."""

    TERMINATE = "terminate"
    RESTART = "restart"
    DELETE = "delete"
    ARCHIVE = "archive"
    PAUSE = "pause"
    RESUME = "resume"


_LEADS_TO = {
    WorkflowAction.TERMINATE: WorkflowState.TERMINATED,
    WorkflowAction.RESTART: WorkflowState.RUNNING,
}

_PARTICIPLES = {
    WorkflowAction.TERMINATE: "terminated",
    WorkflowAction.RESTART: "restarted",
    WorkflowAction.DELETE: "deleted",
    WorkflowAction.ARCHIVE: "archived",
    WorkflowAction.PAUSE: "paused",
    WorkflowAction.RESUME: "resumed",
}


def check_action(
    action: WorkflowAction, id: str, state: WorkflowState | None, *, is_paused: bool = False
) -> None:
    """Raise an error if the workflow `id`, whose state this is, does not permit an action.

    `is_paused`: the workflow itself, not its flow or everything. The state is None if there is no such
    workflow: raises NotFound. Raises Conflict if the state forbids the action, and for a child, whatever its
    state: it permits no action of its own.
    """
    item = parse_item_id(id)
    participle = _PARTICIPLES[action]
    if item is not None:
        raise Conflict(
            f"{id} is a child of {item.parent}, and is {participle} with it", hint=f"name {item.parent}"
        )
    if state is None:
        raise NotFound(f"there is no workflow {id}")
    if action in _LEADS_TO and _LEADS_TO[action] not in MAY_FOLLOW[state]:
        raise Conflict(f"{id} is {state} and cannot be {participle}")
    if action is WorkflowAction.PAUSE and is_paused:
        raise Conflict(f"{id} is paused already", hint=f"lfr resume {id} continues it")
    if action is WorkflowAction.PAUSE and state.has_ended:
        raise Conflict(f"{id} is {state} and cannot be paused")
    if action is WorkflowAction.RESUME and not is_paused:
        raise Conflict(f"{id} is not paused", hint="lfr status shows what is paused")
    if action is WorkflowAction.DELETE and not state.has_ended:
        raise Conflict(f"{id} is {state} and cannot be deleted", hint="terminate it first")


def states_that_permit(action: WorkflowAction) -> tuple[WorkflowState, ...]:
    """Return the states of a workflow in which an action is possible."""
    return tuple(
        state for state in WorkflowState if not _reason(partial(check_action, action, "workflow:any", state))
    )


def check_step_action(action: StepAction, id: str, flow: Flow, progress: Progress, index: int) -> None:
    """Raise an error if the state of a step of the workflow `id` does not permit an action.

    `progress` must include that step. Raises NotFound for an index outside the flow, BadInput for an iterated
    step, and Conflict if the state forbids the action.
    """
    if not flow.first <= index <= flow.last:
        raise NotFound(f"{id} has no step {index}", hint="lfr inspect shows the indices")
    if flow.steps[index].iterate:
        raise BadInput(f"step {index} of {id} is iterated", hint="name one of its items")
    reason = refusal_reason(action, flow, progress, index)
    if reason:
        raise Conflict(f"step {index} of {id}: {reason}")


def describe_actions(id: str, state: WorkflowState, *, is_paused: bool = False) -> dict[str, str | None]:
    """Return, for each action on the workflow, why it is not possible now; None if it is possible."""
    return {
        action.value: _reason(partial(check_action, action, id, state, is_paused=is_paused))
        for action in WorkflowAction
    }


def describe_step_actions(id: str, flow: Flow, progress: Progress, index: int) -> dict[str, str | None]:
    """Return, for each action on the step, why it is not possible now; None if it is possible."""
    return {
        action.value: _reason(partial(check_step_action, action, id, flow, progress, index))
        for action in StepAction
    }


def _reason(check: Callable[[], None]) -> str | None:
    try:
        check()
    except LfrError as error:
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return None
