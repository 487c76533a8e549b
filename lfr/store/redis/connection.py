"""Settings -> connections to Redis, and the one way in which commands travel: many in one write.

redis-py connects: URL, TLS, unix socket, user, password, time-outs. Its pipelines are not used: a pass of a
role sends WATCH and reads in one round trip and MULTI ... EXEC in a second, both on one connection, which
redis-py's pipeline does not do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lfr.config.settings import Settings
from lfr.errors import BadSettings, Refused, Unreachable
from lfr.store.redis.resp import find_parser_class, pack, read_replies

Command: TypeAlias = Sequence[str | bytes | int | float]
"""A Redis command: its name and arguments."""

Reply: TypeAlias = Any
"""A reply of Redis: bytes, int, None, a list of replies, or redis.ResponseError."""

_CONNECT_SECONDS = 5.0

_UNAVAILABLE_ERRORS = (
    redis.BusyLoadingError,
    redis.ReadOnlyError,
    redis.OutOfMemoryError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
    redis.exceptions.ExecAbortError,  # EXEC itself; the error of the command that caused it comes first
    redis.ConnectionError,  # too many clients
)
_UNAVAILABLE_WORDS = ("MISCONF", "NOREPLICAS", "BUSY ")
"""Errors that mean that the server as a whole cannot serve at present. redis-py has classes for some of them
and removes their first word; the others are recognized by that word."""

_REFUSAL_ERRORS = (redis.AuthenticationError, redis.exceptions.NoPermissionError)

_CONNECTION_ERRORS = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError, OSError)
"""Errors of a connection as a whole: no reply can be read."""

_CONNECTING = re.compile(r"Error (-?\d+ )?connecting to .*?\. (?=\S)")
"""The words that redis-py puts before the reason why it cannot connect."""


@dataclass(frozen=True, slots=True)
class Store:
    """Access to the Redis server that the settings name. Opens connections only when they are used."""

    settings: Settings
    pool: redis.ConnectionPool

    @property
    def stream(self) -> str:
        """The key of the stream that carries every event."""
        return self.settings.stream

    def connect(self) -> Connection:
        """Return a connection for one thread, to be used with `with`. It connects at its first command."""
        return Connection(self.pool, address(self.settings))


def open_store(settings: Settings) -> Store:
    """Return the store that the settings name. Does not connect yet. Raises BadSettings for a bad URL."""
    options: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout_seconds,
        "socket_connect_timeout": min(_CONNECT_SECONDS, settings.redis_timeout_seconds),
        "retry": Retry(NoBackoff(), 0),  # roles and users decide whether to try again
        "protocol": 2,  # rqse reads replies in the form of RESP2
        "username": settings.redis_username or None,
        "password": settings.redis_password or None,
    }
    if parser_class := find_parser_class():
        options["parser_class"] = parser_class
    if settings.redis_url:
        try:
            return Store(settings, redis.ConnectionPool.from_url(settings.redis_url, **options))
        except ValueError as error:
            raise BadSettings(f"the URL of Redis cannot be read: {error}", place="redis.url") from None
    pool = redis.ConnectionPool(host=settings.redis_host, port=settings.redis_port, **options)
    return Store(settings, pool)


def address(settings: Settings) -> str:
    """Return where Redis is, for messages: `HOST:PORT`, or the URL without user and password."""
    if not settings.redis_url:
        return f"{settings.redis_host}:{settings.redis_port}"
    scheme, _, rest = settings.redis_url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


class Connection:
    """One connection to Redis, for one thread. The end of `with` gives it back to the pool."""

    def __init__(self, pool: redis.ConnectionPool, address: str) -> None:
        self._pool = pool
        self._address = address
        self._redis_connection: Any = None
        self._is_watching = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._redis_connection is not None:
            if error is not None or self._is_watching:  # the next user must not inherit this WATCH
                self._redis_connection.disconnect()
            self._pool.release(self._redis_connection)
            self._redis_connection = None

    def call(self, *command: str | bytes | int | float, keep_errors: bool = False) -> Reply:
        """Send one command and return its reply. Raises as `execute` does."""
        return self.execute([command], keep_errors=keep_errors)[0]

    def execute(self, commands: Sequence[Command], *, keep_errors: bool = False) -> list[Reply]:
        """Send all commands in one write and return a reply to each, in order; without commands, do nothing.

        Redis runs all of them. Then the first error of a command is raised as redis.ResponseError; with
        `keep_errors` errors stand among the replies instead. Raises Unreachable if there is no connection or
        no answer, or if the server cannot serve at present; Refused for a wrong password or a command that
        this user may not use: both also with `keep_errors`.

        A WATCH must be the first of the commands.
        """
        return self.check(self.execute_unchecked(commands), keep_errors=keep_errors)

    def execute_unchecked(self, commands: Sequence[Command]) -> list[Reply]:
        """Do as `execute`, but leave the error of any command among the replies. Raises Unreachable only
        without a connection or an answer, Refused only if Redis refuses the connection."""
        if not commands:
            return []
        self.send(commands)
        return self.receive(len(commands))

    def send(self, commands: Sequence[Command]) -> None:
        """Send all commands in one write; `receive` returns their replies. Raises as `execute_unchecked`."""
        try:
            if self._redis_connection is None:
                self._redis_connection = self._pool.get_connection()
            self._note_watch(commands)
            self._redis_connection.send_packed_command([pack(commands)], check_health=False)
        except _CONNECTION_ERRORS as error:
            raise self._disconnected(error) from None

    def receive(self, count: int) -> list[Reply]:
        """Return the replies to the next `count` commands that were sent. Raises as `execute_unchecked`."""
        try:
            return read_replies(self._redis_connection, count)
        except _CONNECTION_ERRORS as error:
            raise self._disconnected(error) from None

    def check(self, replies: list[Reply], *, keep_errors: bool = False) -> list[Reply]:
        """Return the replies. Raises for the errors among them as `execute` does."""
        for reply in replies:
            if isinstance(reply, redis.RedisError):
                self._check_error(reply, keep_errors)
        return replies

    def transact(self, commands: Sequence[Command]) -> list[Reply] | None:
        """Send all commands in one MULTI/EXEC; return their replies, or None if a watched key has changed.

        Raises as `execute` does. If Redis refused a command before EXEC, nothing has been written; if one
        failed within EXEC, the others have been; if no answer came, either may be the case.
        """
        return self.check_transaction(self.execute_unchecked(transaction(commands)))

    def check_transaction(self, replies: list[Reply]) -> list[Reply] | None:
        """Return what `transact` returns, from the replies to a `transaction`. Raises as `transact` does."""
        command_replies: list[Reply] | None = self.check(replies)[-1]
        for reply in command_replies or ():
            if isinstance(reply, redis.ResponseError):
                self._check_error(reply, keep=False)
        return command_replies

    def unwatch(self) -> None:
        """Stop watching keys, if any are watched. (UNWATCH)"""
        if self._is_watching:
            self.execute([("UNWATCH",)])

    def _note_watch(self, commands: Sequence[Command]) -> None:
        """Note whether keys are watched after these commands: WATCH stands first, EXEC and UNWATCH last."""
        begins, ends = commands[0][0] == "WATCH", commands[-1][0] in ("EXEC", "UNWATCH")
        self._is_watching = (self._is_watching or begins) and not ends

    def _check_error(self, error: redis.RedisError, keep: bool) -> None:
        if isinstance(error, _REFUSAL_ERRORS):
            raise self._refused(error)
        if isinstance(error, _UNAVAILABLE_ERRORS) or str(error).startswith(_UNAVAILABLE_WORDS):
            raise Unreachable(f"Redis at {self._address} cannot serve: {_reason(error)}")
        if not keep:
            raise error

    def _disconnected(self, error: Exception) -> Refused | Unreachable:
        """Return why a connection cannot be made, or is broken."""
        if isinstance(error, (*_REFUSAL_ERRORS, redis.ResponseError)):  # to connect sends AUTH, SELECT
            return self._refused(error)
        return Unreachable(
            f"no Redis answers at {self._address}: {_reason(error)}",
            hint="start it, or say where it is with --url, --host and --port or LFR_REDIS_URL",
        )

    def _refused(self, error: Exception) -> Refused:
        return Refused(
            f"Redis at {self._address} refuses: {_reason(error)}",
            hint="check REDIS_USERNAME and REDIS_PASSWORD",
        )


def _reason(error: Exception) -> str:
    return _CONNECTING.sub("", " ".join(str(error).split()), count=1).rstrip(".") or type(error).__name__


def transaction(commands: Sequence[Command]) -> list[Command]:
    """Return the commands that execute these in one transaction. (MULTI, EXEC)"""
    return [("MULTI",), *commands, ("EXEC",)]


def is_error(reply: Reply) -> bool:
    """Return whether a reply is an error, as `execute` with `keep_errors` leaves it among the others."""
    return isinstance(reply, redis.RedisError)


TIME = ("TIME",)
"""The command for the time of the server, which all hosts share; `parse_time_ms` parses its reply."""


def parse_time_ms(reply: Reply) -> int:
    """Return the time that a reply to TIME holds, in milliseconds since the epoch."""
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000


def read_time_ms(connection: Connection) -> int:
    """Return the time of the server, in milliseconds since the epoch. (TIME)"""
    return parse_time_ms(connection.call("TIME"))
