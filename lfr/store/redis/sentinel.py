"""Asks Sentinels where the primary is.

Each new connection asks anew, so after a failover it goes to the new primary. What the Sentinels say may be a
few seconds old: whoever connects must check that the server is a primary (ROLE), as `ServerCheck` does.

https://redis.io/docs/latest/develop/reference/sentinel-clients/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lfr.errors import Refused, Unreachable, WrongServer
from lfr.store.redis.resp import find_parser_class, pack, read_replies

ASK_SECONDS: Final = 2.0
"""How long one Sentinel may take to accept a connection, and how long to answer."""

_AWAY_SECONDS: Final = 10.0
"""For how long a Sentinel that does not answer is not asked again what it is about to do."""


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
        self._lock = threading.Lock()  # of what follows
        self._kept_open: dict[tuple[str, int], Any] = {}  # connections for `find_risk`
        self._away_until: dict[tuple[str, int], float] = {}  # when to ask again one that does not answer
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
                self.primary = self._ask(server)
            except (Unreachable, Refused) as error:
                problem = error if problem is None or isinstance(error, Refused) else problem
            else:
                self._servers = (server, *(other for other in self._servers if other != server))
                return self.primary
        assert problem is not None  # there is at least one
        raise problem

    def find_risk(self, primary: tuple[str, int]) -> str:
        """Return why what this server stores now may be lost although replicas have it: a Sentinel has begun
        to make another one the primary, or has done so. Empty: none of those that answer says that.

        From the moment at which a replica is promoted until its primary is told, that primary goes on, and
        the other replicas follow it.
        """
        risks: list[str] = []
        with self._lock:
            for server in self._servers:
                if time.monotonic() >= self._away_until.get(server, 0.0):
                    risks += self._find_risks(server, primary)
        return risks[0] if risks else ""

    def _find_risks(self, server: tuple[str, int], primary: tuple[str, int]) -> Iterator[str]:
        question = ("SENTINEL", "MASTER", self.service_name)
        try:
            connection = self._kept_open.pop(server, None)
            try:
                connection = connection or self._connect(server)
                reply = self._exchange(server, connection, question)
            except Unreachable:  # it may have been closed while nobody used it
                connection = self._connect(server)
                reply = self._exchange(server, connection, question)
        except (Unreachable, Refused):
            self._away_until[server] = time.monotonic() + _AWAY_SECONDS
            return
        self._kept_open[server] = connection
        if not isinstance(reply, list):
            return
        fields = dict(zip(reply[::2], reply[1::2], strict=False))
        if (fields[b"ip"].decode(), int(fields[b"port"])) != primary:
            yield "the Sentinels have made another server the primary"
        elif b"failover_in_progress" in fields[b"flags"].split(b","):
            yield "the Sentinels make another server the primary just now"

    def _ask(self, server: tuple[str, int]) -> tuple[str, int]:
        connection = self._connect(server)
        try:
            reply = self._exchange(
                server, connection, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service_name)
            )
        finally:
            connection.disconnect()
        return self._read(_name(server), reply)

    def _connect(self, server: tuple[str, int]) -> Any:
        host, port = server
        return self._connection_class(
            host=host,
            port=port,
            socket_timeout=ASK_SECONDS,
            socket_connect_timeout=ASK_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **self._options,
        )

    def _exchange(self, server: tuple[str, int], connection: Any, question: Sequence[str]) -> Any:
        """Send a command and return the reply; close the connection if that fails. Raises Unreachable and
        Refused."""
        try:
            connection.connect()
            connection.send_packed_command([pack([question])], check_health=False)
            [reply] = read_replies(connection, 1)
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            connection.disconnect()
            raise _refused(_name(server), error) from None
        except (redis.RedisError, OSError, UnicodeError, IndexError, ValueError) as error:
            connection.disconnect()
            raise _unreachable(_name(server), error) from None
        return reply

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


def _name(server: tuple[str, int]) -> str:
    return ":".join(map(str, server))


def _unreachable(where: str, error: Exception) -> Unreachable:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return Unreachable(f"no Sentinel answers at {where}: {reason}", hint="start it, or correct redis.url")


def _refused(where: str, error: Exception) -> Refused:
    reason = " ".join(str(error).split()).rstrip(".")
    hint = "check redis.sentinel_username and redis.sentinel_password"
    return Refused(f"the Sentinel at {where} refuses: {reason}", hint=hint)
