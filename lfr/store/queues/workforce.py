"""Reads who does tasks now: claims, live processes, groups of foreign workers on the bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lfr.store import keys
from lfr.store.processes import Heartbeat, read_heartbeats
from lfr.store.queues.claims import Claims, covers, parse_claims
from lfr.store.queues.routes import OWN_GROUPS
from lfr.store.redis.connection import TIME, Connection, Reply, parse_time_ms
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import parse_pairs
from lfr.store.stream.groups import Group, parse_groups
from lfr.values.stream_id import StreamId

_TASKS_ROLE: Final = "tasks"

SILENT_SECONDS: Final = 300.0
"""A foreign group that has something to read and has not done so for this time counts as gone. A busy one may
read less often than an idle one."""


@dataclass(frozen=True, slots=True)
class BusGroup:
    """A group that reads the bus.

    raw_name        its name in Redis
    silent_seconds  since a consumer of it was active; None if it has no consumer
    has_read_all    whether it has read the newest entry; then it may well be silent
    last_delivered  the id of the last entry that it has read
    """

    raw_name: bytes
    silent_seconds: float | None
    has_read_all: bool
    last_delivered: StreamId

    @property
    def name(self) -> str:
        """The name as text."""
        return self.raw_name.decode(errors="backslashreplace")


class Service(NamedTuple):
    """When a task was done last, as `Workforce.now_ms`, and by which group."""

    at_ms: int
    group: str


@dataclass(frozen=True, slots=True)
class Workforce:
    """Who does tasks at one time.

    now_ms         that time on the clock of Redis, in milliseconds since the epoch
    claims         which group has claimed which tasks, be it alive or not
    heartbeats     of the processes that are alive
    foreign_tasks  the names of tasks that foreign workers have ended, with when that was, as `now_ms`
    served_tasks   the names of tasks that workers of lfr have done, each with who did it last
    bus_groups     the groups that read the bus
    unsorted       groups whose queues may hold tasks that they no longer claim
    """

    now_ms: int = 0
    claims: Claims = field(default_factory=Claims)
    heartbeats: Sequence[Heartbeat] = ()
    foreign_tasks: Mapping[str, int] = field(default_factory=dict)
    served_tasks: Mapping[str, Service] = field(default_factory=dict)
    bus_groups: Sequence[BusGroup] = ()
    unsorted: Sequence[str] = ()

    @property
    def foreign_groups(self) -> list[BusGroup]:
        """The groups on the bus that are none of lfr's own."""
        own = OWN_GROUPS.union(self.claims.groups.values())
        return [group for group in self.bus_groups if group.name not in own]

    @property
    def living_readers(self) -> list[BusGroup]:
        """The foreign groups on the bus that seem to be alive."""
        return [
            group
            for group in self.foreign_groups
            if group.silent_seconds is not None
            and (group.has_read_all or group.silent_seconds < SILENT_SECONDS)
        ]

    def processes(self, group: str) -> list[Heartbeat]:
        """Return the live processes of a group of workers."""
        return [each for each in self.heartbeats if group in (each.process.claims or ())]

    def does(self, task: str, group: str | None = None) -> bool:
        """Return whether a live process does this task, or makes this claim: one of `group`, or any."""
        return any(
            task == claim or covers(claim, task)
            for each in self.heartbeats
            for owner, claims in (each.process.claims or {}).items()
            if group in (None, owner)
            for claim in claims
        )

    def living_claims(self) -> set[str]:
        """Return the claims that live processes make."""
        return {
            claim
            for each in self.heartbeats
            for claims in (each.process.claims or {}).values()
            for claim in claims
        }

    @property
    def has_earlier_worker(self) -> bool:
        """Whether a worker is alive whose version of lfr knows no claims: it may do any task."""
        return any(
            each.process.role == _TASKS_ROLE and each.process.claims is None for each in self.heartbeats
        )

    def runs_role(self, *roles: str) -> bool:
        """Return whether a process of one of these roles is alive."""
        return any(each.process.role in roles for each in self.heartbeats)

    def worker_groups(self) -> list[str]:
        """Return the groups that may have a queue, sorted: those that claim tasks, or have until lately."""
        living = {group for each in self.heartbeats for group in each.process.claims or ()}
        return sorted({*self.claims.groups.values(), *living, *self.unsorted})


def read_workforce(connection: Connection, bus: str) -> Workforce:
    """Return who does tasks now, in a few round trips, however many tasks there are. (TIME, GET, HGETALL,
    SMEMBERS, XINFO, XREVRANGE)"""
    pipeline = Pipeline(connection)
    time = pipeline.add(*TIME)
    version = pipeline.add("GET", keys.CLAIMS_VERSION)
    claims = pipeline.add("HGETALL", keys.CLAIMS)
    foreign_tasks = pipeline.add("HGETALL", keys.FOREIGN_TASKS)
    served_tasks = pipeline.add("HGETALL", keys.SERVED_TASKS)
    unsorted = pipeline.add("SMEMBERS", keys.UNSORTED)
    groups = pipeline.add("XINFO", "GROUPS", bus)
    newest = pipeline.add("XREVRANGE", bus, "+", "-", "COUNT", 1)
    pipeline.send()
    return Workforce(
        now_ms=parse_time_ms(time.value),
        claims=parse_claims(version.value, claims.value),
        heartbeats=read_heartbeats(connection),
        foreign_tasks={name.decode(): int(at) for name, at in parse_pairs(foreign_tasks.value).items()},
        served_tasks={
            name.decode(): _parse_service(text.decode())
            for name, text in parse_pairs(served_tasks.value).items()
        },
        bus_groups=_read_bus_groups(
            connection, bus, parse_groups(groups.value_or_none or ()), newest.value_or_none
        ),
        unsorted=[group.decode() for group in unsorted.value],
    )


def _parse_service(text: str) -> Service:
    at_ms, _, group = text.partition(" ")
    return Service(int(at_ms), group)


def _read_bus_groups(
    connection: Connection, bus: str, groups: Sequence[Group], newest: Reply
) -> list[BusGroup]:
    last_id = StreamId.parse(newest[0][0].decode()) if newest else StreamId(0, 0)
    pipeline = Pipeline(connection)
    replies = [pipeline.add("XINFO", "CONSUMERS", bus, group.raw_name) for group in groups]
    pipeline.send()
    bus_groups: list[BusGroup] = []
    for group, consumers in zip(groups, replies, strict=True):
        idle_ms = [parse_pairs(consumer)[b"idle"] for consumer in consumers.value_or_none or ()]
        silent_seconds = min(idle_ms) / 1000 if idle_ms else None
        has_read_all = group.last_delivered >= last_id
        bus_groups.append(BusGroup(group.raw_name, silent_seconds, has_read_all, group.last_delivered))
    return bus_groups


def read_lapses(connection: Connection, groups: Sequence[str]) -> dict[str, float]:
    """Return in how many seconds the claims of these groups lapse unless a process of them sends another
    heartbeat; 0 if they lapse as soon as a lifecycle looks. (PTTL)"""
    replies = connection.execute([("PTTL", keys.group_life(group)) for group in groups])
    return {group: max(0, ttl_ms) / 1000 for group, ttl_ms in zip(groups, replies, strict=True)}
