"""The groups of those who wait for the same: the event `paid`, the latch `house`, all delays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.store.waits.listing import Extent, read_event_kinds, read_extents, read_latch_names
from lfr.values.times import iso_time

_MAX_NAMES: Final = 1000
"""How many events and how many latches have groups of their own."""


class WaitKind(StrEnum):
    """What ends a wait. Of a task that runs a DEADLINE ends the attempt, and of a workflow all."""

    EVENT = "event"
    LATCH = "latch"
    DELAY = "delay"
    RETRY = "retry"
    PAUSE = "pause"
    DEADLINE = "deadline"


_ORDER: Final = {kind: number for number, kind in enumerate(WaitKind)}

DUE_KINDS: Final = (WaitKind.DELAY, WaitKind.RETRY, WaitKind.DEADLINE)
"""The kinds whose index is by the time at which the wait ends; of the others it is by its start."""


OF_WORKFLOWS: Final = "workflow"
"""The name of the group of deadlines that are those of workflows."""


@dataclass(frozen=True, slots=True)
class WaitGroup:
    """Those who wait for the same.

    name   of the event or of the latch; of deadlines `workflow` or `task`; else empty
    key    the zset of its members
    """

    kind: WaitKind
    name: str
    key: str
    extent: Extent | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Which group comes before which."""
        return _ORDER[self.kind], self.name


def read_groups(connection: Connection) -> list[WaitGroup]:
    """Return the groups that have members, in order."""
    groups = [
        *(
            WaitGroup(WaitKind.EVENT, name, keys.kind_waits(name))
            for name in read_event_kinds(connection, count=_MAX_NAMES)
        ),
        *(
            WaitGroup(WaitKind.LATCH, name, keys.latch_waiters(name))
            for name in read_latch_names(connection, count=_MAX_NAMES)
        ),
        WaitGroup(WaitKind.DELAY, "", keys.DELAYS),
        WaitGroup(WaitKind.RETRY, "", keys.DELAYED_STARTS),
        WaitGroup(WaitKind.PAUSE, "", keys.HELD_STARTS),
        WaitGroup(WaitKind.DEADLINE, "task", keys.DEADLINES),
        WaitGroup(WaitKind.DEADLINE, OF_WORKFLOWS, keys.WORKFLOW_DEADLINES),
    ]
    extents = read_extents(connection, [group.key for group in groups])
    present = [
        replace(group, extent=extent) for group, extent in zip(groups, extents, strict=True) if extent.size
    ]
    return sorted(present, key=lambda group: group.order)


def describe_group(group: WaitGroup) -> dict[str, Any]:
    """Describe a group as plain data, see `list_waits`."""
    size, first_ms = group.extent or (0, None)
    at = None if first_ms is None else iso_time(first_ms)
    is_due = group.kind in DUE_KINDS
    return {
        "kind": group.kind.value,
        "name": group.name,
        "count": size,
        "since": None if is_due else at,
        "until": at if is_due else None,
    }
