"""Checks, when a connection is made, that what answers is a Redis that lfr can use.

Each process meets this check with its first connection, whatever it does with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis

from lfr.errors import WrongServer
from lfr.states import WorkflowState
from lfr.store import key_patterns, keys

_KEY_TYPES: Final[Mapping[str, str]] = {
    keys.ALL: "zset",
    keys.DEAD_LETTERS: "stream",
    keys.DISMISSED_LETTERS: "stream",
    keys.FLOW_REFERENCES: "hash",
    keys.FLOW_NAMES: "hash",
    keys.SCHEDULES: "set",
    keys.SCHEDULES_DUE: "zset",
    keys.SCHEDULE_PROBLEMS: "hash",
    keys.TOKENS: "hash",
    keys.PROBE: "string",
    keys.INDEXED_FLOWS: "set",
    keys.IS_SEARCHABLE: "string",
    keys.PROCESSES: "set",
    keys.FLOW_TOTALS: "hash",
    keys.TASK_TOTALS: "hash",
    keys.SERVED_TASKS: "hash",
    keys.NOTICE_TOTALS: "hash",
    keys.TRACE_TOTALS: "hash",
    keys.TRACES: "zset",
    keys.TRACE_RECEIVER: "string",
    keys.TRACES_ROLE: "string",
    keys.NOTICES: "hash",
    keys.NOTICE_RECIPIENTS: "hash",
    keys.NOTICE_RULES: "hash",
    keys.NOTICE_QUIET: "hash",
    keys.NOTICE_CONDITIONS: "hash",
    keys.NOTICE_ROLES: "hash",
    keys.NOTICE_WATCHER: "string",
    keys.LOST_NOTICES: "list",
    keys.LOGGED_RECEIPTS: "zset",
    keys.LATCHES: "zset",
    keys.TIMERS: "zset",
    keys.DELAYS: "zset",
    keys.ARE_WAITS_LISTED: "string",
    keys.COUNTDOWNS: "zset",
    keys.OPENED_TAGS: "set",
    keys.FIELD_SET_KINDS: "zset",
    keys.DEADLINES: "zset",
    keys.WORKFLOW_DEADLINES: "zset",
    keys.DELAYED_STARTS: "zset",
    keys.HELD_STARTS: "zset",
    keys.PAUSES: "hash",
    keys.ENDS: "stream",
    keys.RECEIPTS: "stream",
    keys.RECEIPTS_ROLE: "string",
    keys.CLAIMS: "hash",
    keys.CLAIMS_VERSION: "string",
    keys.UNSORTED: "set",
    keys.UNCLAIMED: "set",
    keys.POINTER_READERS: "set",
    keys.FOREIGN_TASKS: "hash",
    keys.HOUSEKEEPER: "string",
    keys.IS_INDEXED: "string",
    keys.STREAM: "string",
    keys.BASE_URL_PREFIX: "string",
    **{keys.state(state): "zset" for state in WorkflowState},
}
"""The keys that are there from the first workflow on, with the type of each."""

_LITTLEFLOW_SET: Final = "workflows:inprogress"
"""A key that littleflow_redis has, and lfr has not."""

_LITTLEFLOW_GROUPS: Final = ("ending", "lifecycle", "wait")
"""Groups of the worker of littleflow_redis. The others are not those of a worker only."""

_LITTLEFLOW_CONSUMER: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The name of a consumer of littleflow_redis, as rqse chooses it. Those of lfr begin with a host."""

_ALIVE_MS: Final = 60_000
"""A consumer of littleflow_redis asks for events every few seconds."""

_NEEDED: Final = "lfr needs Redis 6.2 or newer, or Valkey"
_OTHER_DATABASE_HINT: Final = (
    "give lfr a database of its own, as in redis://HOST:PORT/1, or a redis.prefix, as LFR_REDIS_PREFIX=lfr:"
)


def is_reserved(stream: str) -> bool:
    """Return whether no stream of events can have this key, because lfr has other data there."""
    is_other = key_patterns.is_own(stream) and not stream.startswith("workflows:")
    return stream in _KEY_TYPES or keys.has_one_group(stream) or is_other


class ServerCheck:
    """The check of a server for a stream and a database.

    commands  the commands to send on a new connection; the replies go to `check`
    """

    def __init__(
        self,
        address: str,
        stream: str,
        database: int,
        prefix: str,
        *,
        must_be_primary: bool,
        needs_waitaof: bool,
    ) -> None:
        self._address = address
        self._must_be_primary = must_be_primary
        self._database = database
        self._stream = stream
        self._bus, self._all = f"{prefix}{stream}", f"{prefix}{keys.ALL}"
        self._types = {f"{prefix}{key}": type for key, type in {**_KEY_TYPES, stream: "stream"}.items()}
        consumers = (("XINFO", "CONSUMERS", self._bus, group) for group in _LITTLEFLOW_GROUPS)
        self.commands: Sequence[tuple[str | int, ...]] = (
            ("HELLO", 2),
            ("COMMAND", "INFO", "XAUTOCLAIM", *(["WAITAOF"] if needs_waitaof else [])),
            ("SELECT", database) if database else ("PING",),
            ("ROLE",) if must_be_primary else ("PING",),
            ("GET", f"{prefix}{keys.STREAM}"),
            *consumers,
            ("TYPE", f"{prefix}{_LITTLEFLOW_SET}"),
            *(("TYPE", key) for key in self._types),
        )

    def check(self, replies: Sequence[Any]) -> None:
        """Raise WrongServer if the replies to `commands` are not those of a server that lfr can use, and
        redis.RedisError if the database could not be chosen, or the server must be a primary and is none.

        What this user may not ask (ACL) or the server cannot answer at present is not checked.
        """
        if not replies or not isinstance(replies[0], list | redis.RedisError):
            raise WrongServer(f"what answers at {self._address} is no Redis")
        server, commands, selected, role, stream, *more = replies
        count = len(_LITTLEFLOW_GROUPS)
        consumers, littleflow_set, replies_to_type = more[:count], more[count], more[count + 1 :]
        self._check_server(server)
        if isinstance(commands, list) and commands[0] is None:
            raise WrongServer(f"the Redis at {self._address} does not know XAUTOCLAIM: {_NEEDED}")
        if isinstance(commands, list) and commands[-1] is None:
            message = (
                f"the Redis at {self._address} does not know WAITAOF, so it cannot confirm what is on disk"
            )
            raise WrongServer(
                message, hint="Redis 7.2 and Valkey know it; or set redis.replicas_store: memory"
            )
        if self._database and isinstance(selected, redis.RedisError):
            if "DB index" in str(selected):
                hint = "CONFIG GET databases says how many there are"
                raise WrongServer(f"the Redis at {self._address} has no such database", hint=hint)
            raise selected
        if self._must_be_primary and isinstance(role, list) and role[0] != b"master":
            raise redis.ReadOnlyError("it is a replica, and the Sentinels have not named its primary yet")
        types = dict(zip(self._types, replies_to_type, strict=True))
        self._check_littleflow(consumers, littleflow_set == b"set" or types[self._all] == b"list")
        for key, type in types.items():
            if isinstance(type, bytes) and type.decode() not in ("none", self._types[key]):
                raise self._wrong_type(key, type.decode(), self._types[key])
        if isinstance(stream, bytes):
            check_noted_stream(stream, self._stream)

    def _check_server(self, reply: Any) -> None:
        if isinstance(reply, redis.ResponseError) and str(reply).startswith("unknown command"):
            raise WrongServer(f"the Redis at {self._address} is older than 6.0: {_NEEDED}")
        if not isinstance(reply, list):
            return
        properties = dict(zip(reply[::2], reply[1::2], strict=False))
        mode = properties.get(b"mode")
        if mode == b"sentinel":
            message = f"what answers at {self._address} is a Sentinel, which stores nothing"
            hint = "redis+sentinel://HOST:PORT/NAME uses it to find the primary of that name"
            raise WrongServer(message, hint=hint)
        if mode == b"cluster":
            message = f"the Redis at {self._address} is a node of a cluster, which lfr cannot use"
            raise WrongServer(message, hint="use a Redis with cluster-enabled no")

    def _check_littleflow(self, consumers: Sequence[Any], has_data: bool) -> None:
        """Raise WrongServer if littleflow_redis has data here, or if a process of it reads the stream: both
        would take events from each other, because they have groups of the same name."""
        if has_data:
            message = f"littleflow_redis keeps its workflows in this database of the Redis at {self._address}"
            raise WrongServer(message, hint=_OTHER_DATABASE_HINT)
        for group, reply in zip(_LITTLEFLOW_GROUPS, consumers, strict=True):
            # Up to 7.0, Redis does not know a consumer that has read nothing yet. lfr has no group "ending".
            is_idle = group == "ending" and reply == []
            if is_idle or (isinstance(reply, list) and any(map(_is_littleflow_alive, reply))):
                message = (
                    f"a worker of littleflow_redis reads {self._bus} in this database of the Redis at "
                    f"{self._address}, in the group {group}: it and lfr would take events from each other"
                )
                way = f"remove its group (XGROUP DESTROY {self._bus} {group})" if is_idle else "wait a minute"
                raise WrongServer(message, hint=f"stop it and {way}, or {_OTHER_DATABASE_HINT}")

    def _wrong_type(self, key: str, type: str, expected: str) -> WrongServer:
        message = (
            f"another program uses this database of the Redis at {self._address}: "
            f"the key {key} is a {type}, but must be a {expected}"
        )
        return WrongServer(message, hint=_OTHER_DATABASE_HINT)


def check_noted_stream(noted: bytes, stream: str) -> None:
    """Raise WrongServer if another stream than that of the settings is noted in Redis."""
    if noted != stream.encode():
        other = noted.decode(errors="backslashreplace")
        message = (
            f"the installation in this database has the stream {other}, these settings name {stream}: "
            "two streams would share timers, latches and lists"
        )
        hint = f"set stream to {other}, or give the other stream a redis.prefix or a database of its own"
        raise WrongServer(message, hint=hint)


def _is_littleflow_alive(consumer: Any) -> bool:
    """Return whether a consumer, as XINFO CONSUMERS describes it, is a process of littleflow_redis."""
    properties = dict(zip(consumer[::2], consumer[1::2], strict=False))
    name, idle_ms = properties[b"name"], properties[b"idle"]
    return idle_ms < _ALIVE_MS and _LITTLEFLOW_CONSUMER.fullmatch(name) is not None
