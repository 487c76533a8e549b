"""The engine: (flow, progress, result of a step) -> transition. Pure: no Redis, no clock, no randomness.

`advance` is the algorithm. It may return a `LoadRequest`: load that and call it again.
"""

from __future__ import annotations

from lfr.engine.advance import LoadRequest, StaleResult, StepResult, advance, begin
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
from lfr.engine.progress import Progress, StepProgress
from lfr.engine.transition import Cancel, Fact, FactKind, Start, Transition

__all__ = [
    "Cancel",
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
