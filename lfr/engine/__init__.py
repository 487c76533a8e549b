"""The engine: (flow, progress, ended step) -> transition. Pure: no Redis, no clock, no randomness.

`advance` is the algorithm. It may answer `Needed`: load that and ask again.
"""

from __future__ import annotations

from lfr.engine.advance import Ended, Ignored, Needed, advance, begin
from lfr.engine.interventions import restart, terminate
from lfr.engine.progress import Progress, StepProgress
from lfr.engine.transition import Fact, Start, Transition, What

__all__ = [
    "Ended",
    "Fact",
    "Ignored",
    "Needed",
    "Progress",
    "Start",
    "StepProgress",
    "Transition",
    "What",
    "advance",
    "begin",
    "restart",
    "terminate",
]
