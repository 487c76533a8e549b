"""What is told of a workflow as a whole, wherever it is told: in lists, in full, live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lfr import events
from lfr.engine import FactKind
from lfr.item_ids import read_item_id
from lfr.store.workflows.history import HistoryEntry
from lfr.store.workflows.load import Record


def summarize(record: Record) -> dict[str, Any]:
    """id, name, state, reason (or None), started, ended, parent (of an item, else None), counts."""
    item = read_item_id(record.id)
    return {
        "id": record.id,
        "name": record.name,
        "state": record.state.value,
        "reason": record.reason or None,
        "started": iso_time(record.started_ms),
        "ended": iso_time(record.ended_ms),
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


def iso_time(ms: int) -> str | None:
    """Milliseconds since the epoch in ISO 8601, UTC; None for 0."""
    return events.timestamp(ms / 1000) if ms else None


def describe_facts(moments: Iterable[HistoryEntry]) -> Iterator[dict[str, Any]]:
    """The history fact by fact: at, index (None: the workflow), item (of an iterated step, else None), event,
    attempt (None: the workflow), reason. A step that started and ended at once is told as both."""
    for moment in moments:
        at = iso_time(moment.at_ms)
        for fact in moment.facts:
            reason = moment.reason or None if fact.kind in (FactKind.FAILED, FactKind.RETRIED) else None
            words = ("started", "ended") if fact.kind is FactKind.PASSED else (fact.kind.value,)
            for word in words:
                yield {
                    "at": at,
                    "index": fact.index,
                    "item": fact.item,
                    "event": word,
                    "attempt": None if fact.index is None else fact.attempt,
                    "reason": reason,
                }
