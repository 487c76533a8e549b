"""The heartbeats of the roles' processes.

Each process writes a description of itself that expires unless it is renewed. Redis lets it expire, so the
clocks of hosts do not matter. `workflows:processes` holds the ids of all processes; those that have expired
are removed when somebody reads the heartbeats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline

EXPIRES_SECONDS = 10
"""A process without a heartbeat for this time counts as gone."""


@dataclass(frozen=True, slots=True)
class Process:
    """A role's process.

    id      unique to each start of a process
    name    the role, with a number if several run on its host: `lifecycle.2`
    since   when it started, in ISO 8601, UTC
    passes  how many passes of its loop it has completed
    events  how many events it has read
    clock_ms  the time of its host when it sent the heartbeat, in milliseconds since the epoch; 0: not known
    claims  the tasks that it claims, by group; None: its version of lfr knows no queues
    """

    id: str
    role: str
    name: str
    host: str
    pid: int
    version: str
    since: str
    passes: int = 0
    events: int = 0
    claims: Mapping[str, Sequence[str]] | None = None
    clock_ms: int = 0


_PROCESS_FIELDS = {each.name for each in fields(Process)}


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The latest heartbeat of a process, and how many seconds ago it was."""

    process: Process
    age_seconds: float


def heartbeat_commands(process: Process, forget_seconds: float) -> list[Command]:
    """Return the commands of a heartbeat: they store the process for EXPIRES_SECONDS, and that its groups are
    alive for `forget_seconds`. (SET, SADD)"""
    description = json.dumps(asdict(process))
    forget_ms = max(1, round(1000 * forget_seconds))
    return [
        ("SET", keys.process(process.id), description, "EX", EXPIRES_SECONDS),
        ("SADD", keys.PROCESSES, process.id),
        *(("SET", keys.group_life(group), 1, "PX", forget_ms) for group in process.claims or ()),
    ]


def remove_process_commands(process: Process) -> list[Command]:
    """Return the commands that remove a process that ends. (DEL, SREM)"""
    return [("DEL", keys.process(process.id)), ("SREM", keys.PROCESSES, process.id)]


def read_heartbeats(connection: Connection) -> list[Heartbeat]:
    """Return the heartbeats of the processes that are alive, sorted by name, host and pid. Removes the ids of
    the others. (SMEMBERS; GET, PTTL; SREM)"""
    pipeline = Pipeline(connection)
    replies = {
        id: (pipeline.add("GET", keys.process(id.decode())), pipeline.add("PTTL", keys.process(id.decode())))
        for id in connection.call("SMEMBERS", keys.PROCESSES)
    }
    pipeline.send()
    heartbeats: list[Heartbeat] = []
    expired_ids: list[bytes] = []
    for id, (description, ttl_ms) in replies.items():
        if description.value is None or ttl_ms.value <= 0:
            expired_ids.append(id)
            continue
        # A newer lfr may have written more fields.
        values = json.loads(description.value).items()
        process = Process(**{name: value for name, value in values if name in _PROCESS_FIELDS})
        heartbeats.append(Heartbeat(process, EXPIRES_SECONDS - ttl_ms.value / 1000))
    if expired_ids:
        connection.call("SREM", keys.PROCESSES, *expired_ids)
    return sorted(heartbeats, key=lambda each: (each.process.name, each.process.host, each.process.pid))
