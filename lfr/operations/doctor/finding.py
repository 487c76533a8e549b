"""Findings: what is wrong with an installation, why it matters, and the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from lfr.values.json import Json

_MAX_NAMED: Final = 3


class Severity(StrEnum):
    """How bad a finding is. An installation with notes alone is healthy."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    check    a word that stays the same, for programs: `orphaned-keys`
    matters  why it matters; empty: the text says it
    cure     what to do about it, or what `mend` does
    mend     mends it and returns what it has done; checks first that it is still so. None: only people can
    """

    severity: Severity
    check: str
    text: str
    matters: str = ""
    cure: str = ""
    mend: Callable[[], str] | None = None

    def to_dict(self) -> dict[str, Json]:
        """Return it as plain data: severity, check, text, matters, cure, mendable."""
        return {
            "severity": self.severity.value,
            "check": self.check,
            "text": self.text,
            "matters": self.matters,
            "cure": self.cure,
            "mendable": self.mend is not None,
        }


def name_some(names: Iterable[str]) -> str:
    """Return the first names of many: `a, b, c and 4 more`."""
    names = list(names)
    more = len(names) - _MAX_NAMED
    return ", ".join(islice(names, _MAX_NAMED)) + (f" and {more:,} more" if more > 0 else "")
