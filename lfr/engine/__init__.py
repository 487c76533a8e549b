"""The engine: (flow, progress, result of a step) -> transition. Pure: no Redis, no clock, no randomness.

`advance` is the algorithm. It may return a `LoadRequest`: load that and call it again. `waits` and `latches`
decide likewise what ends the steps that wait.
"""

from __future__ import annotations

from lfr.engine.advance import advance, begin
from lfr.engine.interventions import (
    NotPossible,
    StepAction,
    fail_step,
    refusal_reason,
    restart,
    retry_step,
    skip_step,
    terminate,
)
from lfr.engine.transition import (
    Attempt,
    Fact,
    FactKind,
    LoadRequest,
    Progress,
    StaleResult,
    Start,
    StepProgress,
    StepResult,
    Transition,
)

__all__ = [
    "Attempt",
    "Fact",
    "FactKind",
    "LoadRequest",
    "NotPossible",
    "Progress",
    "StaleResult",
    "Start",
    "StepAction",
    "StepProgress",
    "StepResult",
    "Transition",
    "advance",
    "begin",
    "fail_step",
    "refusal_reason",
    "restart",
    "retry_step",
    "skip_step",
    "terminate",
]
