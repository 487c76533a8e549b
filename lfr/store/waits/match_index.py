"""Which fields waits for events ask for, by the event's kind: what an event is looked up by."""

from __future__ import annotations

from collections.abc import Iterable

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import parse_pairs
from lfr.tasks.matching import FieldSet

_LOOK_AGAIN_MS = 600_000
"""How long a field set may stand there unused: to introduce it again costs more than to look for it."""

_AT_ONCE = 1000


def watch_field_sets(connection: Connection, kinds: Iterable[str]) -> dict[str, dict[FieldSet, bool]]:
    """Watch and read the field sets of these kinds; of each, whether kept events are found by it already.

    (WATCH, HGETALL)
    """
    wanted = list(dict.fromkeys(kinds))
    if not wanted:
        return {}
    watched = [keys.field_sets(kind) for kind in wanted]
    replies = connection.execute([("WATCH", *watched), *(("HGETALL", key) for key in watched)])[1:]
    return {
        kind: {names.decode(): is_ready == b"1" for names, is_ready in parse_pairs(reply).items()}
        for kind, reply in zip(wanted, replies, strict=True)
    }


def forget_field_sets(connection: Connection, now_ms: int) -> None:
    """Forget field sets that no wait asks for, of some kinds for which nobody has looked for a while.

    A kind of which a wait begins or ends meanwhile is left for the next time. (ZRANGEBYSCORE; WATCH, HGETALL;
    MULTI/EXEC)
    """
    oldest = ("ZRANGEBYSCORE", keys.AWAITED_KINDS, "-inf", now_ms - _LOOK_AGAIN_MS, "LIMIT", 0, _AT_ONCE)
    for kind in connection.execute([oldest])[0]:
        _forget(connection, kind.decode(), now_ms)


def _forget(connection: Connection, kind: str, now_ms: int) -> None:
    asked, counts = keys.field_sets(kind), keys.field_set_waits(kind)
    _, ready, counted = connection.execute(
        [("WATCH", asked, counts), ("HGETALL", asked), ("HGETALL", counts)]
    )
    waits = {names: int(count) for names, count in parse_pairs(counted).items()}
    unused = [names.decode() for names in parse_pairs(ready) if waits.get(names, 0) <= 0]
    commands: list[Command] = [("HDEL", asked, *unused), ("HDEL", counts, *unused)] if unused else []
    if 2 * len(unused) == len(ready):
        commands.append(("ZREM", keys.AWAITED_KINDS, kind))
    else:
        commands.append(("ZADD", keys.AWAITED_KINDS, now_ms, kind))
    connection.transact(commands)
