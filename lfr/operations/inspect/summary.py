"""Describes the record and the history of a workflow, as lists, `inspect` and `follow` show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lfr.engine.pauses import Pause, Pauses
from lfr.engine.transition import FactKind
from lfr.item_ids import parse_item_id
from lfr.states import WorkflowState
from lfr.store.workflows.history import HistoryEntry
from lfr.store.workflows.record import Record
from lfr.values.times import iso_time


def summarize(record: Record, pauses: Pauses) -> dict[str, Any]:
    """Describe a workflow as a whole. `pauses` are all that are in force.

    Keys: id, name (of its flow), version (of the stored flow, else None), state, reason (of a failure, else
    None), started, ended (None: it runs), labels (texts by name), parent (the id of the workflow that an item
    belongs to, else None), counts: total, the number of steps (None if the record lacks it), and how many are
    running, done, skipped, failed; simulated, how many attempts or items no worker has done; paused, the
    pause that holds back all its steps, as `describe_pause` describes it (None: none). In a loop, a step
    counts each time that it ends.
    """
    item = parse_item_id(record.id)
    own = pauses.of_workflow(record.id, [record.name])
    is_over = record.state is WorkflowState.FINISHED
    return {
        "id": record.id,
        "name": record.name,
        "version": record.version,
        "state": record.state.value,
        "reason": record.reason or None,
        "started": iso_time(record.started_ms),
        "ended": iso_time(record.ended_ms),
        "labels": record.labels,
        "parent": None if item is None else item.parent,
        "counts": {
            "total": record.total,
            "running": record.active,
            "done": record.done,
            "skipped": record.skipped,
            "failed": record.failed,
            "simulated": record.simulated,
        },
        "paused": describe_pause(own[0]) if own and not is_over else None,
    }


def describe_pause(pause: Pause) -> dict[str, Any]:
    """Describe a pause: scope (`workflow`, `flow`, `task` or `all`), name (the id of a workflow; None for
    all), since, by (who has paused it, or None), deadlines (`run`, or `stop`: they stand still)."""
    return {
        "scope": pause.scope.value,
        "name": pause.name or None,
        "since": iso_time(pause.since_ms),
        "by": pause.actor or None,
        "deadlines": "stop" if pause.stops_deadlines else "run",
    }


def describe_facts(history: Iterable[HistoryEntry]) -> Iterator[dict[str, Any]]:
    """Describe each fact of a history, in its order.

    Keys: at, index (None: a fact about the workflow), item (of an iterated step, else None), event (such as
    `started`), attempt (None if index is), reason (why it failed or is retried, else None), simulated
    (whether no worker has done what ended), actor and actor_reason (who has caused it by hand, and why, else
    None). A step that started and ended at once is described as two facts.
    """
    for entry in history:
        at = iso_time(entry.at_ms)
        for fact in entry.facts:
            reason = entry.reason or None if fact.kind in (FactKind.FAILED, FactKind.RETRIED) else None
            names = ("started", "ended") if fact.kind is FactKind.PASSED else (fact.kind.value,)
            for name in names:
                yield {
                    "at": at,
                    "index": fact.index,
                    "item": fact.item,
                    "event": name,
                    "attempt": None if fact.index is None else fact.attempt,
                    "reason": reason,
                    "simulated": fact.is_simulated,
                    **describe_actor(entry),
                }


def describe_actor(entry: HistoryEntry) -> dict[str, str | None]:
    """Return who has caused an entry, and why; the reason of a failure is not said twice."""
    if entry.actor is None:
        return {"actor": None, "actor_reason": None}
    reason = "" if entry.actor.reason == entry.reason else entry.actor.reason
    return {"actor": entry.actor.name, "actor_reason": reason or None}
