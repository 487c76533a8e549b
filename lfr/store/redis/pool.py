"""Settings -> a pool of connections of redis-py, which check the server when they are made.

redis-py connects: URL, TLS, unix socket, Sentinels, user, password, time-outs.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from weakref import WeakSet

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.store.redis.memory_use import MemoryUse
from lfr.store.redis.replicas import DISK
from lfr.store.redis.resp import find_parser_class, pack, read_replies
from lfr.store.redis.sentinel import Sentinels
from lfr.store.redis.server_check import ServerCheck
from lfr.store.redis.size_limits import LIMIT_COMMANDS, SizeLimits, parse_limits
from lfr.store.redis.url import RedisUrl, parse_redis_url

_CONNECT_SECONDS = 5.0

_URL_SETTING = "redis.url"

_LIMITS_SECONDS = 60.0
"""How long the limits of a server count as known."""


def open_pool(settings: Settings) -> tuple[Pool, Sentinels | None]:
    """Return the pool for the server that the settings name, and the Sentinels, if its URL has some.

    Does not connect yet. Raises BadSettings for a URL that is not valid, or names files for TLS that cannot
    be read.
    """
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
        *(address(settings), settings.stream, database, prefix),
        must_be_primary=sentinels is not None,
        needs_waitaof=bool(settings.redis_replicas) and settings.redis_replicas_store == DISK,
    )
    connect = partial(_set_up, check)
    return Pool(redis_connect_func=connect, **location, **options), sentinels


def _sentinels(settings: Settings, url: RedisUrl) -> Sentinels:
    options = {
        **url.common_options(),
        "username": settings.redis_sentinel_username or url.sentinel_username or None,
        "password": settings.redis_sentinel_password or url.sentinel_password or None,
    }
    return Sentinels(url.sentinels, url.primary, options, is_tls=url.is_tls)


class Pool(redis.ConnectionPool):
    """A pool that does not keep the connections in use alive.

    An interruption, such as Ctrl-C in a program, may come when a connection is taken and its user does not
    have it yet, or gives it back. Nobody could give it back later: so it is closed with its last reference.
    """

    size_limits = SizeLimits()
    limits_read_at = -math.inf
    memory_use = MemoryUse()

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

    def load_limits(self) -> SizeLimits:
        """Return the limits of the server, as read within the last minute. (CONFIG GET)"""
        if time.monotonic() - self.limits_read_at > _LIMITS_SECONDS:
            connection = self.take()
            try:
                connection.send_packed_command([pack(LIMIT_COMMANDS)], check_health=False)
                self.size_limits = parse_limits(read_replies(connection, len(LIMIT_COMMANDS)))
            finally:
                self.release(connection)
            self.limits_read_at = time.monotonic()
        return self.size_limits

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
