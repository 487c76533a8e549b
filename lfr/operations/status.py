"""Describes the state of the installation: Redis, roles, stream, groups, waits, dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.states import WorkflowState
from lfr.store.processes import Heartbeat, read_heartbeats
from lfr.store.redis.connection import Connection, Store
from lfr.store.statistics import read_statistics
from lfr.store.stream.groups import Group, count_lag, read_groups

_NEARLY_FULL: Final = 0.9

_PROCESS_KEYS: Final = ("name", "role", "host", "pid", "version", "since", "passes", "events")


def load_status(store: Store) -> dict[str, Any]:
    """Describe the installation as plain data.

    redis         the keys of `Statistics.server`; and warnings: texts that name a danger to workflows, and
                  what to do
    roles         each live process: name, role, host, pid, version, since, passes, events, and age, the
                  seconds since its latest heartbeat
    stream        key and length
    groups        each group: name, consumers (how many), lag (events to read; up to 1000 if Redis has no
                  count), pending (events read and not acknowledged)
    dead_letters  how many there are
    timers        how many delays, deadlines, retries
    latches       how many there are
    workflows     how many there are in each state

    Raises Unreachable, Refused.
    """
    with store.connect() as connection:
        statistics = read_statistics(connection, store.stream)
        groups = read_groups(connection, store.stream)
        return {
            "redis": {**statistics.server, "warnings": list(_warnings(statistics.server))},
            "roles": [_describe_process(heartbeat) for heartbeat in read_heartbeats(connection)],
            "stream": {"key": store.stream, "length": statistics.stream_length},
            "groups": [_describe_group(connection, store.stream, group) for group in groups],
            "dead_letters": statistics.dead_letters,
            "timers": statistics.timers,
            "latches": statistics.latches,
            "workflows": {state.value: statistics.workflows[state] for state in WorkflowState},
        }


def _warnings(server: Mapping[str, Any]) -> Iterator[str]:
    limit = server["max_memory"]
    if server["is_replica"]:
        yield "this Redis is a replica and cannot be written to (use its primary, or REPLICAOF NO ONE)"
    if server["evicts"]:
        yield (
            f"Redis deletes keys when its memory is full, by {server['evicts']}: workflows would be lost "
            "(CONFIG SET maxmemory-policy noeviction)"
        )
    if limit and server["memory"] > _NEARLY_FULL * limit:
        yield (
            f"Redis uses {server['memory'] / limit:.0%} of its memory; when it is full, no workflow makes "
            "progress (delete workflows, or CONFIG SET maxmemory)"
        )
    for file in server["cannot_write"]:
        yield f"Redis could not write its {file}: its disk may be full (its log says why)"


def _describe_process(heartbeat: Heartbeat) -> dict[str, Any]:
    description = {key: getattr(heartbeat.process, key) for key in _PROCESS_KEYS}
    return {**description, "age": round(heartbeat.age_seconds, 1)}


def _describe_group(connection: Connection, stream: str, group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "consumers": group.consumers,
        "lag": count_lag(connection, stream, group),
        "pending": group.pending,
    }
