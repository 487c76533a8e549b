"""The indexes in which workflows are found: all, by state, by flow, by label. Each is a zset of ids by start.

A start and a restore write them, a deletion clears them; in between only the index by state changes. Items
stand in none. Builds before the indexes by flow and by label have left workflows without these: a lifecycle
adds them (`index_earlier_workflows`), and until then searches read records in place of these indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import commit_together_or_singly
from lfr.store.workflows.queries import load_range, load_records
from lfr.store.workflows.record import Record

_SCAN_COUNT = 5000


def index_commands(
    id: str, state: WorkflowState, started_ms: int, name: str, labels: Mapping[str, str]
) -> list[Command]:
    """Return the commands that add a workflow to all indexes. (ZADD, SADD)"""
    indexes = (keys.ALL, keys.state(state), *_own_indexes(name, labels))
    return [*(("ZADD", index, started_ms, id) for index in indexes), ("SADD", keys.INDEXED_FLOWS, name)]


def unindex_commands(
    id: str, states: Iterable[WorkflowState], name: str, labels: Mapping[str, str]
) -> list[Command]:
    """Return the commands that remove a workflow, in one of these states, from all indexes. (ZREM)"""
    indexes = (keys.ALL, *map(keys.state, states), *_own_indexes(name, labels))
    return [("ZREM", index, id) for index in indexes]


def unindex_together_commands(records: Iterable[Record]) -> list[Command]:
    """Return the commands that remove workflows from all indexes, one for each index. (ZREM)"""
    ids_by_index: dict[str, list[str]] = {}
    for record in records:
        for index in (keys.ALL, keys.state(record.state), *_own_indexes(record.name, record.labels)):
            ids_by_index.setdefault(index, []).append(record.id)
    return [("ZREM", index, *ids) for index, ids in ids_by_index.items()]


def _own_indexes(name: str, labels: Mapping[str, str]) -> list[str]:
    return [keys.flow_index(name), *(keys.label_index(*label) for label in labels.items())]


def find_index_keys(connection: Connection) -> list[str]:
    """Return the keys of all indexes by flow and by label. Looks at every key in Redis. (SCAN)"""
    indexes: set[str] = set()
    cursor = 0
    while True:
        reply = connection.call("SCAN", cursor, "MATCH", "workflows:*", "COUNT", _SCAN_COUNT)
        cursor = int(reply[0])
        indexes.update(key for raw in reply[1] if keys.is_search_index(key := raw.decode(errors="replace")))
        if not cursor:
            return sorted(indexes)


def load_indexed_flows(connection: Connection) -> list[str]:
    """Return the names of the flows that have an index; some may be empty by now. (SMEMBERS)"""
    return [name.decode() for name in connection.call("SMEMBERS", keys.INDEXED_FLOWS)]


def is_complete(connection: Connection) -> bool:
    """Return whether each workflow is in the index of its flow. (SMEMBERS; MULTI, ZCARD)

    An earlier build that still runs may start more without: so this is asked again and again.
    """
    names = sorted(connection.call("SMEMBERS", keys.INDEXED_FLOWS))
    commands: list[Command] = [("ZCARD", keys.ALL), ("SMEMBERS", keys.INDEXED_FLOWS)]
    commands += [("ZCARD", keys.flow_index(name.decode())) for name in names]
    replies = connection.transact(commands)
    if replies is None or sorted(replies[1]) != names:
        return True  # a flow has its first workflow just now: ask the next time
    return bool(sum(replies[2:]) >= replies[0])


def index_earlier_workflows(
    connection: Connection, after: tuple[int, str] | None, *, count: int
) -> tuple[int, str] | None:
    """Add a page of workflows to the indexes of their flow and labels, the oldest first; return the last one,
    which is `after` of the next page, or None after the last page. (ZRANGEBYSCORE; WATCH, HMGET; ZADD, SADD)
    """
    page = load_range(connection, keys.ALL, after, count=count, newest_first=False)

    def attempt(ids: Sequence[str]) -> list[Command]:
        pipeline = Pipeline(connection)
        pipeline.add("WATCH", *ids)  # one that is deleted, or begun anew, must not come back here
        pipeline.send()
        records = load_records(connection, ids, for_list=True)
        return [command for record in records if record is not None for command in _add_commands(record)]

    commit_together_or_singly(connection, [id for _, id in page], attempt)
    return page[-1] if page else None


def _add_commands(record: Record) -> list[Command]:
    commands: list[Command] = [("SADD", keys.INDEXED_FLOWS, record.name)]
    indexes = _own_indexes(record.name, record.labels)
    return commands + [("ZADD", index, record.started_ms, record.id) for index in indexes]


def forget_empty_flows(connection: Connection) -> None:
    """Remove the names of flows that have no workflow any more. (SMEMBERS; WATCH, EXISTS; SREM)"""
    names = [name.decode() for name in connection.call("SMEMBERS", keys.INDEXED_FLOWS)]
    exist = connection.execute([("EXISTS", keys.flow_index(name)) for name in names])
    unused = [name for name, exists in zip(names, exist, strict=True) if not exists]

    def attempt(names: Sequence[str]) -> list[Command]:
        pipeline = Pipeline(connection)
        pipeline.add("WATCH", *map(keys.flow_index, names))
        replies = [pipeline.add("EXISTS", keys.flow_index(name)) for name in names]
        pipeline.send()
        return [
            ("SREM", keys.INDEXED_FLOWS, name)
            for name, exists in zip(names, replies, strict=True)
            if not exists.value
        ]

    commit_together_or_singly(connection, unused, attempt)
