"""Examines groups: consumers and claims of processes that are gone, queues that nobody reads, marks without
an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from lfr.operations.doctor.finding import Finding, Severity, name_some
from lfr.store import keys
from lfr.store.queues.backlog import count_waiting
from lfr.store.queues.claims import release_lapsed
from lfr.store.queues.move import sort_queues
from lfr.store.queues.routes import OWN_GROUPS, RouteCache
from lfr.store.queues.unclaimed import find_over, tidy_index
from lfr.store.queues.workforce import Workforce, read_lapses
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import ConsumerId, parse_pairs
from lfr.store.stream.groups import call_group, read_groups, remove_idle_consumers

IDLE_SECONDS: Final = 600.0
"""After this time without a sign a consumer of a process that is gone is a finding."""

_RECEIPTS_ROLE: Final = "receipts"


def examine_groups(
    store: Store,
    connection: Connection,
    workforce: Workforce,
    queue_groups: Sequence[str],
    idle_seconds: float,
) -> Iterator[Finding]:
    """Yield what is wrong with groups and queues. `queue_groups` are those that have a queue."""
    yield from _examine_consumers(store, workforce, queue_groups, idle_seconds, connection)
    yield from _examine_claims(store, connection, workforce)
    yield from _examine_queues(store, connection, workforce, queue_groups)
    yield from _examine_unclaimed(store, connection)
    yield from _examine_marks(store, connection, workforce)


def _examine_consumers(
    store: Store,
    workforce: Workforce,
    queue_groups: Sequence[str],
    idle_seconds: float,
    connection: Connection,
) -> Iterator[Finding]:
    living = {(each.process.host, str(each.process.pid)) for each in workforce.heartbeats}
    streams = [store.stream, keys.ENDS, keys.RECEIPTS, *map(keys.queue, queue_groups)]
    dead: dict[tuple[str, str], list[str]] = {}
    for stream in streams:
        for group in read_groups(connection, stream):
            if stream == store.stream and group.name not in OWN_GROUPS:
                continue
            reply = connection.call("XINFO", "CONSUMERS", stream, group.raw_name, keep_errors=True)
            for fields in map(parse_pairs, reply if isinstance(reply, list) else ()):
                name = fields[b"name"].decode(errors="replace")
                host, _, pid = name.rpartition("-")[0].rpartition("-")
                is_idle = fields[b"idle"] >= 1000 * idle_seconds and not fields[b"pending"]
                if is_idle and (host, pid) not in living:
                    dead.setdefault((stream, group.name), []).append(name)
    if dead:
        count = sum(map(len, dead.values()))
        groups = name_some(dict.fromkeys(group for _, group in dead))
        yield Finding(
            Severity.WARNING,
            "dead-consumers",
            f"consumers of processes that are gone are still in groups, {count:,} in all: {groups}",
            "they make each look into the group slower",
            "removes those that have nothing pending",
            partial(_remove_consumers, store, list(dead), idle_seconds, count),
        )


def _remove_consumers(
    store: Store, groups: Sequence[tuple[str, str]], idle_seconds: float, count: int
) -> str:
    with store.connect() as connection:
        for stream, group in groups:
            consumer = ConsumerId(stream, group, "lfr-doctor")
            remove_idle_consumers(connection, consumer, idle_ms=round(1000 * idle_seconds))
            call_group(connection, "XGROUP", "DELCONSUMER", stream, group, consumer.name)
    return f"removed: {count:,}"


def _examine_claims(store: Store, connection: Connection, workforce: Workforce) -> Iterator[Finding]:
    owners = sorted(set(workforce.claims.groups.values()))
    dead = [group for group in owners if not workforce.processes(group)]
    lapses = read_lapses(connection, dead)
    lives = connection.execute([("PTTL", keys.group_life(group)) for group in dead])
    lapsed = [group for group in dead if lapses[group] == 0 and lives[dead.index(group)] == -2]
    if lapsed:
        yield Finding(
            Severity.WARNING,
            "lapsed-claims",
            f"groups without a worker for longer than tasks.forget still claim tasks: {name_some(lapsed)}",
            "their tasks wait in queues that nobody reads; a lifecycle would release them",
            "releases the claims, and lets others do the tasks",
            partial(_release_claims, store),
        )
    endless = [group for group, ttl_ms in zip(dead, lives, strict=True) if ttl_ms == -1]
    if endless:
        yield Finding(
            Severity.WARNING,
            "endless-claims",
            f"groups without a worker never lose their claims: {name_some(endless)}",
            "the mark that they are alive has no end, perhaps by a restored backup",
            "lets the mark end after tasks.forget",
            partial(_end_lives, store, endless),
        )


def _release_claims(store: Store) -> str:
    with store.connect() as connection:
        released = release_lapsed(connection)
        moved = sort_queues(connection, RouteCache(store))
    return f"groups without claims now: {len(released):,}; moved tasks: {moved:,}"


def _end_lives(store: Store, groups: Sequence[str]) -> str:
    forget_ms = max(1, round(1000 * store.settings.tasks_forget_seconds))
    with store.connect() as connection:
        for group in groups:
            if connection.call("PTTL", keys.group_life(group)) == -1:
                connection.call("PEXPIRE", keys.group_life(group), forget_ms)
    return f"groups whose claims will lapse: {len(groups):,}"


def _examine_queues(
    store: Store, connection: Connection, workforce: Workforce, queue_groups: Sequence[str]
) -> Iterator[Finding]:
    others = [group for group in queue_groups if group not in workforce.worker_groups()]
    lengths, _ = count_waiting(connection, others, [])
    unread = [group for group in others if lengths[group]]
    if unread:
        count = sum(lengths[group] for group in unread)
        yield Finding(
            Severity.ERROR,
            "unread-queues",
            f"tasks stand in queues of groups that claim nothing, {count:,} in all: {name_some(unread)}",
            "nobody can take them",
            "moves them to those who claim them, or to the bus",
            partial(_empty_queues, store, unread),
        )


def _empty_queues(store: Store, groups: Sequence[str]) -> str:
    with store.connect() as connection:
        connection.call("SADD", keys.UNSORTED, *groups)
        moved = sort_queues(connection, RouteCache(store))
    return f"moved: {moved:,}"


def _examine_unclaimed(store: Store, connection: Connection) -> Iterator[Finding]:
    over: list[str] = []
    for name in connection.call("SMEMBERS", keys.UNCLAIMED):
        members = connection.call("ZRANGE", keys.unclaimed(name.decode()), 0, 9999)
        over += find_over(connection, [member.decode() for member in members])
    if over:
        yield Finding(
            Severity.WARNING,
            "stale-index",
            f"tasks that are over still count as waiting for a worker: {len(over):,}",
            "lfr status names problems that are none; a lifecycle would remove them",
            "removes them from the index",
            partial(_tidy_index, store, len(over)),
        )


def _tidy_index(store: Store, count: int) -> str:
    with store.connect() as connection:
        offset = tidy_index(connection, 0)
        while offset:
            offset = tidy_index(connection, offset)
    return f"removed: {count:,}"


def _examine_marks(store: Store, connection: Connection, workforce: Workforce) -> Iterator[Finding]:
    housekeeper, receipts = connection.execute([("PTTL", keys.HOUSEKEEPER), ("PTTL", keys.RECEIPTS_ROLE)])
    if housekeeper == -1:
        yield Finding(
            Severity.ERROR,
            "endless-housekeeper",
            "the mark of the housekeeper has no end",
            "no lifecycle clears the streams any more",
            "deletes it: a lifecycle sets it anew",
            partial(_delete_endless, store, keys.HOUSEKEEPER, "the mark of the housekeeper"),
        )
    if receipts == -1 and not workforce.runs_role(_RECEIPTS_ROLE):
        yield Finding(
            Severity.ERROR,
            "endless-receipts",
            "the mark of the receipts role has no end, and none runs",
            "receipts pile up, and queues keep tasks that are done",
            "deletes it: the role sets it anew",
            partial(_delete_endless, store, keys.RECEIPTS_ROLE, "the mark of the receipts role"),
        )


def _delete_endless(store: Store, key: str, name: str) -> str:
    with store.connect() as connection:
        if connection.call("PTTL", key) == -1:
            connection.call("DEL", key)
    return f"{name} is deleted"
