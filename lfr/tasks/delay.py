"""`wait:delay`: how long."""

from __future__ import annotations

import math

from lfr.flow import Json

LONGEST_SECONDS = 100 * 366 * 24 * 3600
"""A hundred years: what is longer is a mistake in the unit."""


class BadParameter(ValueError):
    """A parameter that its task cannot use; the text names task, parameter and value."""


def delay_seconds(parameters: Json) -> float:
    """The `duration` of a wait:delay, in seconds. Raises BadParameter."""
    duration = parameters.get("duration") if isinstance(parameters, dict) else None
    if duration is None:
        raise BadParameter("wait:delay needs the parameter duration, in seconds")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not math.isfinite(duration):
        raise BadParameter(f"wait:delay: duration is {str(duration)[:40]!r}, not a number of seconds")
    if not 0 <= duration <= LONGEST_SECONDS:
        raise BadParameter(
            f"wait:delay: duration is {str(duration)[:40]} seconds, below 0 or above 100 years"
        )
    return float(duration)
