"""The states of workflows and of steps, and their transitions.

RUNNING ──> FINISHED                       nothing runs and nothing can start
   │  ^
   │  └──────────┬──────────────┐          restart
   ├──> FAILED ──┘              │          a step failed
   └──> TERMINATING ──> TERMINATED         terminate
"""

from __future__ import annotations

from enum import StrEnum


class WorkflowState(StrEnum):
    """The state of a workflow as a whole."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"

    __hash__ = str.__hash__  # that of Enum is a function in Python: too slow for what is looked up so often

    @property
    def has_ended(self) -> bool:
        """Whether nothing happens to a workflow in this state without an intervention."""
        return self in (WorkflowState.FINISHED, WorkflowState.FAILED, WorkflowState.TERMINATED)


class StepState(StrEnum):
    """The state of one step of a workflow. STOPPED: it ran when its workflow was stopped, by terminate or by
    its time limit; a restart starts it again."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


MAY_FOLLOW: dict[WorkflowState, frozenset[WorkflowState]] = {
    WorkflowState.RUNNING: frozenset(
        {WorkflowState.FINISHED, WorkflowState.FAILED, WorkflowState.TERMINATING, WorkflowState.TERMINATED}
    ),
    WorkflowState.FINISHED: frozenset(),
    WorkflowState.FAILED: frozenset({WorkflowState.RUNNING, WorkflowState.TERMINATED}),
    WorkflowState.TERMINATING: frozenset({WorkflowState.TERMINATED}),
    WorkflowState.TERMINATED: frozenset({WorkflowState.RUNNING}),
}
"""The states that may follow a state. A transition to any other is a defect."""
