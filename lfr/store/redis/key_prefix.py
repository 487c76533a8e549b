"""Which arguments of a command are keys, and the prefix that `redis.prefix` puts before each of them.

All code above works with keys as lfr/store/keys.py names them. Here, where commands travel, each key gets the
prefix, and the keys that a reply names lose it. So no code can forget it: a command that is not in this table
raises KeyError under a prefix, and tests/unit/store/redis/test_key_prefix.py finds it before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

_Command: TypeAlias = Sequence[str | bytes | int | float]


def _names(text: str, keys: slice) -> dict[str, slice]:
    return dict.fromkeys(text.split(), keys)


_KEYS: Final[Mapping[str, slice]] = {
    **_names(
        "COMMAND CONFIG EXEC HELLO INFO MULTI PING ROLE SELECT SENTINEL TIME UNWATCH WAIT WAITAOF", slice(0)
    ),
    **_names("EXPIRE GET INCRBY PEXPIRE PTTL SET TYPE", slice(1, 2)),
    **_names("HDEL HGET HGETALL HINCRBY HKEYS HLEN HMGET HSET HSETNX HSTRLEN HVALS", slice(1, 2)),
    **_names("LLEN LRANGE LSET LTRIM RPUSH SADD SCARD SISMEMBER SMEMBERS SRANDMEMBER SREM", slice(1, 2)),
    **_names("XACK XADD XAUTOCLAIM XCLAIM XDEL XLEN XPENDING XRANGE XREVRANGE", slice(1, 2)),
    **_names("ZADD ZCARD ZCOUNT ZINCRBY ZMSCORE ZRANGE ZRANGEBYSCORE ZRANK ZREM", slice(1, 2)),
    **_names("ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZREVRANK", slice(1, 2)),
    **_names("ZSCAN ZSCORE", slice(1, 2)),
    **_names("COPY", slice(1, 3)),
    **_names("MEMORY XGROUP XINFO", slice(2, 3)),
    **_names("DEL EXISTS MGET RENAME WATCH", slice(1, None)),
}
"""The arguments of each command that are keys, but for those of `_find_keys`."""


def _find_keys(command: _Command) -> slice:
    """Return which arguments of a command are keys; of SCAN, the pattern. Raises KeyError for a command that
    lfr does not use."""
    name = command[0]
    if name in ("XREAD", "XREADGROUP"):  # ... STREAMS key ... id ...
        start = command.index("STREAMS") + 1
        return slice(start, (start + len(command)) // 2)
    if name == "ZUNIONSTORE":  # destination count key ...: the count is no text, and stays
        return slice(1, 3 + int(command[2]))
    if name == "SCAN":
        start = command.index("MATCH") + 1
        return slice(start, start + 1)
    return _KEYS[str(name)]


def command_keys(command: _Command) -> list[str | bytes]:
    """Return the keys among the arguments of a command that lfr uses. Raises KeyError for any other."""
    return [key for key in command[_find_keys(command)] if isinstance(key, str | bytes)]


class KeyPrefix:
    """Puts a prefix before the keys of commands, and removes it from the keys of replies."""

    def __init__(self, prefix: str) -> None:
        self._text = prefix
        self._bytes = prefix.encode()
        self._removers: Mapping[str, Callable[[Any], Any]] = {
            "SCAN": lambda reply: [reply[0], [self._without(key) for key in reply[1]]],
            "XREAD": self._without_in_streams,
            "XREADGROUP": self._without_in_streams,
        }

    def add(self, commands: Sequence[_Command]) -> list[_Command]:
        """Return the commands with the prefix before each key. Raises KeyError as `command_keys`."""
        prefixed: list[_Command] = []
        for command in commands:
            start, end, _ = _find_keys(command).indices(len(command))
            prefixed.append([*command[:start], *map(self._with, command[start:end]), *command[end:]])
        return prefixed

    def remove(self, name: str, reply: Any) -> Any:
        """Return the reply to a command of this name without the prefix of the keys that it names."""
        remover = self._removers.get(name)
        return remover(reply) if remover is not None and isinstance(reply, list) else reply

    def _with(self, key: str | bytes | int | float) -> str | bytes | int | float:
        if isinstance(key, int | float):
            return key
        return self._bytes + key if isinstance(key, bytes) else f"{self._text}{key}"

    def _without(self, key: bytes) -> bytes:
        return key.removeprefix(self._bytes)

    def _without_in_streams(self, reply: list[Any]) -> list[Any]:
        return [[self._without(stream), entries] for stream, entries in reply]
