"""A workflow's history as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lfr.engine import FactKind
from lfr.operations.inspect.summary import tell_time
from lfr.store.workflows.history import Moment


def tell_facts(moments: Iterable[Moment]) -> Iterator[dict[str, Any]]:
    """The history fact by fact: at, index (None: the workflow), item (of an iterated step, else None), event,
    attempt (None: the workflow), reason. A step that started and ended at once is told as both."""
    for moment in moments:
        at = tell_time(moment.at_ms)
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
