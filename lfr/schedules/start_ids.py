"""The ids of the workflows that schedules start: the name of the schedule and a time, as
`workflow:nightly-20261130T020000Z`. So a start for a time has one id, whoever makes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

MAX_NAME: Final = 150
"""How many characters the name of a schedule may have: with the time, it is a part of an id."""

_NAME: Final = re.compile(r"[A-Za-z_][\w:-]*", re.ASCII)
_ID: Final = re.compile(r"workflow:([A-Za-z_][\w.-]*)-\d{8}T\d{6}(?:\.\d{3})?Z", re.ASCII)


def is_schedule_name(name: str) -> bool:
    """Return whether this can be the name of a schedule, which is that of its flow if it stands in a text."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def start_id(name: str, time_ms: int) -> str:
    """Return the id of the workflow that the schedule with this name starts for a time. Dots stand for the
    colons of the name: `workflow:latch:x` would be the key of a latch."""
    time = datetime.fromtimestamp(time_ms // 1000, UTC)
    part = f".{time_ms % 1000:03}" if time_ms % 1000 else ""
    return f"workflow:{name.replace(':', '.')}-{time:%Y%m%dT%H%M%S}{part}Z"


def schedule_of_id(id: str) -> str | None:
    """Return the name of the schedule that may have started the workflow with this id; None: none has."""
    match = _ID.fullmatch(id)
    return match[1].replace(".", ":") if match else None
