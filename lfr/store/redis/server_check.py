"""Checks, when a connection is made, that what answers is a Redis that lfr can use.

Each process meets this check with its first connection, whatever it does with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis

from lfr.errors import WrongServer
from lfr.states import WorkflowState
from lfr.store import keys

_KEY_TYPES: Final[Mapping[str, str]] = {
    keys.ALL: "zset",
    keys.DEAD_LETTERS: "stream",
    keys.FLOW_REFERENCES: "hash",
    keys.PROCESSES: "set",
    keys.LOGGED_RECEIPTS: "zset",
    keys.LATCHES: "zset",
    keys.TIMERS: "zset",
    keys.COUNTDOWNS: "zset",
    keys.OPENED_TAGS: "set",
    keys.FIELD_SET_KINDS: "zset",
    keys.DEADLINES: "zset",
    keys.DELAYED_STARTS: "zset",
    keys.ENDS: "stream",
    keys.RECEIPTS: "stream",
    keys.RECEIPTS_ROLE: "string",
    keys.CLAIMS: "hash",
    keys.CLAIMS_VERSION: "string",
    keys.UNSORTED: "set",
    keys.UNCLAIMED: "set",
    keys.FOREIGN_TASKS: "hash",
    keys.HOUSEKEEPER: "string",
    keys.IS_INDEXED: "string",
    keys.BASE_URL_PREFIX: "string",
    **{keys.state(state): "zset" for state in WorkflowState},
}
"""The keys that are there from the first workflow on, with the type of each."""

_NEEDED: Final = "lfr needs Redis 6.2 or newer, or Valkey"
_OTHER_DATABASE_HINT: Final = "give lfr a database of its own, as in redis://HOST:PORT/1"


def is_reserved(stream: str) -> bool:
    """Return whether no stream of events can have this key, because lfr has other data there."""
    is_other = keys.is_own(stream) and not stream.startswith("workflows:")
    return stream in _KEY_TYPES or keys.has_one_group(stream) or is_other


class ServerCheck:
    """The check of a server for a stream and a database.

    commands  the commands to send on a new connection; the replies go to `check`
    """

    def __init__(
        self, address: str, stream: str, database: int, prefix: str, *, must_be_primary: bool
    ) -> None:
        self._address = address
        self._must_be_primary = must_be_primary
        self._database = database
        self._types = {f"{prefix}{key}": type for key, type in {**_KEY_TYPES, stream: "stream"}.items()}
        self.commands: Sequence[tuple[str | int, ...]] = (
            ("HELLO", 2),
            ("COMMAND", "INFO", "XAUTOCLAIM"),
            ("SELECT", database) if database else ("PING",),
            ("ROLE",) if must_be_primary else ("PING",),
            *(("TYPE", key) for key in self._types),
        )

    def check(self, replies: Sequence[Any]) -> None:
        """Raise WrongServer if the replies to `commands` are not those of a server that lfr can use, and
        redis.RedisError if the database could not be chosen, or the server must be a primary and is none.

        What this user may not ask (ACL) or the server cannot answer at present is not checked.
        """
        if not replies or not isinstance(replies[0], list | redis.RedisError):
            raise WrongServer(f"what answers at {self._address} is no Redis")
        server, commands, selected, role, *types = replies
        self._check_server(server)
        if isinstance(commands, list) and commands[0] is None:
            raise WrongServer(f"the Redis at {self._address} does not know XAUTOCLAIM: {_NEEDED}")
        if self._database and isinstance(selected, redis.RedisError):
            if "DB index" in str(selected):
                hint = "CONFIG GET databases says how many there are"
                raise WrongServer(f"the Redis at {self._address} has no such database", hint=hint)
            raise selected
        if self._must_be_primary and isinstance(role, list) and role[0] != b"master":
            raise redis.ReadOnlyError("it is a replica, and the Sentinels have not named its primary yet")
        for (key, expected), reply in zip(self._types.items(), types, strict=True):
            if isinstance(reply, bytes) and reply.decode() not in ("none", expected):
                raise self._wrong_type(key, reply.decode(), expected)

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

    def _wrong_type(self, key: str, type: str, expected: str) -> WrongServer:
        if key == keys.ALL and type == "list":
            message = f"littleflow_redis keeps its workflows in this database of the Redis at {self._address}"
        else:
            message = (
                f"another program uses this database of the Redis at {self._address}: "
                f"the key {key} is a {type}, but must be a {expected}"
            )
        return WrongServer(message, hint=_OTHER_DATABASE_HINT)
