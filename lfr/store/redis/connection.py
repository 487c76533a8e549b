"""Settings -> connections to Redis, and the one way in which commands travel: many in one write.

redis-py connects: URL, TLS, unix socket, user, password, time-outs. Its pipelines are not used: a pass of a
role sends WATCH and reads in one round trip and MULTI ... EXEC in a second, both on one connection, which
redis-py's pipeline does not do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeAlias
from weakref import WeakSet

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from lfr.config.settings import Settings
from lfr.errors import BadSettings, Refused, Unreachable
from lfr.store.redis.key_prefix import KeyPrefix
from lfr.store.redis.resp import find_parser_class, pack, read_replies
from lfr.store.redis.sentinel import Sentinels
from lfr.store.redis.server_check import ServerCheck, is_reserved
from lfr.store.redis.url import RedisUrl, parse_redis_url

Command: TypeAlias = Sequence[str | bytes | int | float]
"""A Redis command: its name and arguments."""

Reply: TypeAlias = Any
"""A reply of Redis: bytes, int, None, a list of replies, or redis.ResponseError."""

_CONNECT_SECONDS = 5.0

_URL_SETTING = "redis.url"

_UNAVAILABLE_ERRORS = (
    redis.BusyLoadingError,
    redis.ReadOnlyError,
    redis.OutOfMemoryError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
    redis.exceptions.ExecAbortError,  # EXEC itself; the error of the command that caused it comes first
    redis.ConnectionError,  # too many clients
)
_UNAVAILABLE_WORDS = ("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED")
"""Errors that mean that the server as a whole cannot serve at present. redis-py has classes for some of them
and removes their first word; the others are recognized by that word. UNBLOCKED ends a blocked read on a
primary that becomes a replica."""

_REFUSAL_ERRORS = (redis.AuthenticationError, redis.exceptions.NoPermissionError)

_CONNECTION_ERRORS = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.InvalidResponse,
    redis.ResponseError,
    OSError,
    UnicodeError,  # a host that no name can be; the socket module raises it
)
"""Errors of a connection as a whole: no reply can be read."""

_CONNECTING = re.compile(r"Error (-?\d+ )?connecting to .*?\. (?=\S)")
"""The words that redis-py puts before the reason why it cannot connect."""


@dataclass(frozen=True, slots=True)
class Store:
    """Access to the Redis server that the settings name. Opens connections only when they are used."""

    settings: Settings
    pool: _Pool
    key_prefix: KeyPrefix | None
    sentinels: Sentinels | None

    @property
    def stream(self) -> str:
        """The key of the stream that carries every event."""
        return self.settings.stream

    def connect(self) -> Connection:
        """Return a connection for one thread, to be used with `with`. It connects at its first command."""
        return Connection(self.pool, address(self.settings), self.key_prefix, self.sentinels)

    @property
    def longest_ask_seconds(self) -> float:
        """How long it may take to ask all Sentinels in vain."""
        return self.sentinels.longest_ask_seconds if self.sentinels else 0.0


def open_store(settings: Settings) -> Store:
    """Return the store that the settings name. Does not connect yet. Raises BadSettings for a URL that is not
    valid, or names files for TLS that cannot be read, and for a stream under a key of other data."""
    if is_reserved(settings.stream):
        raise BadSettings(f"{settings.stream} is a key that lfr uses for other data", place="stream")
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
    location: dict[str, Any] = {"host": settings.redis_host, "port": settings.redis_port, "db": 0}
    sentinels = None
    if settings.redis_url:
        url = parse_redis_url(settings.redis_url, _URL_SETTING)
        _check_files(url.files)
        sentinels = _sentinels(settings, url) if url.sentinels else None
        location = url.connection_options()
        options["username"] = options["username"] or url.username or None
        options["password"] = options["password"] or url.password or None
        if sentinels:
            options["connection_class"] = (
                SentinelManagedSSLConnection if url.is_tls else SentinelManagedConnection
            )
            options["connection_pool"] = sentinels
        elif url.path:
            options["connection_class"] = redis.UnixDomainSocketConnection
        elif url.is_tls:
            options["connection_class"] = redis.SSLConnection
    prefix, database = settings.redis_prefix, location.pop("db")
    check = ServerCheck(
        address(settings), settings.stream, database, prefix, must_be_primary=sentinels is not None
    )
    connect = partial(_set_up, check)
    pool = _Pool(redis_connect_func=connect, **location, **options)
    return Store(settings, pool, KeyPrefix(prefix) if prefix else None, sentinels)


def _sentinels(settings: Settings, url: RedisUrl) -> Sentinels:
    options = {
        **url.common_options(),
        "username": settings.redis_sentinel_username or url.sentinel_username or None,
        "password": settings.redis_sentinel_password or url.sentinel_password or None,
    }
    return Sentinels(url.sentinels, url.primary, options, is_tls=url.is_tls)


class _Pool(redis.ConnectionPool):
    """A pool that does not keep the connections in use alive.

    An interruption, such as Ctrl-C in a program, may come when a connection is taken and its user does not
    have it yet, or gives it back. Nobody could give it back later: so it is closed with its last reference.
    """

    def reset(self) -> None:
        """Empty the pool. redis-py calls this from the constructor, and in a forked process."""
        super().reset()
        self._in_use_connections = WeakSet()  # type: ignore[assignment]

    def take(self) -> Any:
        """Return a connection that is set up. Raises as `_set_up`, and errors of redis-py.

        redis-py keeps one whose set-up was interrupted, and would use it without password and database.
        """
        connection: Any = self.get_connection()
        if not _is_set_up(connection) or self._has_moved(connection):
            connection.disconnect()
            connection.connect()
        return connection

    def _has_moved(self, connection: Any) -> bool:
        """Return whether a later connection has met another primary: one that was cut off from the Sentinels
        need not have closed this one."""
        sentinels = self.connection_kwargs.get("connection_pool")
        return sentinels is not None and sentinels.primary != (connection.host, connection.port)


def _check_files(files: Mapping[str, str]) -> None:
    for option, file in files.items():
        try:
            os.listdir(file) if option == "ssl_ca_path" else open(file, "rb").close()
        except OSError as error:
            message = f"{option} of the URL of Redis names {file}, which cannot be read: {error.strerror}"
            raise BadSettings(message, place=_URL_SETTING) from None


def _set_up(check: ServerCheck, connection: Any) -> None:
    """Set up a new connection of redis-py: log in, choose the database, check the server. Raises as
    `ServerCheck.check`, and errors of redis-py."""
    try:
        try:
            connection.on_connect()
            connection.send_packed_command([pack(check.commands)], check_health=False)
            replies = read_replies(connection, len(check.commands))
        except (IndexError, ValueError):  # no replies in the protocol of Redis
            replies = []
        check.check(replies)
    except BaseException:
        connection.disconnect()
        raise
    connection.set_up_socket = connection._sock


def _is_set_up(connection: Any) -> bool:
    return getattr(connection, "set_up_socket", None) is connection._sock


def address(settings: Settings) -> str:
    """Return where Redis is, for messages: `HOST:PORT`, or the URL without user, password and options."""
    if not settings.redis_url:
        return f"{settings.redis_host}:{settings.redis_port}"
    return parse_redis_url(settings.redis_url, _URL_SETTING).address


class Connection:
    """One connection to Redis, for one thread. The end of `with` gives it back to the pool."""

    def __init__(
        self, pool: _Pool, address: str, key_prefix: KeyPrefix | None, sentinels: Sentinels | None
    ) -> None:
        self._pool = pool
        self._address = address
        self._key_prefix = key_prefix
        self._sentinels = sentinels
        self._sent_names: list[str] = []  # with a prefix: of the commands whose replies are to come
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
        this user may not use; WrongServer for a server that lfr cannot use: all also with `keep_errors`.

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

    def execute_with_raw_keys(self, commands: Sequence[Command]) -> list[Reply]:
        """Do as `execute_unchecked`, but with keys of users: they are used as they are, without the prefix of
        lfr's own keys."""
        if self._key_prefix is None or not commands:
            return self.execute_unchecked(commands)
        self._write(commands, [""] * len(commands))
        return self.receive(len(commands))

    def send(self, commands: Sequence[Command]) -> None:
        """Send all commands in one write; `receive` returns their replies. Raises as `execute_unchecked`."""
        if self._key_prefix is None:
            self._write(commands, ())
        else:
            self._write(self._key_prefix.add(commands), [str(command[0]) for command in commands])

    def _write(self, commands: Sequence[Command], names: Sequence[str]) -> None:
        """Send commands whose keys have their prefix. With a prefix, `names` says what their replies are."""
        try:
            if self._redis_connection is None:
                self._redis_connection = self._pool.take()
            self._note_watch(commands)
            self._redis_connection.send_packed_command([pack(commands)], check_health=False)
        except _CONNECTION_ERRORS as error:
            raise self._disconnected(error) from None
        self._sent_names += names

    def receive(self, count: int) -> list[Reply]:
        """Return the replies to the next `count` commands that were sent. Raises as `execute_unchecked`."""
        try:
            replies = read_replies(self._redis_connection, count)
        except _CONNECTION_ERRORS as error:
            raise self._disconnected(error) from None
        if self._key_prefix is None:
            return replies
        names, self._sent_names = self._sent_names[:count], self._sent_names[count:]
        return list(map(self._key_prefix.remove, names, replies))

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
        if _is_unavailable(error):
            raise self._unavailable(error)
        if not keep:
            raise error

    def _disconnected(self, error: Exception) -> Refused | Unreachable:
        """Return why a connection cannot be made, or is broken."""
        self._sent_names = []
        if isinstance(error, redis.ResponseError) and _is_unavailable(error):
            return self._unavailable(error)
        if isinstance(error, (*_REFUSAL_ERRORS, redis.ResponseError)):  # to connect sends AUTH, SELECT
            return self._refused(error)
        hint = "start it, or say where it is with --url, --host and --port or LFR_REDIS_URL"
        if self._sentinels:
            hint = "the Sentinels choose another one if it stays away"
        return Unreachable(f"no Redis answers at {self._server()}: {_reason(error)}", hint=hint)

    def _unavailable(self, error: Exception) -> Unreachable:
        return Unreachable(f"Redis at {self._server()} cannot serve: {_reason(error)}")

    def _server(self) -> str:
        """Return where Redis is, for messages: with Sentinels, also which primary they have named."""
        if self._sentinels is None or self._sentinels.primary is None:
            return self._address
        return f"{':'.join(map(str, self._sentinels.primary))} (the primary of {self._address})"

    def _refused(self, error: Exception) -> Refused:
        hint = "check REDIS_USERNAME and REDIS_PASSWORD"
        if isinstance(error, redis.exceptions.NoPermissionError):
            hint = "permit it to the user, by ACL SETUSER"
        return Refused(f"Redis at {self._address} refuses: {_reason(error)}", hint=hint)


def _is_unavailable(error: Exception) -> bool:
    return isinstance(error, _UNAVAILABLE_ERRORS) or str(error).startswith(_UNAVAILABLE_WORDS)


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
