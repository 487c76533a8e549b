"""Reads how much Redis holds: numbers that Redis knows without counting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import redis

from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.waits.listing import read_event_kinds

_TIMER_KEYS = {"delays": keys.TIMERS, "deadlines": keys.DEADLINES, "retries": keys.DELAYED_STARTS}

_MAX_EVENT_KINDS = 1000

_REPLICA_FIELD = re.compile(r"slave\d+")

_FILE_STATUS_FIELDS = {"snapshot": "rdb_last_bgsave_status", "append-only file": "aof_last_write_status"}


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much Redis holds, and the state of the Redis server.

    server     of Redis: version, memory (bytes in use), is_persistent (it keeps an append-only file),
               max_memory (bytes that it may use; 0: no limit), evicts (its eviction policy when that is used
               up; empty: it evicts nothing), is_replica, replicas (how many are online), cannot_write (the
               files that it could not write); is_known: False if this user may not read them, which leaves
               them empty
    timers     how many are set, by purpose: delays (and time-outs of event waits), deadlines, retries
    event_waits  how many wait for events, of up to 1,000 kinds
    latches    how many are above zero or became zero recently
    workflows  how many there are, by state
    """

    server: dict[str, Any]
    stream_length: int
    dead_letters: int
    timers: dict[str, int]
    event_waits: int
    latches: int
    workflows: dict[WorkflowState, int]


def read_statistics(connection: Connection, stream: str) -> Statistics:
    """Return all counts, in three round trips. `stream` is the key of the stream. (INFO; ZRANGE; XLEN,
    ZCARD)"""
    info = _read_info(connection)
    kinds = read_event_kinds(connection, count=_MAX_EVENT_KINDS)
    pipeline = Pipeline(connection)
    stream_length = pipeline.add("XLEN", stream)
    dead_letters = pipeline.add("XLEN", keys.DEAD_LETTERS)
    latches = pipeline.add("ZCARD", keys.LATCHES)
    timers = {name: pipeline.add("ZCARD", key) for name, key in _TIMER_KEYS.items()}
    event_waits = [pipeline.add("ZCARD", keys.kind_waits(kind)) for kind in kinds]
    workflows = {state: pipeline.add("ZCARD", keys.state(state)) for state in WorkflowState}
    pipeline.send()
    return Statistics(
        server={"is_known": bool(info), **_parse_info(info)},
        stream_length=stream_length.value,
        dead_letters=dead_letters.value,
        timers={name: count.value for name, count in timers.items()},
        event_waits=sum(count.value for count in event_waits),
        latches=latches.value,
        workflows={state: count.value for state, count in workflows.items()},
    )


def count_held_starts(connection: Connection) -> int:
    """Return how many attempts pauses hold back. (ZCARD)"""
    count: int = connection.call("ZCARD", keys.HELD_STARTS)
    return count


def _read_info(connection: Connection) -> str:
    """Return the reply to INFO, or an empty text if this user may not send it: it is one of the dangerous
    commands that operators often forbid."""
    replies = connection.execute_unchecked([("INFO",)])
    if isinstance(replies[0], redis.exceptions.NoPermissionError):
        return ""
    return str(connection.check(replies)[0].decode())


def _parse_info(text: str) -> dict[str, Any]:
    info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    valkey_version = info.get("valkey_version")
    version = f"Valkey {valkey_version}" if valkey_version else f"Redis {info.get('redis_version', '')}"
    return {
        "version": version.strip(),
        "memory": int(info.get("used_memory", 0)),
        "is_persistent": info.get("aof_enabled") == "1",
        "max_memory": int(info.get("maxmemory", 0)),
        "evicts": info.get("maxmemory_policy", "noeviction").removeprefix("noeviction"),
        "is_replica": info.get("role") == "slave",
        "replicas": sum(
            "state=online" in value for name, value in info.items() if _REPLICA_FIELD.fullmatch(name)
        ),
        "cannot_write": [
            name for name, field in _FILE_STATUS_FIELDS.items() if info.get(field, "ok") != "ok"
        ],
    }
