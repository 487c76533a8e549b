"""The states of workflows and of steps, and which may follow which.

RUNNING ──> FINISHED                       nothing runs and nothing can start
   │  ^
   │  └──────────┬──────────────┐          restart
   ├──> FAILED ──┘              │          a step failed
   └──> TERMINATING ──> TERMINATED         terminate
"""

from __future__ import annotations

from enum import StrEnum


class WorkflowState(StrEnum):
    """Where a workflow stands, as a whole."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to a workflow in this state unless somebody asks for it."""
        return self in (WorkflowState.FINISHED, WorkflowState.FAILED, WorkflowState.TERMINATED)


class StepState(StrEnum):
    """Where one step of a workflow stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


MAY_FOLLOW: dict[WorkflowState, frozenset[WorkflowState]] = {
    WorkflowState.RUNNING: frozenset(
        {WorkflowState.FINISHED, WorkflowState.FAILED, WorkflowState.TERMINATING, WorkflowState.TERMINATED}
    ),
    WorkflowState.FINISHED: frozenset(),
    WorkflowState.FAILED: frozenset({WorkflowState.RUNNING, WorkflowState.TERMINATED}),
    WorkflowState.TERMINATING: frozenset({WorkflowState.TERMINATED}),
    WorkflowState.TERMINATED: frozenset({WorkflowState.RUNNING}),
}
"""Which states may come after a state. A transition to any other is a defect."""
