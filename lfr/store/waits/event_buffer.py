"""Buffers events for waits that have not started yet, and indexes them by match key.

A buffered event is the string `waits:event:ID`. That its id is among the unused or the used events of a match
key is only a hint where to look: the string may have expired, or the event may have been used meanwhile.

Events are indexed under the match keys of the field sets that waits of their kind ask for, see
`lfr.tasks.match_keys`. The first wait that asks for a new field set adds it, and indexes what is buffered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from lfr.engine.waits import UserEvent
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import parse_pairs
from lfr.tasks.match_keys import FieldSet, match_keys
from lfr.values.json import decode_json_lines, encode_json_lines
from lfr.values.stream_id import StreamId

_PAGE_SIZE = 500

_LEAST_RETAIN_MS = 1000
"""How long an event is buffered at least, for earlier waits that are processed after it."""

_KEEP_UNUSED_MS = 600_000
"""How long an unused field set is kept: to add it again costs more than to look for it."""

_KINDS_AT_ONCE = 1000

_SCAN_COUNT = 5000
"""About how many keys one step of a scan looks at."""


def watch_buffered_events(connection: Connection, ids: Sequence[str]) -> dict[str, UserEvent]:
    """Watch these events in the buffer; return those that are in it, by id. (WATCH, GET)"""
    if not ids:
        return {}
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *map(keys.buffered_event, ids))
    replies = {id: pipeline.add("GET", keys.buffered_event(id)) for id in ids}
    pipeline.send()
    return {id: _decode_event(id, reply.value) for id, reply in replies.items() if reply.value}


def buffer_event_commands(
    event: UserEvent, field_sets: Iterable[FieldSet], retain_ms: int, now_ms: int
) -> list[Command]:
    """Return the commands that store an event as it now is, for `retain_ms` but at least a second, and index
    it for these field sets: a used event moves to the used ones. They also drop expired events from these
    indexes. (SET, ZADD, ZREM, ZREMRANGEBYSCORE, PEXPIRE)"""
    lifetime_ms = max(retain_ms, _LEAST_RETAIN_MS)
    event_ms = StreamId.parse(event.id).ms
    expired_ms = min(now_ms, event_ms) - lifetime_ms
    commands: list[Command] = [
        ("SET", keys.buffered_event(event.id), _encode_event(event), "PX", lifetime_ms)
    ]
    indexes = [keys.buffered_events(event.kind)]
    for match_key in match_keys(event.kind, event.fields, field_sets):
        if event.is_used:
            commands.append(("ZREM", keys.unused_events(match_key), event.id))
        indexes.append(_index(event, match_key))
    for index in indexes:
        commands += (
            ("ZADD", index, StreamId.parse(event.id).score, event.id),
            ("ZREMRANGEBYSCORE", index, "-inf", expired_ms),
            ("PEXPIRE", index, lifetime_ms),
        )
    return commands


def read_buffered_events(connection: Connection, kind: str | None, *, count: int) -> list[UserEvent]:
    """Return up to `count` events in the buffer, newest first; only those of `kind`, unless it is None.

    Without a kind this looks at every key of the database, some thousands at a time. (SCAN; ZREVRANGE, GET)
    """
    indexes = {keys.buffered_events(kind)} if kind is not None else set(_all_buffers(connection))
    members: set[str] = set()
    for index in indexes:
        members.update(id.decode() for id in connection.call("ZREVRANGE", index, 0, count - 1))
    ids = sorted(members, key=StreamId.parse, reverse=True)[:count]
    texts = connection.execute([("GET", keys.buffered_event(id)) for id in ids]) if ids else []
    return [_decode_event(id, text) for id, text in zip(ids, texts, strict=True) if text]


def _all_buffers(connection: Connection) -> Iterator[str]:
    cursor = "0"
    while True:
        pattern = keys.buffered_events("*")
        reply = connection.call("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT)
        cursor = reply[0].decode()
        yield from (key.decode() for key in reply[1])
        if cursor == "0":
            return


def correct_index(
    connection: Connection, match_key: str, wrong_ids: Collection[str], buffered: Mapping[str, UserEvent]
) -> None:
    """Remove `wrong_ids`, which are no unused events, from the unused events of a match key; add those that
    are in `buffered` (events by id) to its used events. (UNWATCH, ZREM, ZADD)"""
    commands: list[Command] = [("UNWATCH",), ("ZREM", keys.unused_events(match_key), *wrong_ids)]
    for id in wrong_ids:
        if id in buffered:
            commands.append(("ZADD", keys.used_events(match_key), StreamId.parse(id).score, id))
    connection.execute(commands)


def watch_field_sets(connection: Connection, kinds: Iterable[str]) -> dict[str, dict[FieldSet, bool]]:
    """Watch the field sets of these kinds; return, by kind and field set, whether all buffered events of the
    kind are indexed by it. (WATCH, HGETALL)"""
    field_set_keys = {kind: keys.field_sets(kind) for kind in kinds}
    if not field_set_keys:
        return {}
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *field_set_keys.values())
    replies = {kind: pipeline.add("HGETALL", key) for kind, key in field_set_keys.items()}
    pipeline.send()
    return {
        kind: {name.decode(): is_indexed == b"1" for name, is_indexed in parse_pairs(reply.value).items()}
        for kind, reply in replies.items()
    }


def add_field_set(
    connection: Connection, kind: str, field_set: FieldSet, retain_ms: int, now_ms: int
) -> None:
    """Index the buffered events of a kind by a new field set. (ZADD, HSETNX; ZRANGE, GET, ZADD; HSET)

    From the first command on, every event that is buffered is indexed by it; then those that were buffered
    before. If the process dies in between, the next wait that asks for this field set does it again.
    """
    # The wait may be completed at once and never be stored: this is what lets the field set be removed later.
    kind_command = ("ZADD", keys.FIELD_SET_KINDS, "NX", now_ms, kind)
    connection.execute([kind_command, ("HSETNX", keys.field_sets(kind), field_set, 0)])
    ids = [id.decode() for id in connection.call("ZRANGE", keys.buffered_events(kind), 0, -1)]
    for start in range(0, len(ids), _PAGE_SIZE):
        page = ids[start : start + _PAGE_SIZE]
        texts = connection.execute([("GET", keys.buffered_event(id)) for id in page])
        commands: list[Command] = []
        for event in (_decode_event(id, text) for id, text in zip(page, texts, strict=True) if text):
            for match_key in match_keys(event.kind, event.fields, [field_set]):
                index = _index(event, match_key)
                commands.append(("ZADD", index, StreamId.parse(event.id).score, event.id))
                commands.append(("PEXPIRE", index, max(retain_ms, _LEAST_RETAIN_MS)))
        if commands:
            connection.execute(commands)
    connection.call("HSET", keys.field_sets(kind), field_set, 1)


def remove_unused_field_sets(connection: Connection, now_ms: int) -> None:
    """Remove the field sets that no wait asks for, of up to 1000 kinds that were last looked at ten minutes
    ago or earlier, kind by kind.

    Skips a kind of which a wait starts or ends meanwhile. (ZRANGEBYSCORE; WATCH, HGETALL; MULTI/EXEC)
    """
    oldest_kinds = connection.call(
        *("ZRANGEBYSCORE", keys.FIELD_SET_KINDS, "-inf", now_ms - _KEEP_UNUSED_MS),
        *("LIMIT", 0, _KINDS_AT_ONCE),
    )
    for kind in oldest_kinds:
        _remove_unused_field_sets(connection, kind.decode(), now_ms)


def _remove_unused_field_sets(connection: Connection, kind: str, now_ms: int) -> None:
    field_sets, counts = keys.field_sets(kind), keys.field_set_counts(kind)
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", field_sets, counts)
    all_sets, wait_counts = pipeline.add("HKEYS", field_sets), pipeline.add("HGETALL", counts)
    pipeline.send()
    waits = parse_pairs(wait_counts.value)
    unused = [field_set for field_set in all_sets.value if int(waits.get(field_set, 0)) <= 0]
    commands: list[Command] = [("HDEL", field_sets, *unused), ("HDEL", counts, *unused)] if unused else []
    if len(unused) == len(all_sets.value):
        commands += [("ZREM", keys.FIELD_SET_KINDS, kind), ("DEL", keys.kind_waits(kind))]
    else:
        commands.append(("ZADD", keys.FIELD_SET_KINDS, now_ms, kind))
    connection.transact(commands)


def _index(event: UserEvent, match_key: str) -> str:
    return keys.used_events(match_key) if event.is_used else keys.unused_events(match_key)


def _encode_event(event: UserEvent) -> str:
    header = [event.kind, event.is_used, event.is_receipted, list(event.fields)]
    return encode_json_lines(header, *event.fields.values())


def _decode_event(id: str, text: bytes) -> UserEvent:
    (kind, is_used, is_receipted, names), *values = decode_json_lines(text)
    return UserEvent(id, kind, dict(zip(names, values, strict=True)), is_used, is_receipted)
