"""What a check of a run has found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Findings:
    """What was wrong, in sentences; and figures of the run."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return not (self.lost or self.doubled or self.invented or self.left_over)

    def add(self, found: Iterable[tuple[str, str]]) -> None:
        """Add sentences, each behind the kind of finding: lost, doubled or invented."""
        for kind, text in found:
            getattr(self, kind).append(text)
