"""Settings -> connections to Redis, and the one way in which commands travel: many in one write.

redis-py does the connecting (URL, TLS, user, password, time-outs). Pipelines are not taken from it:
a pass of a role is WATCH and reads in one round trip and MULTI ... EXEC in a second, both on one
connection, which its pipeline does not do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lfr.config.settings import Settings
from lfr.errors import BadSettings, Refused, Unreachable
from lfr.store.redis.resp import Parser, pack

Command: TypeAlias = Sequence[str | bytes | int | float]
"""A Redis command: its name and arguments."""

Reply: TypeAlias = Any
"""A reply of Redis: bytes, int, None, a list of replies, or redis.ResponseError."""

_CONNECT_SECONDS = 5.0

_CANNOT_SERVE = (
    redis.BusyLoadingError,
    redis.ReadOnlyError,
    redis.OutOfMemoryError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
    redis.exceptions.ExecAbortError,  # EXEC itself; where another command was the cause, that is judged first
    redis.ConnectionError,  # too many clients
)
_CANNOT_SERVE_WORDS = ("MISCONF", "NOREPLICAS", "BUSY ")
"""The errors that say that the server as a whole cannot do it at present. For some of them redis-py has
classes, and takes their first word away; the others are known by it."""

_SAYS_NO = (redis.AuthenticationError, redis.exceptions.NoPermissionError)

_CONNECTING = re.compile(r"Error (-?\d+ )?connecting to .*?\. (?=\S)")
"""What redis-py says before the reason why it cannot connect."""


@dataclass(frozen=True, slots=True)
class Store:
    """A Redis server with all that lfr keeps there. Opens connections only when they are used."""

    settings: Settings
    pool: redis.ConnectionPool

    @property
    def stream(self) -> str:
        """The key of the stream that holds every event."""
        return self.settings.stream

    def link(self) -> Link:
        """A connection of one's own, for one thread. Use it with `with`."""
        return Link(self.pool, address(self.settings))


def connect(settings: Settings) -> Store:
    """The store that the settings name. Does not connect yet. Raises BadSettings for a bad URL."""
    options: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout_seconds,
        "socket_connect_timeout": min(_CONNECT_SECONDS, settings.redis_timeout_seconds),
        "retry": Retry(NoBackoff(), 0),  # who has to try again is the role or the user
        "parser_class": Parser,
        "protocol": 2,  # rqse reads replies in the form of RESP2
        "username": settings.redis_username or None,
        "password": settings.redis_password or None,
    }
    if settings.redis_url:
        try:
            return Store(settings, redis.ConnectionPool.from_url(settings.redis_url, **options))
        except ValueError as error:
            raise BadSettings(f"the URL of Redis cannot be read: {error}", place="redis.url") from None
    return Store(
        settings, redis.ConnectionPool(host=settings.redis_host, port=settings.redis_port, **options)
    )


def address(settings: Settings) -> str:
    """Where Redis is, for people: without user and password."""
    if not settings.redis_url:
        return f"{settings.redis_host}:{settings.redis_port}"
    scheme, _, rest = settings.redis_url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


class Link:
    """One connection to Redis, for one thread."""

    def __init__(self, pool: redis.ConnectionPool, address: str) -> None:
        self._pool = pool
        self._address = address
        self._connection: Any = None
        self._watches = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            if error is not None or self._watches:  # whoever has it next must not be refused for us
                self._connection.disconnect()
            self._pool.release(self._connection)
            self._connection = None

    def exchange(self, commands: Sequence[Command], *, keep_errors: bool = False) -> list[Reply]:
        """Send all commands in one write, read a reply to each.

        With `keep_errors`, an error that one command met stands in its place among the replies; else
        the first is raised as redis.ResponseError. Raises Unreachable if there is no connection, or
        no answer, or if the server cannot serve at present; Refused for a wrong password or a
        command that this user may not use.

        A WATCH must be the first of the commands.
        """
        replies = self.send(commands)
        for reply in replies:
            if isinstance(reply, redis.RedisError):
                self._judge(reply, keep_errors)
        return replies

    def send(self, commands: Sequence[Command]) -> list[Reply]:
        """As `exchange`, but every error that Redis answers stands among the replies.

        Raises Unreachable and Refused for the connection alone.
        """
        try:
            if self._connection is None:
                self._connection = self._pool.get_connection()
            connection = self._connection
            self._note_watch(commands)
            connection.send_packed_command([pack(commands)], check_health=False)
            # Not by connection.read_response, which does one at a time, and much for each.
            replies: list[Reply] = connection._parser.read_replies(len(commands))
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise self._refused(error) from None
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise Unreachable(
                f"no Redis answers at {self._address}: {_reason(error)}",
                hint="start it, or say where it is with --url, --host and --port or LFR_REDIS_URL",
            ) from None
        except redis.ResponseError as error:  # while connecting: AUTH, SELECT
            raise self._refused(error) from None
        return replies

    def _note_watch(self, commands: Sequence[Command]) -> None:
        """WATCH stands first; what ends it, last."""
        if commands:
            begins, ends = commands[0][0] == "WATCH", commands[-1][0] in ("EXEC", "UNWATCH")
            self._watches = (self._watches or begins) and not ends

    def transact(self, commands: Sequence[Command]) -> list[Reply] | None:
        """Do all commands in one MULTI/EXEC: their replies, or None if something watched has moved.

        Raises as `exchange`; then nothing has been done.
        """
        replies = self.exchange((("MULTI",), *commands, ("EXEC",)))
        results: list[Reply] | None = replies[-1]
        for result in results or ():
            if isinstance(result, redis.ResponseError):
                self._judge(result, keep=False)
        return results

    def _judge(self, error: redis.RedisError, keep: bool) -> None:
        if isinstance(error, _SAYS_NO):
            raise self._refused(error)
        if isinstance(error, _CANNOT_SERVE) or str(error).startswith(_CANNOT_SERVE_WORDS):
            raise Unreachable(f"Redis at {self._address} cannot serve: {_reason(error)}")
        if not keep:
            raise error

    def _refused(self, error: Exception) -> Refused:
        return Refused(
            f"Redis at {self._address} refuses: {_reason(error)}",
            hint="check REDIS_USERNAME and REDIS_PASSWORD",
        )


def _reason(error: Exception) -> str:
    return _CONNECTING.sub("", " ".join(str(error).split()), count=1).rstrip(".") or type(error).__name__


def is_error(reply: Reply) -> bool:
    """Whether a reply is an error, as `Link.send` leaves it among the others."""
    return isinstance(reply, redis.RedisError)
