"""Finds what nothing will ever use or remove: keys, index entries and timers of workflows that are gone.

A transaction writes a workflow or an attempt whole. So what is found without it stays without it, and may be
removed; where an id may be used again, its record is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lfr import events
from lfr.states import WorkflowState
from lfr.store import key_patterns, keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.workflows.attempt_status import are_current
from lfr.store.workflows.start_events import parse_deadline

_SCAN_COUNT: Final = 5000
_PAGE: Final = 1000

MAX_LISTED: Final = 100_000
"""How many workflows of each index, and how many timers, are looked at."""

_STATES: Final = tuple(WorkflowState)


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The keys of workflows that do not expire, by the id of the workflow, without those of records and large
    values; and the groups that have a queue."""

    by_owner: Mapping[str, Sequence[str]]
    queue_groups: Sequence[str]


def scan_keys(connection: Connection) -> KeySpace:
    """Look at every key of workflows, and at every queue. (SCAN, PTTL)"""
    by_owner: dict[str, list[str]] = {}
    groups: set[str] = set()
    cursor, queue = 0, keys.queue("")
    while True:
        reply = connection.call("SCAN", cursor, "MATCH", "workflow*", "COUNT", _SCAN_COUNT)
        cursor, page = int(reply[0]), [key.decode(errors="replace") for key in reply[1]]
        groups.update(key.removeprefix(queue) for key in page if key.startswith(queue))
        owned = [(key, owner) for key in page if (owner := key_patterns.owner(key)) and key != owner]
        owned = [(key, owner) for key, owner in owned if key != keys.large_values(owner)]
        expiries = connection.execute([("PTTL", key) for key, _ in owned])
        for (key, owner), ttl_ms in zip(owned, expiries, strict=True):
            if ttl_ms == -1:
                by_owner.setdefault(owner, []).append(key)
        if not cursor:
            return KeySpace(by_owner, sorted(groups))


def find_orphans(connection: Connection, space: KeySpace) -> dict[str, Sequence[str]]:
    """Return, by id, the keys of workflows that have no record and stand in no list. (EXISTS, ZSCORE)"""
    orphans: dict[str, Sequence[str]] = {}
    ids = list(space.by_owner)
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        exist = connection.execute([("EXISTS", id) for id in page])
        scores = connection.execute([("ZSCORE", keys.ALL, id) for id in page])
        for id, exists, score in zip(page, exist, scores, strict=True):
            if not exists and score is None:
                orphans[id] = space.by_owner[id]
    return orphans


def delete_orphans(connection: Connection, orphans: Mapping[str, Sequence[str]]) -> int:
    """Delete these keys of workflows that still have no record; return how many there were. (WATCH, EXISTS,
    ZSCORE; MULTI/EXEC: DEL)"""
    count = 0
    for id, own_keys in orphans.items():

        def attempt(id: str = id, own_keys: Sequence[str] = own_keys) -> tuple[list[Command] | None, int]:
            _, exists, score = connection.execute(
                [("WATCH", id, keys.ALL), ("EXISTS", id), ("ZSCORE", keys.ALL, id)]
            )
            if exists or score is not None:
                return None, 0
            return [("DEL", *own_keys)], len(own_keys)

        count += retry_until_committed(connection, attempt)
    return count


class ListFault(StrEnum):
    """What is wrong with how a workflow is listed.

    RECORDLESS  it is listed, and nothing else is left of it
    HALF_LOST   it is listed and has other data, but no record
    FLOWLESS    it has a record, but its flow is not stored
    MISPLACED   it stands in the list of another state than its record has, or of none
    IDLE        it is RUNNING, though none of its steps runs
    """

    RECORDLESS = "recordless"
    HALF_LOST = "half-lost"
    FLOWLESS = "flowless"
    MISPLACED = "misplaced"
    IDLE = "idle"


def find_list_faults(connection: Connection) -> dict[ListFault, list[str]]:
    """Return the ids of the workflows that are listed wrongly, of up to MAX_LISTED in each list. What seems
    wrong is read twice, because a workflow may change meanwhile. (ZRANGE, HMGET, ZSCORE, EXISTS)"""
    faults: dict[ListFault, list[str]] = {fault: [] for fault in ListFault}
    for page in _listed_ids(connection):
        suspects = [id for id, fault in _find_faults(connection, page).items() if fault]
        for id, fault in _find_faults(connection, suspects).items():
            if fault:
                faults[fault].append(id)
    return faults


def _find_faults(connection: Connection, ids: Sequence[str]) -> dict[str, ListFault | None]:
    """Return what is wrong with how each workflow is listed; None: nothing."""
    listed = _read_listed(connection, ids)
    digests = {each.digest for each in listed if each.digest}
    exist = connection.execute([("EXISTS", keys.flow(digest)) for digest in digests])
    flows = {digest for digest, exists in zip(digests, exist, strict=True) if exists}
    return {each.id: _fault_of(each, flows) for each in listed}


@dataclass(frozen=True, slots=True)
class _Listed:
    id: str
    state: WorkflowState | None
    digest: str
    active: int
    lists: frozenset[str]
    has_data: bool


def _fault_of(listed: _Listed, flows: Collection[str]) -> ListFault | None:
    if listed.state is None:
        return ListFault.HALF_LOST if listed.has_data else ListFault.RECORDLESS
    if listed.lists != {keys.ALL, keys.state(listed.state)}:
        return ListFault.MISPLACED
    if listed.digest not in flows:
        return ListFault.FLOWLESS
    is_idle = listed.state is WorkflowState.RUNNING and not listed.active
    return ListFault.IDLE if is_idle else None


def _listed_ids(connection: Connection) -> Iterator[list[str]]:
    visited: set[str] = set()
    for key in (keys.ALL, *map(keys.state, _STATES)):
        for first in range(0, MAX_LISTED, _PAGE):
            members = connection.call("ZRANGE", key, first, first + _PAGE - 1)
            ids = [id for member in members if (id := member.decode()) not in visited]
            visited.update(ids)
            yield ids
            if len(members) < _PAGE:
                break


def _read_listed(connection: Connection, ids: Sequence[str]) -> list[_Listed]:
    """Return what the records and the lists say of workflows. (HMGET, ZSCORE, EXISTS)"""
    lists = (keys.ALL, *map(keys.state, _STATES))
    pipeline = Pipeline(connection)
    replies = [
        [
            pipeline.add("HMGET", id, "state", "flow", "counts"),
            *(pipeline.add("ZSCORE", key, id) for key in lists),
            pipeline.add("EXISTS", *(key for key in keys.whole_data(id) if key != keys.large_values(id))),
        ]
        for id in ids
    ]
    pipeline.send()
    return [
        _parse_listed(id, [reply.value_or_none for reply in row], lists)
        for id, row in zip(ids, replies, strict=True)
    ]


def _parse_listed(id: str, replies: Sequence[Any], lists: Sequence[str]) -> _Listed:
    record, *scores = replies[:-1]
    state, digest, counts = record or (None, None, None)
    return _Listed(
        id=id,
        state=None if state is None else WorkflowState(state.decode()),
        digest=(digest or b"").decode(),
        active=int((counts or b"0").split()[0]),
        lists=frozenset(key for key, score in zip(lists, scores, strict=True) if score is not None),
        has_data=replies[-1] != 0,
    )


def correct_lists(connection: Connection, ids: Sequence[str]) -> int:
    """List each of these workflows under the state of its record, and one without a record nowhere. Return
    how many. (WATCH, HMGET; MULTI/EXEC: ZADD, ZREM)"""
    for id in ids:

        def attempt(id: str = id) -> tuple[list[Command], None]:
            _, (state, started) = connection.execute([("WATCH", id), ("HMGET", id, "state", "started")])
            own = () if state is None else (keys.ALL, keys.state(state.decode()))
            commands: list[Command] = [("ZADD", key, int(started), id) for key in own]
            others = {keys.ALL, *map(keys.state, _STATES)}.difference(own)
            return [*commands, *(("ZREM", key, id) for key in sorted(others))], None

        retry_until_committed(connection, attempt)
    return len(ids)


def find_stale_timers(connection: Connection) -> dict[str, list[str]]:
    """Return, by the key of their zset, the timers of attempts and workflows that are over. (ZRANGE, EXISTS,
    HGET)"""
    stale = {
        keys.TIMERS: _without_key(connection, keys.TIMERS, keys.wait),
        keys.DELAYS: _without_key(connection, keys.DELAYS, keys.wait),
        keys.COUNTDOWNS: _without_key(connection, keys.COUNTDOWNS, keys.wait),
        keys.DELAYED_STARTS: _without_key(connection, keys.DELAYED_STARTS, keys.delayed_start),
        keys.DEADLINES: _over_deadlines(connection),
        keys.WORKFLOW_DEADLINES: _over_workflows(connection),
    }
    for kind in _read_members(connection, keys.FIELD_SET_KINDS):
        stale[keys.kind_waits(kind)] = _without_key(connection, keys.kind_waits(kind), keys.wait)
    return {key: members for key, members in stale.items() if members}


def remove_stale_timers(connection: Connection, timers: Mapping[str, Sequence[str]]) -> int:
    """Remove these timers; return how many. (ZREM; WATCH, HGET; MULTI/EXEC: ZREM)"""
    for key, members in timers.items():
        for member in members if key == keys.WORKFLOW_DEADLINES else ():

            def attempt(id: str = member) -> tuple[list[Command] | None, None]:
                _, state = connection.execute([("WATCH", id), ("HGET", id, "state")])
                runs = state == WorkflowState.RUNNING.encode()
                return (None if runs else [("ZREM", keys.WORKFLOW_DEADLINES, id)]), None

            retry_until_committed(connection, attempt)
        if key != keys.WORKFLOW_DEADLINES:
            connection.call("ZREM", key, *members)
    return sum(map(len, timers.values()))


def _read_members(connection: Connection, key: str) -> list[str]:
    return [member.decode() for member in connection.call("ZRANGE", key, 0, MAX_LISTED - 1)]


def _without_key(
    connection: Connection, key: str, name_key: Callable[[str, int, int, str], str]
) -> list[str]:
    members = _read_members(connection, key)
    exist = connection.execute(
        [("EXISTS", name_key(*keys.parse_attempt_member(member))) for member in members]
    )
    return [member for member, exists in zip(members, exist, strict=True) if not exists]


def _over_deadlines(connection: Connection) -> list[str]:
    members = _read_members(connection, keys.DEADLINES)
    tasks: list[events.StartTask] = []
    for member in members:
        attempt, base, _ = parse_deadline(member)
        tasks.append(events.StartTask(**attempt, base=base, input=None, parameters=None))
    current = are_current(connection, tasks)
    return [member for member, is_current in zip(members, current, strict=True) if not is_current]


def _over_workflows(connection: Connection) -> list[str]:
    ids = _read_members(connection, keys.WORKFLOW_DEADLINES)
    states = connection.execute([("HGET", id, "state") for id in ids], keep_errors=True)
    return [id for id, state in zip(ids, states, strict=True) if state != WorkflowState.RUNNING.encode()]
