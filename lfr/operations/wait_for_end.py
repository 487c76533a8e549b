"""Waits until a workflow has ended: woken by the event that tells its end, and looking now and then besides.

The event is on the bus, so its end is noticed at once. Looking serves where no event comes: for a child,
whose end is told to lifecycles only, and after a deletion.
"""

from __future__ import annotations

import math
import time
from typing import Final

from lfr import event_fields, events
from lfr.errors import NotFound
from lfr.item_ids import is_item
from lfr.operations.lost_workflows import missing_workflow
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store.redis.connection import Store
from lfr.store.stream.entries import Entry, read_later
from lfr.store.workflows.queries import read_time_and_record

_MIN_PAUSE_SECONDS: Final = 0.005
_MAX_PAUSE_SECONDS: Final = 0.25
_MIN_BLOCK_SECONDS: Final = 0.05
"""How long to wait for an event at least: to look costs Redis and the client more than the wait."""

_PAUSE_SHARE: Final = 0.1
"""The longest pause between two looks, as a share of the time since the first."""

_ENDS: Final = events.WORKFLOW_EVENTS - {events.START_WORKFLOW}

_EVENTS: Final = 100
"""Among how many events of the bus that of the workflow is looked for. If others come, the pause goes on
without the bus: a busy bus is not read by all that wait."""


def wait_for_end(store: Store, id: str, timeout_seconds: float | None) -> bool:
    """Wait until a workflow has ended, however it ends; return whether it has within `timeout_seconds`, None:
    without a limit. Raises BadInput for the id, and NotFound, also if the workflow is deleted meanwhile.
    (TIME, HMGET, XREAD)"""
    id = parse_workflow_id(id)
    began = time.monotonic()
    deadline = math.inf if timeout_seconds is None else began + timeout_seconds
    longest = min(_MAX_PAUSE_SECONDS, store.settings.redis_timeout_seconds / 2)
    identity: tuple[int, str] | None = None
    with store.connect() as connection:
        while True:
            time_ms, record = read_time_and_record(connection, id)
            if record is None:
                raise missing_workflow(connection, id)
            if identity not in (None, (record.started_ms, record.run)):
                raise NotFound(f"{id} has been deleted")
            identity = record.started_ms, record.run
            if record.state.has_ended:
                return True
            now = time.monotonic()
            if now >= deadline:
                return False
            longest = min(longest, deadline - now)
            pause = min(max(_MIN_PAUSE_SECONDS, _PAUSE_SHARE * (now - began)), longest)
            block = pause if is_item(id) else max(pause, min(_MIN_BLOCK_SECONDS, longest))
            entries = read_later(connection, store.stream, time_ms, count=_EVENTS, block_seconds=block)
            if not any(_tells_end(entry, id) for entry in entries):
                time.sleep(max(0.0, now + pause - time.monotonic()))


def _tells_end(entry: Entry, id: str) -> bool:
    return event_fields.peek_kind(entry.fields) in _ENDS and event_fields.peek_workflow(entry.fields) == id
