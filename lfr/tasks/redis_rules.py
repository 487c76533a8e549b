"""Which commands a workflow may send to Redis, and which keys it may write.

A workflow must not harm the engine whose state stands in the same Redis, nor stop the role that sends
its commands. So a command must be among those that the configuration allows; some are never allowed;
and none may write a key of lfr's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

USUAL: Final = "USUAL"
"""Stands, in the configuration, for the commands that are allowed if it says nothing."""


class _Keys(NamedTuple):
    """Which arguments are keys that a command writes: the first, the last (0: of all), the step from one
    to the next. As Redis tells of its commands (COMMAND INFO)."""

    first: int = 1
    last: int = 1
    step: int = 1


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READING: Final = _names(
    """ECHO EXISTS GET GETRANGE HEXISTS HGET HGETALL HKEYS HLEN HMGET HSTRLEN HVALS LINDEX LLEN LPOS LRANGE
    MGET PING PTTL SCARD SDIFF SINTER SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER STRLEN SUNION TIME TTL TYPE
    XLEN XRANGE XREVRANGE ZCARD ZCOUNT ZMSCORE ZRANGE ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANK ZSCORE"""
)

_WRITING_ITS_FIRST: Final = _names(
    """APPEND DECR DECRBY EXPIRE EXPIREAT GETDEL GETEX GETSET HDEL HINCRBY HINCRBYFLOAT HMSET HSET HSETNX INCR
    INCRBY INCRBYFLOAT LPOP LPUSH LREM LSET LTRIM PERSIST PEXPIRE RPOP RPUSH SADD SET SETEX SETNX SPOP SREM
    XADD ZADD ZINCRBY ZREM"""
)

_WRITING: Final[dict[str, _Keys]] = {
    **dict.fromkeys(_WRITING_ITS_FIRST, _Keys()),
    "DEL": _Keys(last=0),
    "UNLINK": _Keys(last=0),
    "MSET": _Keys(last=0, step=2),
    "SMOVE": _Keys(last=2),
}

USUAL_COMMANDS: Final = _READING | _WRITING.keys()
"""The commands that are allowed if the configuration says nothing: they read, or write little, at once."""

_ABOUT_THE_CONNECTION: Final = _names(
    """ASKING AUTH CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY
    READWRITE REPLCONF RESET SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE UNWATCH WATCH"""
)
_BLOCKING: Final = _names(
    """BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN WAIT WAITAOF XREAD XREADGROUP"""
)
_ABOUT_THE_SERVER: Final = _names(
    """ACL BGREWRITEAOF BGSAVE CLUSTER COMMANDLOG CONFIG DEBUG FAILOVER FLUSHALL FLUSHDB LATENCY MIGRATE
    MODULE REPLICAOF RESTORE-ASKING SAVE SHUTDOWN SLAVEOF SLOWLOG SWAPDB"""
)
_SCRIPTING: Final = _names("EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO FUNCTION SCRIPT")
_SEARCHING_ALL_KEYS: Final = _names("KEYS RANDOMKEY SCAN")
FORBIDDEN_COMMANDS: Final = (
    _ABOUT_THE_CONNECTION | _BLOCKING | _ABOUT_THE_SERVER | _SCRIPTING | _SEARCHING_ALL_KEYS
)
"""The commands that no configuration can allow: they could stop the role, or do anything to its Redis."""


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """What is allowed: these commands, in capitals; and to write every key but those that are `is_own`."""

    commands: frozenset[str]
    is_own: Callable[[str], bool]


def allowed_commands(configured: Iterable[str]) -> frozenset[str]:
    """The commands that the configuration allows, in capitals; if it names none, the usual ones.

    Raises ValueError for one that is never allowed.
    """
    named = frozenset(name.upper() for name in configured) or frozenset({USUAL})
    if refused := named & FORBIDDEN_COMMANDS:
        raise ValueError(f"{', '.join(sorted(refused))} cannot be allowed: lfr itself would not be safe")
    return named | USUAL_COMMANDS if USUAL in named else named


def written_keys(command: str, arguments: Sequence[str]) -> Sequence[str]:
    """The arguments that may be keys that this command writes: all of them, if it is not known here."""
    if command in _READING:
        return ()
    first, last, step = _WRITING.get(command, _Keys(last=0))
    return arguments[first - 1 : last or None : step]
