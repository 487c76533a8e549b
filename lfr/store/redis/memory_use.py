"""How much of its memory the server uses, as INFO says it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Final

MEMORY_COMMAND: Final = ("INFO", "memory")
"""The command that asks for it; the reply goes to `parse_memory_use`."""

_SECONDS: Final = 1.0
"""How long a reply counts as known."""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """The memory that the server uses, and what it may use (maxmemory; 0: no limit, or not known), in bytes;
    and when it was read, by the monotonic clock."""

    used: int = 0
    limit: int = 0
    read_at: float = -math.inf

    def __str__(self) -> str:
        """Say both, as `95.1 of 100.0 MiB`."""
        return f"{self.used / 2**20:,.1f} of {self.limit / 2**20:,.1f} MiB"

    @property
    def is_old(self) -> bool:
        """Whether it is to be read again."""
        return time.monotonic() - self.read_at > _SECONDS

    def exceeds(self, share: float) -> bool:
        """Return whether more than this share of the limit is used; without a limit, it never is."""
        return 0 < self.limit * share < self.used


def parse_memory_use(reply: Any) -> MemoryUse:
    """Return what a reply to MEMORY_COMMAND says; without a limit if this user may not send it."""
    text = reply.decode() if isinstance(reply, bytes) else ""
    info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return MemoryUse(int(info.get("used_memory", 0)), int(info.get("maxmemory", 0)), time.monotonic())
