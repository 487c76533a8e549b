"""Causes: why a step or a workflow stands, and the cure, each in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lfr.values.json import Json
from lfr.values.times import format_at, format_span


class CauseKind(StrEnum):
    """What keeps a step from going on, or a workflow from having a step that could."""

    REFUSED_WRITES = "refused-writes"
    NO_LIFECYCLE = "no-lifecycle"
    SLOW_LIFECYCLE = "slow-lifecycle"
    NO_WORKER = "no-worker"
    QUEUED = "queued"
    HELD = "held"
    WORKER_GONE = "worker-gone"
    SERVER = "server"
    EVENT = "event"
    LATCH = "latch"
    CIRCLE = "circle"
    DELAY = "delay"
    DUE = "due"
    RETRY = "retry"
    ITEMS = "items"
    CALL = "call"
    PAUSE = "pause"
    LOST = "lost"
    PREDECESSORS = "predecessors"
    NEVER = "never"
    FAILED = "failed"
    ENDED = "ended"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a step or a workflow stands: one kind, a sentence, and what to do; an empty cure: nothing."""

    kind: CauseKind
    text: str
    cure: str = ""

    def to_dict(self) -> dict[str, Json]:
        """Return it as plain data: cause, text, cure."""
        return {"cause": self.kind.value, "text": self.text, "cure": self.cure}


def format_since(ms: int, now_ms: int) -> str:
    """Format a time in the past, and how long ago it was: `since 2026-01-31T18:00:00Z (5 min)`."""
    return f"since {format_at(ms)} ({format_span(max(0, now_ms - ms) / 1000)})"


def format_until(ms: int, now_ms: int) -> str:
    """Format a time to come, and how far it is: `until 2026-01-31T18:00:00Z (in 5 min)`."""
    return f"until {format_at(ms)} (in {format_span(max(0, ms - now_ms) / 1000)})"
