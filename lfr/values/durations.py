"""Durations as people write them: `90`, `"90s"`, `"5m"`, `"1h30m"`, `"1d"`, `"250ms"`."""

from __future__ import annotations

import math
import re
from typing import Final

from lfr.values.json import Json

LONGEST_SECONDS: Final = 100 * 366 * 24 * 3600
"""A hundred years: what is longer is a mistake in the unit."""

FORM: Final = "a number of seconds, or a text such as 90s, 5m, 1h30m or 2d"
"""What a duration is, for messages."""

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PARTS: Final = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def read_duration(value: Json) -> float | None:
    """A duration in seconds, from 0 to `LONGEST_SECONDS`; None if the value is none.

    A text has its units from the largest to the smallest, each once at most: d, h, m, s, ms. A text
    without a unit is a number of seconds.
    """
    if isinstance(value, str):
        value = _read_text(value.replace(" ", ""))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= LONGEST_SECONDS else None


def write_duration(seconds: float) -> str:
    """A duration as `read_duration` takes it, to the millisecond: `1h30m`."""
    left, text = round(1000 * seconds), ""
    for unit, size in _UNITS.items():
        number, left = divmod(left, round(1000 * size))
        text += f"{number}{unit}" if number else ""
    return text or "0s"


def _read_text(text: str) -> float | None:
    if len(text) > 100 or not text:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    found = _PARTS.fullmatch(text)
    if found is None:
        return None
    return sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS.values(), strict=True) if part)
