"""`redis:COMMAND`: the command that a task sends, whether it is allowed, and the output made of its reply.

The state of the engine is in the same Redis: a workflow must neither harm it nor block the role. So the
configuration lists the allowed commands, some are never allowed, and none may name a key of lfr's own: there
are the inputs and outputs of others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from lfr.events import StartTask
from lfr.tasks.catalogue import REDIS_PREFIX, find_built_in
from lfr.tasks.parameters import BadParameter, errors_named, parse_parameters
from lfr.tasks.template import fill
from lfr.values.checks import is_unicode
from lfr.values.json import Json

MAX_CHARACTERS: Final = 16 * 1024 * 1024
"""The length of all arguments of a command together, at most."""

MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
"""The bytes of a reply, at most."""

USUAL: Final = "USUAL"
"""The word in the configuration for the commands that are allowed by default."""

_OK_COMMANDS: Final = ("HMSET", "LSET", "LTRIM", "MSET", "PFMERGE", "PSETEX", "RENAME", "SET", "SETEX")
"""Commands whose reply OK does not go into the output."""

_WHOLE: Final = re.compile(r"-?[0-9]{1,1000}", re.ASCII)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The shapes of replies that have one of their own, as redis-py gives them with RESP2.
_YES_OR_NO: Final = _names(
    """COPY EXPIRE EXPIREAT HEXISTS MOVE MSETNX PERSIST PEXPIRE PEXPIREAT RENAMENX SETNX SMOVE"""
)
_NUMBER: Final = _names("GEODIST HINCRBYFLOAT INCRBYFLOAT TIME ZADD ZINCRBY ZMSCORE ZSCORE")
_ENTRIES: Final = _names("XRANGE XREVRANGE")
_PAIRS: Final = _names("ZPOPMAX ZPOPMIN")
_SCORES: Final = _names("ZDIFF ZINTER ZRANDMEMBER ZRANGE ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZUNION")
"""Commands that answer pairs of a member and its score if they have the word WITHSCORES."""
_RANKS: Final = _names("ZRANK ZREVRANK")
"""Commands that answer a rank, with the word WITHSCORE also a score."""


_ONE_KEY: Final = _names(
    """APPEND DECR DECRBY EXPIRE EXPIREAT GET GETDEL GETEX GETRANGE GETSET HDEL HEXISTS HGET HGETALL HINCRBY
    HINCRBYFLOAT HKEYS HLEN HMGET HMSET HSET HSETNX HSTRLEN HVALS INCR INCRBY INCRBYFLOAT LINDEX LLEN LPOP
    LPOS LPUSH LRANGE LREM LSET LTRIM PERSIST PEXPIRE PTTL RPOP RPUSH SADD SCARD SET SETEX SETNX SISMEMBER
    SMEMBERS SMISMEMBER SPOP SRANDMEMBER SREM STRLEN TTL TYPE XADD XLEN XRANGE XREVRANGE ZADD ZCARD ZCOUNT
    ZINCRBY ZMSCORE ZRANGE ZRANGEBYSCORE ZRANK ZREM ZREVRANGE ZREVRANK ZSCORE"""
)

_KEYS: Final = {
    **dict.fromkeys(_names("ECHO PING TIME"), slice(0)),
    **dict.fromkeys(_ONE_KEY, slice(1)),
    **dict.fromkeys(_names("DEL EXISTS MGET SDIFF SINTER SUNION UNLINK"), slice(None)),
    "MSET": slice(None, None, 2),
    "SMOVE": slice(2),
}
"""The arguments of a command that are keys. (COMMAND INFO)"""

USUAL_COMMANDS: Final = frozenset(_KEYS)
"""The commands that are allowed by default: they read, or write little, and return at once."""

_SHORT_REPLIES: Final = _names(
    """APPEND DECR DECRBY DEL EXISTS EXPIRE EXPIREAT HDEL HEXISTS HINCRBY HINCRBYFLOAT HLEN HMSET HSET HSETNX
    HSTRLEN INCR INCRBY INCRBYFLOAT LLEN LPUSH LREM LSET LTRIM MSET PERSIST PEXPIRE PTTL RPUSH SADD SCARD SET
    SETEX SETNX SISMEMBER SMOVE SREM STRLEN TIME TTL TYPE UNLINK XADD XLEN ZADD ZCARD ZCOUNT ZINCRBY ZRANK
    ZREM ZREVRANK ZSCORE"""
)
"""Commands that answer a number or a word, whatever Redis holds; SET only without GET."""

_DISTINCT: Final = {
    **dict.fromkeys(_names("MGET SDIFF SINTER SUNION"), slice(None)),
    **dict.fromkeys(_names("HMGET SDIFFSTORE SINTERSTORE SUNIONSTORE"), slice(1, None)),
}
"""Arguments that may not be the same twice: each would be read again, so that a short command would make a
reply, or work, of any size."""

_DRAWING: Final = _names("HRANDFIELD SRANDMEMBER ZRANDMEMBER")
"""Commands that repeat members without end if their count is negative."""

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
_SORTING: Final = _names("SORT SORT_RO")
FORBIDDEN_COMMANDS: Final = (
    _ABOUT_THE_CONNECTION | _BLOCKING | _ABOUT_THE_SERVER | _SCRIPTING | _SEARCHING_ALL_KEYS
)
"""The commands that no configuration can allow: they could block the role or harm its Redis."""


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """What is allowed: these commands, in capitals, and any key that is not `is_own`."""

    commands: frozenset[str]
    is_own: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class RedisCommand:
    """A command to send: `words` are its name and its arguments.

    key   the name of the reply in the output; None: the reply is left out
    type  `string` or `int`: how texts in the reply are read
    """

    task: str
    words: tuple[str, ...]
    key: str | None
    type: str

    @property
    def has_short_reply(self) -> bool:
        """Return whether Redis answers in some bytes, whatever it holds."""
        name, *arguments = self.words
        return name in _SHORT_REPLIES and not (name == "SET" and "GET" in map(str.upper, arguments[2:]))


def allowed_commands(names: Iterable[str]) -> frozenset[str]:
    """Return the commands that the setting redis.commands allows, in capitals.

    In it `USUAL` stands for the commands that are allowed by default. An empty setting allows none. Raises
    ValueError for a command that is never allowed.
    """
    commands = frozenset(name.upper() for name in names)
    if forbidden := commands & FORBIDDEN_COMMANDS:
        raise ValueError(f"{', '.join(sorted(forbidden))} cannot be allowed: lfr itself would not be safe")
    return (commands - {USUAL}) | USUAL_COMMANDS if USUAL in commands else commands


def parse_command(task: StartTask, policy: CommandPolicy) -> RedisCommand:
    """Return the command of a task, with its templates filled.

    Raises BadParameter, also for a command that is not allowed or may name a key of lfr's own.
    """
    name = task.base.removeprefix(REDIS_PREFIX).upper()
    if name not in policy.commands:
        raise BadParameter(f"{task.base}: the configuration (redis.commands) does not allow {name}")
    built_in = find_built_in(task.base)
    assert built_in is not None  # by its prefix
    values = parse_parameters(task.base, built_in.parameters, task.parameters)
    arguments = _arguments(task, values)
    # all arguments of an unknown command may be keys
    for each in arguments[_KEYS.get(name, slice(None))]:
        if policy.is_own(each):
            raise BadParameter(f"{task.base}: {each[:80]} is a key of lfr's own: no workflow may use it")
    if name in _SORTING and any("*" in each for each in arguments[1:]):
        raise BadParameter(f"{task.base}: BY and GET with a * are not allowed: they may read any key")
    _check_repetitions(task.base, name, arguments)
    key = next(iter(arguments), None) if values["key"] is None else values["key"]
    return RedisCommand(task.base, (name, *arguments), key, values["type"])


def _check_repetitions(task: str, name: str, arguments: list[str]) -> None:
    """Raise BadParameter for a command whose reply may be far larger than all that it reads."""
    named: set[str] = set()
    for each in arguments[_DISTINCT[name]] if name in _DISTINCT else ():
        if each in named:
            raise BadParameter(f"{task}: {each[:80]} stands twice in args: name it once")
        named.add(each)
    if name in _DRAWING and any(each.startswith("-") for each in arguments[1:2]):
        raise BadParameter(f"{task}: a negative count is not allowed: it repeats members without end")


def reply_output(command: RedisCommand, input: Json, reply: Any) -> Json:
    """Return the input with the reply under the command's key; an input that is no object is replaced.

    `reply` is bytes, int, None, or a list of these. None removes the key from an object, and leaves any
    other input as it is. The OK of SET and similar commands changes nothing. Raises BadParameter for a reply
    that is not UTF-8, or not a whole number where one is expected.
    """
    is_object = isinstance(input, dict)
    if command.key is None or (reply is None and not is_object):
        return input
    if reply == b"OK" and command.words[0] in _OK_COMMANDS:
        return input
    output = {key: value for key, value in input.items() if key != command.key} if is_object else {}
    return output if reply is None else {**output, command.key: _reply_value(command, reply)}


def _arguments(task: StartTask, values: dict[str, Any]) -> list[str]:
    names = {"input": task.input, "parameters": task.parameters}
    arguments: list[str] = []
    length = 0
    for template in values["args"]:
        with errors_named(task.base, "args"):
            argument = fill(template, names) if values["format"] else template
        length += len(argument)
        if length > MAX_CHARACTERS:
            raise BadParameter(f"{task.base}: args are longer than {MAX_CHARACTERS} characters")
        if not is_unicode(argument):
            raise BadParameter(f"{task.base}: args: {ascii(argument)[:40]} cannot be written in UTF-8")
        arguments.append(argument)
    return arguments


def _reply_value(command: RedisCommand, reply: Any) -> Json:
    """Return a reply in the shape that redis-py gives it."""
    name = command.words[0]
    options = {word.upper() for word in command.words[2:]}
    if name in _YES_OR_NO and isinstance(reply, int):
        return bool(reply)
    if name in _NUMBER:
        return _numbers(command, reply)
    if isinstance(reply, list):
        if name == "HGETALL":
            return _object(command, reply)
        if name in _ENTRIES:
            return [_entry(command, id, fields) for id, fields in reply]
        if name in _PAIRS or (name in _SCORES and "WITHSCORES" in options):
            pairs = zip(reply[::2], reply[1::2], strict=True)
            return [[_text(command, member), _numbers(command, score)] for member, score in pairs]
        if name in _RANKS and "WITHSCORE" in options:
            return _numbers(command, reply)
    return _text(command, reply)


def _object(command: RedisCommand, flat: list[Any]) -> dict[str, Json]:
    names = [_decode(command, name) for name in flat[::2]]
    return dict(zip(names, (_text(command, value) for value in flat[1::2]), strict=True))


def _entry(command: RedisCommand, id: bytes, fields: list[Any] | None) -> list[Json]:
    """Return id and fields of a stream entry; None for the fields of one that has been deleted."""
    return [_decode(command, id), None if fields is None else _object(command, fields)]


def _numbers(command: RedisCommand, reply: Any) -> Json:
    """Return a number, or a list of numbers, that Redis answers as text. One that JSON does not have, such as
    `inf`, stays text."""
    if isinstance(reply, list):
        return [_numbers(command, item) for item in reply]
    if not isinstance(reply, bytes):
        return reply
    text = _decode(command, reply)
    if command.type == "int" or command.words[0] == "TIME":
        return _whole_number(command, text)
    return float(text) if math.isfinite(float(text)) else text


def _text(command: RedisCommand, reply: Any) -> Json:
    """Return a reply with its texts as the command's type says."""
    if isinstance(reply, list):
        return [_text(command, item) for item in reply]
    if not isinstance(reply, bytes):
        return reply
    text = _decode(command, reply)
    return text if command.type == "string" else _whole_number(command, text)


def _whole_number(command: RedisCommand, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise BadParameter(f"{command.task}: type is int, but Redis answers {text[:40]!r}")
    return int(text)


def _decode(command: RedisCommand, reply: bytes) -> str:
    try:
        return reply.decode()
    except UnicodeDecodeError:
        raise BadParameter(f"{command.task}: the reply of Redis is not text in UTF-8") from None
