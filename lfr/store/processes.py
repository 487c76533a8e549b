"""The roles' processes that are alive: each gives a sign of life now and then, which expires by itself.

Redis lets a sign expire, so nobody compares the clocks of hosts. `workflows:processes` holds the ids of
all that have given one; those whose sign has expired are taken out when somebody looks, and when a process
starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection

EXPIRES_SECONDS = 10
"""A process that has given no sign for so long counts as gone."""


@dataclass(frozen=True, slots=True)
class Process:
    """A role's process.

    name    the role, with a number behind it if it is one of several on its host: `lifecycle.2`
    since   when it started, in ISO 8601, UTC
    passes  turns of its loop since then; events: how many it has taken
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


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A process, and how many seconds ago it has given its latest sign."""

    process: Process
    age_seconds: float


def heartbeat_commands(process: Process) -> list[Command]:
    """The commands that give a sign of life. (SET EX, SADD)"""
    told = json.dumps(asdict(process))
    return [
        ("SET", keys.process(process.id), told, "EX", EXPIRES_SECONDS),
        ("SADD", keys.PROCESSES, process.id),
    ]


def remove_process_commands(process: Process) -> list[Command]:
    """The commands that say that a process has ended. (DEL, SREM)"""
    return [("DEL", keys.process(process.id)), ("SREM", keys.PROCESSES, process.id)]


def read_heartbeats(connection: Connection) -> list[Heartbeat]:
    """The processes that are alive, by role and host; forgets the others. (SMEMBERS; GET, PTTL; SREM)"""
    ids = sorted(id.decode() for id in connection.execute([("SMEMBERS", keys.PROCESSES)])[0])
    if not ids:
        return []
    asked: list[Command] = [each for id in ids for each in _look(id)]
    replies = connection.execute(asked)
    found = dict(_signs(ids, replies))
    if gone := [id for id in ids if id not in found]:
        connection.execute([("SREM", keys.PROCESSES, *gone)])
    return sorted(
        found.values(),
        key=lambda heartbeat: (heartbeat.process.name, heartbeat.process.host, heartbeat.process.pid),
    )


def _look(id: str) -> tuple[Command, Command]:
    return ("GET", keys.process(id)), ("PTTL", keys.process(id))


def _signs(ids: Sequence[str], replies: Sequence[object]) -> Iterator[tuple[str, Heartbeat]]:
    for id, told, left_ms in zip(ids, replies[::2], replies[1::2], strict=True):
        if isinstance(told, bytes) and isinstance(left_ms, int) and left_ms > 0:
            known = {name: value for name, value in json.loads(told).items() if name in _FIELDS}
            yield id, Heartbeat(Process(**known), EXPIRES_SECONDS - left_ms / 1000)


_FIELDS = {field.name for field in fields(Process)}
"""A newer lfr may tell more."""
