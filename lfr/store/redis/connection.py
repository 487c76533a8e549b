"""Settings -> connections to Redis, and the one way in which commands travel: many in one write.

redis-py connects (`pool`). Its pipelines are not used: a pass of a role sends WATCH and reads in one round
trip and MULTI ... EXEC in a second, both on one connection, which redis-py's pipeline does not do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self, TypeAlias

import redis

from lfr.actor import Actor
from lfr.config.settings import Settings
from lfr.errors import BadSettings, Refused, TooLarge, Unreachable
from lfr.store.redis.key_prefix import KeyPrefix
from lfr.store.redis.memory_use import MEMORY_COMMAND, MemoryUse, parse_memory_use
from lfr.store.redis.pool import Pool, address, open_pool
from lfr.store.redis.replicas import Confirmations, ReplicaSettings
from lfr.store.redis.resp import LongReply, pack, read_replies
from lfr.store.redis.sentinel import Sentinels
from lfr.store.redis.server_check import is_reserved
from lfr.store.redis.size_limits import LEAST_LIMIT
from lfr.store.redis.wrong_type import with_key

Command: TypeAlias = Sequence[str | bytes | int | float]
"""A Redis command: its name and arguments."""

Reply: TypeAlias = Any
"""A reply of Redis: bytes, int, None, a list of replies, or redis.ResponseError."""

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
    """Access to the Redis server that the settings name. Opens connections only when they are used.

    confirmations  notes whether replicas have confirmed what its connections write; None: none is waited for
    actor          who changes by hand what operations change with it; None: nobody, or it is not known
    """

    settings: Settings
    pool: Pool
    key_prefix: KeyPrefix | None
    sentinels: Sentinels | None
    confirmations: Confirmations | None = None
    actor: Actor | None = None

    def confirming(self) -> tuple[Store, Confirmations]:
        """Return a store whose connections wait, at their end, for the replicas that the settings ask for,
        and what notes if these do not confirm. It shares all connections with this one."""
        confirmations = Confirmations()
        if not self.settings.redis_replicas:
            return self, confirmations
        return replace(self, confirmations=confirmations), confirmations

    def acting(self, actor: Actor | None) -> Store:
        """Return a store for operations of this actor. It shares all connections with this one."""
        return replace(self, actor=actor)

    @property
    def stream(self) -> str:
        """The key of the stream that carries every event."""
        return self.settings.stream

    def connect(self) -> Connection:
        """Return a connection for one thread, to be used with `with`. It connects at its first command."""
        return Connection(self)

    @property
    def longest_ask_seconds(self) -> float:
        """How long it may take to ask all Sentinels in vain."""
        return self.sentinels.longest_ask_seconds if self.sentinels else 0.0


def open_store(settings: Settings) -> Store:
    """Return the store that the settings name. Does not connect yet. Raises BadSettings for a URL that is not
    valid, or names files for TLS that cannot be read, and for a stream under a key of other data."""
    if is_reserved(settings.stream):
        raise BadSettings(f"{settings.stream} is a key that lfr uses for other data", place="stream")
    pool, sentinels = open_pool(settings)
    prefix = settings.redis_prefix
    return Store(settings, pool, KeyPrefix(prefix) if prefix else None, sentinels)


class _Unsettled(NamedTuple):
    """A transaction that was sent and whose replies are to come."""

    reply_count: int
    settle: Callable[[list[Reply]], None]


class Connection:
    """One connection to Redis, for one thread. The end of `with` gives it back to the pool.

    has_written  whether it has sent a transaction since `has_written` was set to False
    """

    def __init__(self, store: Store) -> None:
        self._pool = store.pool
        self._settings = store.settings
        self._key_prefix = store.key_prefix
        self._sentinels = store.sentinels
        self._confirmations = store.confirmations
        self._sent_names: list[str] = []  # with a prefix: of the commands whose replies are to come
        self._redis_connection: Any = None
        self._is_watching = False
        self._unsettled: _Unsettled | None = None
        self.has_written = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._redis_connection is not None:
            failure: BaseException | None = None
            if error is None:
                try:
                    self.settle()
                except BaseException as raised:
                    error = failure = raised
            if error is None and self.has_written and self._confirmations is not None:
                error = self._confirm(self._confirmations)
            if error is not None or self._is_watching:  # the next user must not inherit this WATCH
                self._redis_connection.disconnect()
            self._pool.release(self._redis_connection)
            self._redis_connection = self._unsettled = None
            if failure is not None:
                raise failure

    def _confirm(self, confirmations: Confirmations) -> BaseException | None:
        """Wait for the replicas that are to confirm what was written; return the error that has broken the
        connection meanwhile. (WAIT, WAITAOF)"""
        replicas = ReplicaSettings.of(self._settings)
        try:
            [reply] = self.execute_unchecked([replicas.command(replicas.timeout_seconds)])
        except (Unreachable, Refused) as error:
            confirmations.add(f"no replica is known to have confirmed it: {error.message}")
            return error
        problem = replicas.problem(reply)
        if not problem and self._sentinels:
            connected = self._redis_connection
            problem = self._sentinels.find_risk((connected.host, connected.port))
        confirmations.add(problem)
        return None

    def call(self, *command: str | bytes | int | float, keep_errors: bool = False) -> Reply:
        """Send one command and return its reply. Raises as `execute` does."""
        return self.execute([command], keep_errors=keep_errors)[0]

    def execute(self, commands: Sequence[Command], *, keep_errors: bool = False) -> list[Reply]:
        """Send all commands in one write and return a reply to each, in order; without commands, do nothing.

        Redis runs all of them. Then the first error of a command is raised as redis.ResponseError (for a key
        of another type as WrongTypeReply, which is an LfrError, too); with `keep_errors` errors stand among
        the replies instead. Raises Unreachable if there is no connection or no answer, or if the server
        cannot serve at present; Refused for a wrong password or a command that this user may not use;
        WrongServer for a server that lfr cannot use: all also with `keep_errors`.

        A WATCH must be the first of the commands.
        """
        if not commands:
            return []
        return self.check(self.execute_unchecked(commands), keep_errors=keep_errors, commands=commands)

    def execute_unchecked(self, commands: Sequence[Command]) -> list[Reply]:
        """Do as `execute`, but leave the error of any command among the replies. Raises Unreachable only
        without a connection or an answer, Refused only if Redis refuses the connection."""
        if not commands:
            return []
        self.send(commands)
        return self.receive(len(commands))

    def execute_with_raw_keys(
        self, commands: Sequence[Command], most_bytes: int | None = None
    ) -> list[Reply]:
        """Do as `execute_unchecked`, but with keys of users: they are used as they are, without the prefix of
        lfr's own keys. Raises TooLarge once more than `most_bytes` of replies have arrived; Redis may have
        run all commands by then. No key may be watched."""
        if not commands:
            return []
        self._write(commands, [""] * len(commands) if self._key_prefix else ())
        return self.receive(len(commands), most_bytes)

    def send(self, commands: Sequence[Command]) -> None:
        """Send all commands in one write; `receive` returns their replies. Raises as `execute_unchecked`."""
        if self._key_prefix is None:
            self._write(commands, ())
        else:
            self._write(self._key_prefix.add(commands), [str(command[0]) for command in commands])

    def _write(self, commands: Sequence[Command], names: Sequence[str]) -> None:
        """Send commands whose keys have their prefix. With a prefix, `names` says what their replies are."""
        packed = pack(commands)
        if len(packed) > LEAST_LIMIT:
            self.check_size(commands)
        try:
            if self._redis_connection is None:
                self._redis_connection = self._pool.take()
            self._note_watch(commands)
            self._redis_connection.send_packed_command([packed], check_health=False)
        except _CONNECTION_ERRORS as error:
            raise self._disconnected(error) from None
        self._sent_names += names

    def check_size(self, commands: Sequence[Command]) -> None:
        """Raise TooLarge if the server would refuse these commands in one write because of their size."""
        try:
            limits = self._pool.load_limits()
        except _CONNECTION_ERRORS as error:
            raise self._disconnected(error) from None
        if excess := limits.find_excess(commands):
            raise TooLarge(excess, hint="make the value smaller, or raise this limit of the server")

    def receive(self, count: int, most_bytes: int | None = None) -> list[Reply]:
        """Return the replies to the next `count` commands that were sent, behind a transaction that was not
        settled before. Raises as `execute_unchecked` and as what settles that, and TooLarge once more than
        `most_bytes` have arrived."""
        self.settle()
        return self._receive(count, most_bytes)

    def settle(self) -> None:
        """Settle the transaction that was sent early, if there is one: see `transact_early`."""
        if self._unsettled is None:
            return
        unsettled, self._unsettled = self._unsettled, None
        try:
            unsettled.settle(self._receive(unsettled.reply_count))
        except BaseException:
            self._redis_connection.disconnect()  # nobody will read the replies behind it
            self._sent_names = []
            raise

    def _receive(self, count: int, most_bytes: int | None = None) -> list[Reply]:
        try:
            replies = read_replies(self._redis_connection, count, most_bytes)
        except LongReply:
            self._redis_connection.disconnect()  # Redis drops what is left of the reply
            self._sent_names = []
            raise TooLarge(f"the reply of Redis has more than {most_bytes:,} bytes") from None
        except _CONNECTION_ERRORS as error:
            raise self._disconnected(error) from None
        if self._key_prefix is None:
            return replies
        names, self._sent_names = self._sent_names[:count], self._sent_names[count:]
        return list(map(self._key_prefix.remove, names, replies))

    def check(
        self, replies: list[Reply], *, keep_errors: bool = False, commands: Sequence[Command] = ()
    ) -> list[Reply]:
        """Return the replies. Raises for the errors among them as `execute` does; if `commands` has their
        commands, also as WrongTypeReply."""
        for number, reply in enumerate(replies):
            if isinstance(reply, redis.RedisError):
                if commands:
                    replies[number] = reply = with_key(reply, commands[number])
                self._check_error(reply, keep_errors)
        return replies

    def transact(self, commands: Sequence[Command]) -> list[Reply] | None:
        """Send all commands in one MULTI/EXEC; return their replies, or None if a watched key has changed.

        Raises as `execute` does. If Redis refused a command before EXEC, nothing has been written; if one
        failed within EXEC, the others have been; if no answer came, either may be the case.
        """
        return self.check_transaction(self.execute_unchecked(transaction(commands)), commands)

    def transact_early(self, commands: Sequence[Command], settle: Callable[[list[Reply]], None]) -> None:
        """Send all commands in one MULTI/EXEC, and wait for no reply. `settle` gets the replies, for
        `check_transaction`, before the next use of this connection gets one, or at the end of `with`.

        Commands that are sent meanwhile are executed after it, whatever has become of it. While `settle`
        runs, one of them may be blocked, so it uses other connections. Raises as `send` does.
        """
        sent = transaction(commands)
        self.send(sent)
        self._unsettled = _Unsettled(len(sent), settle)

    def check_transaction(self, replies: list[Reply], commands: Sequence[Command] = ()) -> list[Reply] | None:
        """Return what `transact` returns, from the replies to a `transaction` of these commands. Raises as
        `transact` does."""
        command_replies: list[Reply] | None = self.check(replies)[-1]
        return command_replies and self.check(command_replies, commands=commands)

    def load_memory_use(self) -> MemoryUse:
        """Return how much memory the server uses, as read within the last second by this process. (INFO)"""
        if self._pool.memory_use.is_old:
            [reply] = self.execute_unchecked([MEMORY_COMMAND])
            self._pool.memory_use = parse_memory_use(reply)
        return self._pool.memory_use

    @property
    def received_bytes(self) -> int:
        """How many bytes this connection has received so far; 0 if its parser is not ours."""
        parser = getattr(self._redis_connection, "_parser", None)
        return getattr(parser, "received_bytes", 0)

    @property
    def is_watching(self) -> bool:
        """Whether keys are watched for the next EXEC."""
        return self._is_watching

    def unwatch(self) -> None:
        """Stop watching keys, if any are watched. (UNWATCH)"""
        if self._is_watching:
            self.execute([("UNWATCH",)])

    def _note_watch(self, commands: Sequence[Command]) -> None:
        """Note whether keys are watched after these commands: WATCH stands first, EXEC and UNWATCH last."""
        last = commands[-1][0]
        self.has_written = self.has_written or last == "EXEC"
        begins, ends = commands[0][0] == "WATCH", last in ("EXEC", "UNWATCH")
        self._is_watching = (self._is_watching or begins) and not ends

    def _check_error(self, error: redis.RedisError, keep: bool) -> None:
        if isinstance(error, _REFUSAL_ERRORS):
            raise self._refused(error)
        if is_unavailable(error):
            raise self._unavailable(error)
        if not keep:
            raise error

    def _disconnected(self, error: Exception) -> Refused | Unreachable:
        """Return why a connection cannot be made, or is broken."""
        self._sent_names = []
        self._unsettled = None
        if isinstance(error, redis.ResponseError) and is_unavailable(error):
            return self._unavailable(error)
        if isinstance(error, (*_REFUSAL_ERRORS, redis.ResponseError)):  # to connect sends AUTH, SELECT
            return self._refused(error)
        hint = "lfr up starts one; or say where it is with --url, --host and --port or LFR_REDIS_URL"
        if self._sentinels:
            hint = "the Sentinels choose another one if it stays away"
        return Unreachable(f"no Redis answers at {self._server()}: {_reason(error)}", hint=hint)

    def _unavailable(self, error: Exception) -> Unreachable:
        return Unreachable(f"Redis at {self._server()} cannot serve: {_reason(error)}")

    def _server(self) -> str:
        """Return where Redis is, for messages: with Sentinels, also which primary they have named."""
        if self._sentinels is None or self._sentinels.primary is None:
            return address(self._settings)
        return f"{':'.join(map(str, self._sentinels.primary))} (the primary of {address(self._settings)})"

    def _refused(self, error: Exception) -> Refused:
        hint = "check REDIS_USERNAME and REDIS_PASSWORD"
        if isinstance(error, redis.exceptions.NoPermissionError):
            hint = "permit it to the user, by ACL SETUSER"
        return Refused(f"Redis at {address(self._settings)} refuses: {_reason(error)}", hint=hint)


def is_unavailable(error: Exception) -> bool:
    """Return whether an error means that the server as a whole cannot serve at present."""
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
