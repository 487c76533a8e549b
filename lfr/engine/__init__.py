"""The engine: (flow, progress, ended step) -> transition. Pure: no Redis, no clock, no randomness.

`advance` is the algorithm. It may answer `Needed`: load that and ask again.
"""

from __future__ import annotations

from lfr.engine.advance import Ended, Ignored, Needed, advance, begin
from lfr.engine.interventions import (
    NotPossible,
    StepAction,
    fail_step,
    restart,
    retry_step,
    skip_step,
    terminate,
    why_not,
)
from lfr.engine.progress import Progress, StepProgress
from lfr.engine.transition import Cancel, Fact, Start, Transition, What

__all__ = [
    "Cancel",
    "Ended",
    "Fact",
    "Ignored",
    "Needed",
    "NotPossible",
    "Progress",
    "Start",
    "StepAction",
    "StepProgress",
    "Transition",
    "What",
    "advance",
    "begin",
    "fail_step",
    "restart",
    "retry_step",
    "skip_step",
    "terminate",
    "why_not",
]
