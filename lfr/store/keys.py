"""Every key: its name, its type, what it holds.

`W` below is a workflow's id, `workflow:NAME-UUID`; a workflow's own keys all begin with it.
"""

from __future__ import annotations

import re
from typing import Final

_OWN: Final = re.compile(
    r"(?:workflow|workflows|flow|flows|waits|receipts|littleflow):.*|.*env:[^:]*:[^:]*_url", re.DOTALL
)

ALL = "workflows:all"
"""ZSET: every workflow's id by its start, in milliseconds since the epoch."""

DEAD = "workflows:dead"
"""STREAM: events that could not be understood: `id`, `reason`, `event` (the raw fields as JSON)."""

FLOW_REFERENCES = "flows:refs"
"""HASH: digest -> how many workflows use that flow."""

PROCESSES = "workflows:processes"
"""SET: ids of the roles' processes that have given a sign of life; some may be gone by now."""

LOGGED_RECEIPTS = "receipts:logged"
"""ZSET: `RECEIPT TARGET`, ids of events that have been logged and are to be cleared from the stream once
every group has read past them, by the receipt's time in milliseconds since the epoch. An event without a
receipt that has grown old stands there as both."""

LATCHES = "waits:latches"
"""ZSET: the names of latches, by when each came to zero in milliseconds since the epoch; +inf: it is not."""

TIMERS = "waits:timers"
"""ZSET: `W INDEX ATTEMPT` by due time, in milliseconds since the epoch."""

COUNTDOWNS = "waits:countdowns"
"""ZSET: `W INDEX ATTEMPT`, countdowns that began at a latch of zero, by the time of their start-task event.
They end once no older event is still to be dealt with, for that might be an acquire."""

OPENED = "waits:opened"
"""SET: the names of what `opened` holds."""

AWAITED_KINDS = "waits:kinds"
"""ZSET: the kinds of events that waits ask for, by when it was last seen which of their field sets are in
use, in milliseconds since the epoch."""

DEADLINES = "waits:deadlines"
"""ZSET: `W INDEX ATTEMPT SECONDS ["NAME","BASE"]`, attempts that may take that long, by the time when it is
over, in milliseconds since the epoch."""

DELAYED_STARTS = "waits:delayed"
"""ZSET: `W INDEX ATTEMPT`, attempts that are still to be made, by their due time, as above."""


def state(name: str) -> str:
    """ZSET: the ids of the workflows in this state by their start, as in `workflows:all`."""
    return f"workflows:state:{name}"


def flow(digest: str) -> str:
    """STRING: a compiled flow's canonical JSON; shared by all its workflows."""
    return f"flow:{digest}"


def steps(workflow: str) -> str:
    """HASH: step index -> "waiting active attempt", or with retries as a fourth number if there are any;
    only steps of which one is not zero."""
    return f"{workflow}:steps"


def outputs(workflow: str) -> str:
    """HASH: step index -> output as JSON; -1 is the workflow's input."""
    return f"{workflow}:outputs"


def history(workflow: str) -> str:
    """STREAM: one entry for each transition."""
    return f"{workflow}:history"


def told_progress(workflow: str, index: int) -> str:
    """STRING: how far the running task of a step is, as its worker tells: at, attempt, fraction, text."""
    return f"{workflow}:progress:{index}"


def delayed_start(workflow: str, index: int, attempt: int) -> str:
    """STRING: the start-task event that begins this attempt, as JSON: a line with its values and
    its timeout, and a line each with its input and its parameters."""
    return f"{workflow}:start:{index}.{attempt}"


def items(workflow: str, index: int) -> str:
    """HASH: how far the items of an iterated step have come; there while it runs or can go on.

    total, begun, done: how many; round: see ItemId; iN: the item N as JSON, until it begins; oN: its
    output as JSON, once it has ended.
    """
    return f"{workflow}:items:{index}"


def handed_over(workflow: str, index: int) -> str:
    """STRING: an output as JSON, written by a worker for littleflow_redis before its end-task."""
    return f"{workflow}:output:{index}"


def wait(workflow: str, index: int, attempt: int) -> str:
    """STRING: what a step waits for, as JSON; or a mark, for a while after the attempt has been cancelled."""
    return f"{workflow}:wait:{index}.{attempt}"


def latched(workflow: str) -> str:
    """HASH: `INDEX.ATTEMPT` -> the latch that this attempt has acquired or released."""
    return f"{workflow}:latched"


def latch(name: str) -> str:
    """STRING: a latch's count; it expires some time after it has come to zero."""
    return f"workflow:latch:{name}"


def latch_waiters(name: str) -> str:
    """ZSET: `W INDEX ATTEMPT`, the countdowns of a latch, in the order of their start-task events, see
    `StreamId.score`."""
    return f"waits:latch:{name}"


def opened(name: str) -> str:
    """ZSET: as `latch_waiters`: those that a latch at zero has let go, until each has been told."""
    return f"waits:opened:{name}"


def field_sets(kind: str) -> str:
    """HASH: field set -> 1, or 0 until the kept events of this kind are to be found by it. Each set of fields
    that waits for events of this kind ask for, see `lfr.tasks.matching`."""
    return f"waits:fields:{kind}"


def field_set_waits(kind: str) -> str:
    """HASH: field set -> how many waits ask for it."""
    return f"waits:counts:{kind}"


def event_waits(place: str) -> str:
    """ZSET: `W INDEX ATTEMPT`, the waits in this place, in the order of their start-task events, as above."""
    return f"waits:place:{place}"


def event(id: str) -> str:
    """STRING: an event that is kept, as JSON; expires."""
    return f"waits:event:{id}"


def kept(kind: str) -> str:
    """ZSET: the ids of the events of this kind that are kept, by their time in ms; expires."""
    return f"waits:kept:{kind}"


def free(place: str) -> str:
    """ZSET: as `kept`: those that waits in this place ask for, and that have ended no wait yet; expires."""
    return f"waits:free:{place}"


def taken(place: str) -> str:
    """ZSET: as `free`: those that have ended a wait. They still end waits that are older than they are."""
    return f"waits:taken:{place}"


def process(id: str) -> str:
    """STRING: what a role's process tells of itself, as JSON; expires when it gives no sign of life."""
    return f"workflows:process:{id}"


def is_own(key: str) -> bool:
    """Whether a key is one of lfr's, or one that it goes by: those below, those of littleflow_redis, and
    those that say where `request:` tasks go. The stream may have another name: ask for that besides."""
    return _OWN.fullmatch(key) is not None
