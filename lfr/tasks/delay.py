"""`wait:delay`: until when."""

from __future__ import annotations

from lfr.tasks.catalogue import DELAY
from lfr.tasks.wait_parameters import wait_parameters
from lfr.values.json import Json


def delay_due(input: Json, parameters: Json, started_ms: int) -> int:
    """When a delay is over that starts at this time; both in milliseconds since the epoch.

    Raises BadParameter.
    """
    given = wait_parameters(DELAY, input, parameters)
    if given["until"] is not None:
        return int(given["until"])
    return started_ms + round(1000 * float(given["duration"]))
