"""What is told of a workflow as a whole, wherever it is told: in lists, in full, live."""

from __future__ import annotations

from typing import Any

from lfr import events
from lfr.item_ids import read_item_id
from lfr.store.workflows.record import Record


def summary(record: Record) -> dict[str, Any]:
    """id, name, state, reason (or None), started, ended, parent (of an item, else None), counts."""
    item = read_item_id(record.id)
    return {
        "id": record.id,
        "name": record.name,
        "state": record.state.value,
        "reason": record.reason or None,
        "started": tell_time(record.started_ms),
        "ended": tell_time(record.ended_ms),
        "parent": None if item is None else item.parent,
        "counts": counts(record),
    }


def counts(record: Record) -> dict[str, int | None]:
    """total, the steps of the flow, or None if that is not known without it; and how many run, are done,
    skipped, failed. In a loop a step counts each time that it ends."""
    return {
        "total": record.total,
        "running": record.active,
        "done": record.done,
        "skipped": record.skipped,
        "failed": record.failed,
    }


def tell_time(ms: int) -> str | None:
    """Milliseconds since the epoch in ISO 8601, UTC; None for 0."""
    return events.timestamp(ms / 1000) if ms else None
