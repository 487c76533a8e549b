"""What a workflow failed by: failures that agree in it have one cause, as far as a program can see."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

from lfr.operations.failures.reason_pattern import reason_pattern
from lfr.store.workflows.record import Record
from lfr.values.json import encode_json

_DIGITS: Final = 12
"""Hexadecimal digits of an id: two of a million groups have the same one in a chance of 1 to 500."""

FAILURE_ID: Final = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")


class Failure(NamedTuple):
    """What the failures of a group have in common.

    flow     the name of the flow; empty: it has none
    step     the name of the step that failed, as in `FailedStep`; empty: none did, or its name is not known
    pattern  of the reason, see `reason_pattern`
    """

    flow: str
    step: str
    pattern: str

    @property
    def id(self) -> str:
        """The id of the group, the same at all times, as FAILURE_ID."""
        return hashlib.sha256(encode_json(list(self)).encode()).hexdigest()[:_DIGITS]


def failure_of(record: Record) -> Failure:
    """Return what a failed workflow, given with all that a list shows, failed by."""
    step = "" if record.failed_step is None else record.failed_step.name
    return Failure(record.name, step, reason_pattern(record.reason))
