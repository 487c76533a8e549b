"""Describes the state of the installation: Redis, roles, streams, groups, waits, dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.operations.inspect.summary import describe_pause
from lfr.operations.status_problems import find_problems
from lfr.operations.traces.receiver import describe_receiver
from lfr.operations.workers import explain_absence
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.notices import RecipientState, read_recipients
from lfr.store.processes import Heartbeat
from lfr.store.queues.backlog import GroupState, StreamState, WaitingTasks, read_streams, read_unclaimed
from lfr.store.queues.pauses import read_pauses
from lfr.store.queues.routes import OWN_GROUPS
from lfr.store.queues.workforce import Workforce, read_lapses, read_workforce
from lfr.store.redis.connection import Store
from lfr.store.redis.memory_use import MemoryUse
from lfr.store.schedules import count_schedules, load_problems
from lfr.store.statistics import read_statistics
from lfr.store.stream.groups import role_of_group
from lfr.store.traces import read_receiver
from lfr.values.times import format_timestamp

_PROCESS_KEYS: Final = ("name", "role", "host", "pid", "version", "since", "passes", "events")

_MAX_PAUSES: Final = 100

_MAX_UNCLAIMED: Final = 100
"""How many unclaimed tasks are listed, by name."""


def load_status(store: Store) -> dict[str, Any]:
    """Describe the installation as plain data. Durations are in seconds.

    redis         the keys of `Statistics.server`; and warnings: texts that name a danger to workflows, and
                  what to do
    roles         each live process: name, role, host, pid, version, since, passes, events, and age, the
                  seconds since its latest heartbeat
    stream        key and length of the bus
    streams       each stream: key, length, kind: `bus`, `ends`, `receipts`, or `queue` with its group
    groups        each group: name, for a role that of the role; group, as Redis has it; kind: `role`,
                  `workers` or `foreign`; consumers (how many), lag (events to
                  read; on the bus up to 1000 if Redis has no count), pending (events read and not
                  acknowledged), each over all of its streams; waits, how long its oldest event waits that
                  nobody works on (None: there is none); streams, each with key, consumers, lag, pending.
                  Of workers also: claims; unattended, those that no live process makes; processes, how many
                  are alive; length of the queue; lapses, in how many seconds the claims lapse if none is
                  alive (else None). Of each group on the bus also:
                  silent, how long no consumer was active (None: it has none); forgotten, in how many seconds
                  it does not count any more (0: it does not)
    unclaimed     up to 100 tasks that wait and that nobody has claimed, the one that waits longest first:
                  task, count, since, waits; problem and hint if no live worker does it, else None
    dead_letters  how many there are
    timers        how many delays, deadlines, retries
    event_waits   how many wait for events
    latches       how many there are
    workflows     how many there are in each state
    schedules     count; due, how many are neither paused nor over; problems, what is wrong, by name
    notices       queued, how many notices wait; failing, each recipient that takes none: recipient, queued,
                  since (when the first try was in vain), reason
    traces        how the export of spans goes, as `describe_receiver` describes it
    pauses        up to 100 pauses, each as `describe_pause` describes it; paused, how many there are
    problems      what is wrong, and what to do about it: texts

    Raises Unreachable, Refused.
    """
    with store.connect() as connection:
        statistics = read_statistics(connection, store.stream)
        workforce = read_workforce(connection, store.stream)
        workers = workforce.worker_groups()
        queues = {keys.queue(group): group for group in workers}
        streams = read_streams(connection, [store.stream, keys.ENDS, keys.RECEIPTS, *queues])
        lapses = read_lapses(connection, workers)
        unclaimed = read_unclaimed(connection)
        schedules = {**count_schedules(connection), "problems": load_problems(connection)}
        pauses = list(read_pauses(connection))
        recipients = read_recipients(connection)
        receiver = read_receiver(connection)
    status: dict[str, Any] = {
        "redis": {**statistics.server, "warnings": list(_warnings(store, statistics.server))},
        "roles": [_describe_process(heartbeat) for heartbeat in workforce.heartbeats],
        "prefix": store.settings.redis_prefix,
        "stream": {"key": store.stream, "length": streams[0].length},
        "streams": [_describe_stream(store.stream, stream, queues) for stream in streams],
        "groups": _describe_groups(store, workforce, streams, lapses),
        "unclaimed": [_describe_unclaimed(workforce, tasks) for tasks in unclaimed[:_MAX_UNCLAIMED]],
        "dead_letters": statistics.dead_letters,
        "timers": statistics.timers,
        "event_waits": statistics.event_waits,
        "latches": statistics.latches,
        "schedules": schedules,
        "workflows": {state.value: statistics.workflows[state] for state in WorkflowState},
        "notices": _describe_notices(recipients),
        "traces": describe_receiver(receiver),
        "paused": len(pauses),
        "pauses": [describe_pause(pause) for pause in pauses[:_MAX_PAUSES]],
    }
    return {**status, "problems": list(find_problems(status))}


def _warnings(store: Store, server: Mapping[str, Any]) -> Iterator[str]:
    replicas = store.settings.redis_replicas
    if server["is_known"] and server["replicas"] < replicas:
        yield (
            f"{server['replicas']} of the {replicas} replicas that redis.replicas asks for are online: what "
            "is stored now is not confirmed, and a failover could lose it (INFO replication)"
        )
    if server["is_replica"]:
        yield "this Redis is a replica and cannot be written to (use its primary, or REPLICAOF NO ONE)"
    if server["evicts"]:
        yield (
            f"Redis deletes keys when its memory is full, by {server['evicts']}: workflows would be lost "
            "(CONFIG SET maxmemory-policy noeviction)"
        )
    use, share = MemoryUse(server["memory"], server["max_memory"]), store.settings.limits_memory
    if use.exceeds(share):
        yield (
            f"Redis uses {use} of memory: no workflow is started above {share:.0%} (limits.memory), and when "
            "it is full, no workflow makes progress (delete workflows, or CONFIG SET maxmemory)"
        )
    for file in server["cannot_write"]:
        yield f"Redis could not write its {file}: its disk may be full (its log says why)"


def _describe_process(heartbeat: Heartbeat) -> dict[str, Any]:
    description = {key: getattr(heartbeat.process, key) for key in _PROCESS_KEYS}
    return {**description, "age": round(heartbeat.age_seconds, 1)}


def _describe_stream(bus: str, stream: StreamState, queues: Mapping[str, str]) -> dict[str, Any]:
    kinds = {bus: "bus", keys.ENDS: "ends", keys.RECEIPTS: "receipts"}
    description = {"key": stream.key, "length": stream.length, "kind": kinds.get(stream.key, "queue")}
    return {**description, "group": queues[stream.key]} if stream.key in queues else description


def _describe_groups(
    store: Store, workforce: Workforce, streams: Sequence[StreamState], lapses: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Describe each group: those on the bus, then those of workers, each by name."""
    by_name: dict[str, list[tuple[StreamState, GroupState]]] = {
        name: [] for name in workforce.worker_groups()
    }
    for stream in streams:
        for group in stream.groups:
            by_name.setdefault(group.name, []).append((stream, group))
    silences = {group.name: group.silent_seconds for group in workforce.bus_groups}
    descriptions: list[dict[str, Any]] = []
    for name, states in by_name.items():
        is_worker, is_alive = name in lapses, bool(workforce.processes(name))
        oldest = [group.unread_ms for _, group in states]
        if is_worker and not is_alive:  # nobody works on what has been read either
            oldest = [stream.oldest_ms for stream in streams if stream.key == keys.queue(name)]
        description = {
            "name": role_of_group(name),
            "group": name,
            "kind": "workers" if is_worker else "role" if name in OWN_GROUPS else "foreign",
            "consumers": max((group.consumers for _, group in states), default=0),
            "lag": sum(group.lag for _, group in states),
            "pending": sum(group.pending for _, group in states),
            "waits": _seconds_since(workforce.now_ms, min(filter(None, oldest), default=None)),
            "streams": [_describe_group_on(stream, group) for stream, group in states],
        }
        if is_worker:
            description |= _describe_workers(workforce, name, streams, lapses[name])
        if name in silences:
            description |= _describe_silence(store, silences[name])
        descriptions.append(description)
    return sorted(descriptions, key=lambda group: (group["kind"] == "workers", group["name"]))


def _describe_group_on(stream: StreamState, group: GroupState) -> dict[str, Any]:
    counts = {"consumers": group.consumers, "lag": group.lag, "pending": group.pending}
    return {"key": stream.key, **counts}


def _describe_workers(
    workforce: Workforce, group: str, streams: Sequence[StreamState], lapses: float
) -> dict[str, Any]:
    processes = len(workforce.processes(group))
    claims = sorted(claim for claim, owner in workforce.claims.groups.items() if owner == group)
    return {
        "claims": claims,
        "unattended": [claim for claim in claims if not workforce.does(claim, group)],
        "processes": processes,
        "length": sum(stream.length for stream in streams if stream.key == keys.queue(group)),
        "lapses": None if processes else round(lapses, 1),
    }


def _describe_silence(store: Store, silent_seconds: float | None) -> dict[str, Any]:
    forget_seconds = store.settings.receipts_forget_seconds
    forgotten = None if silent_seconds is None else max(0.0, forget_seconds - silent_seconds)
    return {
        "silent": None if silent_seconds is None else round(silent_seconds, 1),
        "forgotten": None if forgotten is None else round(forgotten, 1),
    }


def _describe_notices(recipients: Mapping[str, RecipientState]) -> dict[str, Any]:
    return {
        "queued": sum(state.queued for state in recipients.values()),
        "failing": [
            {
                "recipient": name,
                "queued": state.queued,
                "since": format_timestamp(state.since_ms / 1000),
                "reason": state.reason,
            }
            for name, state in recipients.items()
            if state.failures and state.queued
        ],
    }


def _describe_unclaimed(workforce: Workforce, tasks: WaitingTasks) -> dict[str, Any]:
    missing = explain_absence(workforce, tasks.base)
    return {
        "task": tasks.base,
        "count": tasks.count,
        "since": format_timestamp(tasks.oldest_ms / 1000),
        "waits": _seconds_since(workforce.now_ms, tasks.oldest_ms),
        "problem": None if missing is None else missing.message,
        "hint": None if missing is None else missing.hint,
    }


def _seconds_since(now_ms: int, ms: int | None) -> float | None:
    return None if ms is None else round(max(0, now_ms - ms) / 1000, 1)
