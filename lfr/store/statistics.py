"""How much there is of everything: counts that Redis knows without reading what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection

_TIMERS = {"delays": keys.TIMERS, "deadlines": keys.DEADLINES, "retries": keys.DELAYED_STARTS}


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts.

    server     of Redis: version, memory (bytes in use), is_persistent (it keeps an append-only file),
               max_memory (bytes that it may use; 0: as many as there are), evicts (what it does when it has
               used them up; empty: it keeps what it has), is_replica, cannot_write (the files that it could
               not write when it last tried)
    timers     by what they are for: delays, deadlines, retries
    workflows  by their state
    """

    server: dict[str, Any]
    stream_length: int
    dead_letters: int
    timers: dict[str, int]
    latches: int
    workflows: dict[WorkflowState, int]


def read_totals(connection: Connection, stream: str) -> Totals:
    """Count everything, in one round trip. (INFO, XLEN, ZCARD)"""
    asked: list[Command] = [
        ("INFO",),
        ("XLEN", stream),
        ("XLEN", keys.DEAD),
        ("ZCARD", keys.LATCHES),
        *(("ZCARD", key) for key in _TIMERS.values()),
        *(("ZCARD", keys.state(state)) for state in WorkflowState),
    ]
    info, length, dead, latches, *counts = connection.execute(asked)
    return Totals(
        server=_server(info.decode()),
        stream_length=length,
        dead_letters=dead,
        timers=dict(zip(_TIMERS, counts, strict=False)),
        latches=latches,
        workflows=dict(zip(WorkflowState, counts[len(_TIMERS) :], strict=True)),
    )


def _server(info: str) -> dict[str, Any]:
    told = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    version = told.get("valkey_version")
    return {
        "version": f"Valkey {version}" if version else f"Redis {told.get('redis_version', '')}",
        "memory": int(told.get("used_memory", 0)),
        "is_persistent": told.get("aof_enabled") == "1",
        "max_memory": int(told.get("maxmemory", 0)),
        "evicts": told.get("maxmemory_policy", "noeviction").removeprefix("noeviction"),
        "is_replica": told.get("role") == "slave",
        "cannot_write": [name for name, field in _FILES.items() if told.get(field, "ok") != "ok"],
    }


_FILES = {"snapshot": "rdb_last_bgsave_status", "append-only file": "aof_last_write_status"}
