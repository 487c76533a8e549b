"""Progress: where a workflow stands between two transitions. Sparse: most steps say nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from lfr.states import WorkflowState

if TYPE_CHECKING:
    from lfr.engine.transition import Transition


class StepProgress(NamedTuple):
    """What is known of one step.

    waiting  activations that it has received and not used
    active   its invocations that run now
    attempt  how often its task has been started in this workflow; an end-task that names another
             attempt than the latest comes too late
    retries  how many of these were made because the one before had failed, since the step last started
    """

    waiting: int = 0
    active: int = 0
    attempt: int = 0
    retries: int = 0


UNTOUCHED = StepProgress()


@dataclass(slots=True)
class Progress:
    """A workflow's progress, or as much of it as has been loaded.

    steps     what is known, by index
    is_whole  whether a step that is not in `steps` is untouched; else it has not been loaded yet
    active    invocations that run now, over all steps
    done, skipped, failed   how many steps have ended in this way so far
    """

    state: WorkflowState = WorkflowState.RUNNING
    steps: dict[int, StepProgress] = field(default_factory=dict)
    is_whole: bool = False
    active: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0

    def step(self, index: int) -> StepProgress | None:
        """What is known of a step, or None if that has not been loaded."""
        return self.steps.get(index, UNTOUCHED if self.is_whole else None)

    def apply(self, transition: Transition) -> None:
        """Move on to where `transition` leads."""
        self.steps.update(transition.steps)
        self.state = transition.state
        self.active += transition.active
        self.done += transition.done
        self.skipped += transition.skipped
        self.failed += transition.failed
