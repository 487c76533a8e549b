"""Which tasks end at once: they cost less in the thread that has read them than on the way to another one."""

from __future__ import annotations

from typing import Final

BRIEF_SECONDS: Final = 0.00015
"""A task that takes less than this on average is brief: a thread of its own would take about as long to begin
it. A task that waits for anything else takes longer."""

_FIRST_SECONDS: Final = 0.001
"""What counts as the average of a task before its first run: it is brief after about fifteen brief runs."""

_MOST_SECONDS: Final = 0.005
"""What counts at most for a run: one that was held up by something else is forgotten after some more."""

_WEIGHT: Final = 1 / 8
"""The weight of the latest run in the average."""


class BriefTasks:
    """The average duration of each task by its name, in which later runs count more. Any thread may use
    it."""

    def __init__(self) -> None:
        self._averages: dict[str, float] = {}

    def is_brief(self, name: str) -> bool:
        """Return whether this task has been brief lately."""
        return self._averages.get(name, _FIRST_SECONDS) < BRIEF_SECONDS

    def note(self, name: str, seconds: float) -> None:
        """Note how long a run of a task has taken."""
        average = self._averages.get(name, _FIRST_SECONDS)
        self._averages[name] = average + _WEIGHT * (min(seconds, _MOST_SECONDS) - average)
