"""Which fields waits for events ask for, by the event's kind: what an event is looked up by."""

from __future__ import annotations

from collections.abc import Iterable

from lfr.store import keys
from lfr.store.connection import Link
from lfr.store.stream import pairs
from lfr.tasks.matching import FieldSet

_FEW = 16
"""So many field sets of a kind may stand there unused: it costs less than to introduce them again."""


def watch_field_sets(link: Link, kinds: Iterable[str]) -> dict[str, dict[FieldSet, bool]]:
    """Watch and read the field sets of these kinds; of each, whether kept events are found by it already.

    (WATCH, HGETALL)
    """
    wanted = list(dict.fromkeys(kinds))
    if not wanted:
        return {}
    watched = [keys.field_sets(kind) for kind in wanted]
    replies = link.exchange([("WATCH", *watched), *(("HGETALL", key) for key in watched)])[1:]
    return {
        kind: {names.decode(): is_ready == b"1" for names, is_ready in pairs(reply).items()}
        for kind, reply in zip(wanted, replies, strict=True)
    }


def forget_field_sets(link: Link, kinds: Iterable[str]) -> None:
    """Forget the field sets of these kinds that no wait asks for, if they are many. If a wait begins or ends
    meanwhile, it is left for another time. (WATCH, HGETALL; MULTI/EXEC)"""
    for kind in kinds:
        asked, counts = keys.field_sets(kind), keys.field_set_waits(kind)
        _, ready, counted = link.exchange([("WATCH", asked, counts), ("HGETALL", asked), ("HGETALL", counts)])
        waits = {names: int(count) for names, count in pairs(counted).items()}
        unused = [names.decode() for names in pairs(ready) if waits.get(names, 0) <= 0]
        if len(ready) > 2 * _FEW and unused:
            link.transact([("HDEL", asked, *unused), ("HDEL", counts, *unused)])
        else:
            link.exchange([("UNWATCH",)])
