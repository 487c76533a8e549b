"""How the installation as a whole is: roles, stream, what waits, what could not be understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lfr.states import WorkflowState
from lfr.store.processes import Heartbeat, read_heartbeats
from lfr.store.redis.connection import Connection, Store
from lfr.store.statistics import read_totals
from lfr.store.stream.groups import Group, count_lag, groups_command, parse_groups


def load_status(store: Store) -> dict[str, Any]:
    """All of it as plain data.

    redis         what `Totals.server` tells; and warnings, texts: what of it endangers workflows, and what to
                  do
    roles         of each process that is alive: name, role, host, pid, version, since, passes, events, and
                  age, the seconds since its latest sign of life
    stream        key and length
    groups        of each: name, consumers, lag (events still to read; up to 1000 where Redis does not tell),
                  pending (read and not acknowledged)
    dead_letters  how many are kept
    timers        how many delays, deadlines of attempts, attempts that are still to be made
    latches       how many
    workflows     how many by state

    Raises Unreachable, Refused.
    """
    with store.connect() as connection:
        totals = read_totals(connection, store.stream)
        found = parse_groups(connection.execute([groups_command(store.stream)], keep_errors=True)[0])
        return {
            "redis": {**totals.server, "warnings": list(_warnings(totals.server))},
            "roles": [_tell_sign(sign) for sign in read_heartbeats(connection)],
            "stream": {"key": store.stream, "length": totals.stream_length},
            "groups": [_tell_group(connection, store.stream, group) for group in found],
            "dead_letters": totals.dead_letters,
            "timers": totals.timers,
            "latches": totals.latches,
            "workflows": {state.value: totals.workflows[state] for state in WorkflowState},
        }


_NEARLY_FULL = 0.9


def _warnings(server: Mapping[str, Any]) -> Iterator[str]:
    most = server["max_memory"]
    if server["is_replica"]:
        yield "this Redis is a replica: nothing can be written here (name the other one, or REPLICAOF NO ONE)"
    if server["evicts"]:
        yield (
            f"Redis deletes keys when its memory is full, by {server['evicts']}: workflows would be lost "
            "(CONFIG SET maxmemory-policy noeviction)"
        )
    if most and server["memory"] > _NEARLY_FULL * most:
        yield (
            f"Redis uses {server['memory'] / most:.0%} of its memory; when it is full nothing moves on "
            "(delete workflows, or CONFIG SET maxmemory)"
        )
    for file in server["cannot_write"]:
        yield f"Redis could not write its {file}: its disk may be full (its log says why)"


def _tell_sign(sign: Heartbeat) -> dict[str, Any]:
    process = sign.process
    return {
        "name": process.name,
        "role": process.role,
        "host": process.host,
        "pid": process.pid,
        "version": process.version,
        "since": process.since,
        "passes": process.passes,
        "events": process.events,
        "age": round(sign.age_seconds, 1),
    }


def _tell_group(connection: Connection, stream: str, group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "consumers": group.consumers,
        "lag": count_lag(connection, stream, group),
        "pending": group.pending,
    }
