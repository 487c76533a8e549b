"""Budgets of work: how many looks at values the author of a flow may cause before lfr stops.

A look is one step of a loop over values that a flow chooses: a member that a guard tries, a key that a merge
copies. Time is not counted, because the same work must have the same end on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LOOKS: Final = 2_000_000
"""How many looks one transition may take: a few seconds of work."""


class TooMuchWork(ValueError):
    """The budget is used up. The text is the object of a sentence about what would need more."""


@dataclass(slots=True)
class LookBudget:
    """How many looks remain. `limit` is how many there were at first.

    shared  a budget of several of these together: every look counts in both; None: there is none
    """

    limit: int = MAX_LOOKS
    shared: LookBudget | None = None
    remaining: int = -1

    def __post_init__(self) -> None:
        self.remaining = self.limit

    @property
    def used(self) -> int:
        """Return how many looks were taken."""
        return self.limit - self.remaining

    @property
    def is_used_up(self) -> bool:
        """Return whether more looks were requested than there were."""
        return self.remaining < 0

    def spend(self, count: int) -> None:
        """Count looks, before they are taken. Raises TooMuchWork if fewer remain."""
        self.remaining -= count
        if self.remaining < 0:
            self.remaining = -1
            raise TooMuchWork(f"more than {self.limit:,} looks at values")
        if self.shared is not None:
            self.shared.spend(count)
