"""What can be done to a workflow, or to a step of it, as it is now; and why not."""

from __future__ import annotations

from enum import StrEnum

from lfr.engine import Progress, StepAction, refusal_reason
from lfr.errors import BadInput, Conflict, LfrError, NotFound
from lfr.flow import Flow
from lfr.item_ids import read_item_id
from lfr.states import MAY_FOLLOW, WorkflowState


class WorkflowAction(StrEnum):
    """What people do to a workflow as a whole."""

    TERMINATE = "terminate"
    RESTART = "restart"
    DELETE = "delete"
    ARCHIVE = "archive"


_LEADS_TO = {
    WorkflowAction.TERMINATE: WorkflowState.TERMINATED,
    WorkflowAction.RESTART: WorkflowState.RUNNING,
}

_DONE = {
    WorkflowAction.TERMINATE: "terminated",
    WorkflowAction.RESTART: "restarted",
    WorkflowAction.DELETE: "deleted",
    WorkflowAction.ARCHIVE: "archived",
}


def refusal(action: WorkflowAction, id: str, state: WorkflowState | None) -> LfrError | None:
    """Why this cannot be done to the workflow `id`, which is in this state (None: there is no such workflow):
    Conflict or NotFound; None if it can."""
    item = read_item_id(id)
    done = _DONE[action]
    if item is not None:
        return Conflict(
            f"{id} is an item of {item.parent}, and is {done} with it", hint=f"name {item.parent}"
        )
    if state is None:
        return NotFound(f"there is no workflow {id}")
    if action in _LEADS_TO and _LEADS_TO[action] not in MAY_FOLLOW[state]:
        return Conflict(f"{id} is {state} and cannot be {done}")
    if action is WorkflowAction.DELETE and not state.has_ended:
        return Conflict(f"{id} is {state} and cannot be deleted", hint="terminate it first")
    return None


def step_refusal(action: StepAction, id: str, flow: Flow, progress: Progress, index: int) -> LfrError | None:
    """Why this cannot be done to a step of the workflow `id` as it is now: NotFound, BadInput or Conflict;
    None if it can. Of the progress, that of the step must be there."""
    if not flow.first <= index <= flow.last:
        return NotFound(f"{id} has no step {index}", hint="lfr inspect shows the indices")
    if flow.steps[index].iterate:
        return BadInput(f"step {index} of {id} is iterated", hint="name one of its items")
    reason = refusal_reason(action, flow, progress, index)
    return Conflict(f"step {index} of {id}: {reason}") if reason else None


def check_action(action: WorkflowAction, id: str, state: WorkflowState | None) -> None:
    """Raise what `refusal` gives."""
    error = refusal(action, id, state)
    if error is not None:
        raise error


def actions(id: str, state: WorkflowState) -> dict[str, str | None]:
    """By action, why it cannot be done to the workflow, or None."""
    return {action.value: _words(refusal(action, id, state)) for action in WorkflowAction}


def step_actions(id: str, flow: Flow, progress: Progress, index: int) -> dict[str, str | None]:
    """By action, why it cannot be done to the step, or None."""
    return {action.value: _words(step_refusal(action, id, flow, progress, index)) for action in StepAction}


def _words(error: LfrError | None) -> str | None:
    return None if error is None else f"{error.message} ({error.hint})" if error.hint else error.message
