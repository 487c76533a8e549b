"""Asks Sentinels where the primary is.

Each new connection asks anew, so after a failover it goes to the new primary. What the Sentinels say may be a
few seconds old: whoever connects must check that the server is a primary (ROLE), as `ServerCheck` does.

https://redis.io/docs/latest/develop/reference/sentinel-clients/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lfr.errors import Refused, Unreachable, WrongServer
from lfr.store.redis.resp import find_parser_class, pack, read_replies

ASK_SECONDS: Final = 2.0
"""How long one Sentinel may take to accept a connection, and how long to answer."""


class Sentinels:
    """The Sentinels that watch one primary. Any thread may use it.

    redis-py's SentinelManagedConnection takes it for its pool: hence the names of its members.

    service_name       the name that the Sentinels have for the primary
    primary            host and port of the primary, as they have said last; None: nobody has asked yet
    """

    is_master: Final = True
    check_connection: Final = False

    def __init__(
        self,
        servers: tuple[tuple[str, int], ...],
        service_name: str,
        options: Mapping[str, Any],
        *,
        is_tls: bool,
    ) -> None:
        """`options` are arguments for connections of redis-py to the Sentinels: user, password, TLS."""
        self.service_name = service_name
        self.primary: tuple[str, int] | None = None
        self._servers = servers  # the one that has answered last comes first
        self._connection_class = redis.SSLConnection if is_tls else redis.Connection
        self._options = dict(options)
        if parser_class := find_parser_class():
            self._options["parser_class"] = parser_class

    @property
    def longest_ask_seconds(self) -> float:
        """How long it may take until all have been asked in vain."""
        return 2 * ASK_SECONDS * len(self._servers)

    def get_master_address(self) -> tuple[str, int]:
        """Return host and port of the primary: what the first Sentinel says that knows it.

        Raises Unreachable if none answers, Refused for a wrong password, WrongServer if what answers is no
        Sentinel, or none of those that answer knows a primary of this name.
        """
        problem: Exception | None = None
        for server in self._servers:
            try:
                self.primary = self._ask(*server)
            except (Unreachable, Refused) as error:
                problem = error if problem is None or isinstance(error, Refused) else problem
            else:
                self._servers = (server, *(other for other in self._servers if other != server))
                return self.primary
        assert problem is not None  # there is at least one
        raise problem

    def _ask(self, host: str, port: int) -> tuple[str, int]:
        connection: Any = self._connection_class(
            host=host,
            port=port,
            socket_timeout=ASK_SECONDS,
            socket_connect_timeout=ASK_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **self._options,
        )
        where = f"{host}:{port}"
        try:
            connection.connect()
            question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service_name)
            connection.send_packed_command([pack([question])], check_health=False)
            [reply] = read_replies(connection, 1)
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise _refused(where, error) from None
        except (redis.RedisError, OSError, UnicodeError, IndexError, ValueError) as error:
            raise _unreachable(where, error) from None
        finally:
            connection.disconnect()
        return self._read(where, reply)

    def _read(self, where: str, reply: Any) -> tuple[str, int]:
        if isinstance(reply, (redis.AuthenticationError, redis.exceptions.NoPermissionError)):
            raise _refused(where, reply)
        if isinstance(reply, redis.ResponseError) and str(reply).lower().startswith("unknown command"):
            message = f"what answers at {where} is no Sentinel"
            raise WrongServer(
                message, hint="a redis+sentinel:// URL names Sentinels; their usual port is 26379"
            )
        if isinstance(reply, redis.RedisError):
            raise _unreachable(where, reply)
        if not reply:
            message = f"the Sentinel at {where} does not know a primary called {self.service_name}"
            raise WrongServer(message, hint="SENTINEL MASTERS lists those that it watches")
        host, port = reply
        return host.decode(), int(port)


def _unreachable(where: str, error: Exception) -> Unreachable:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return Unreachable(f"no Sentinel answers at {where}: {reason}", hint="start it, or correct redis.url")


def _refused(where: str, error: Exception) -> Refused:
    reason = " ".join(str(error).split()).rstrip(".")
    hint = "check redis.sentinel_username and redis.sentinel_password"
    return Refused(f"the Sentinel at {where} refuses: {reason}", hint=hint)
