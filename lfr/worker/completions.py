"""Sends the completions of tasks in groups: all that wait at a time, in one transaction."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from lfr.errors import Refused, TooLarge, Unreachable
from lfr.store.redis.connection import Command, Connection, Reply, transaction
from lfr.store.stream.entries import ConsumerId, settle_commands
from lfr.values.times import format_timestamp

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EncodedCompletion:
    """The commands that complete the start-task with this entry id, without those that settle it. `fail`
    returns those that complete it by a failure, for this reason."""

    id: str
    commands: Sequence[Command]
    fail: Callable[[str], Sequence[Command]] | None = None


class CompletionQueue:
    """The completions that Redis has not confirmed yet. Any thread may use it.

    The reader of the stream sends them with its next read. While it is blocked in a read, the thread that
    adds a completion sends; one thread at a time, and what is added meanwhile goes with its next transaction.
    A completion that could not be sent waits for the reader, which sends those one by one at first: so one
    that Redis refuses does not hold up the others.

    `confirmed` is called with the entry ids of each group that is done with.
    """

    def __init__(self, consumer: ConsumerId, confirmed: Callable[[Sequence[str]], None]) -> None:
        self._consumer = consumer
        self._confirmed = confirmed
        self._lock = threading.Lock()
        self._waiting: list[EncodedCompletion] = []
        self._is_reader_blocked = False
        self._is_sending = False  # a thread other than the reader
        self._has_failed = False
        self._dropped: set[str] = set()

    def drop(self, ids: Collection[str]) -> None:
        """Send nothing for these entries, neither what waits nor what is still to come."""
        with self._lock:
            self._dropped.update(ids)
            waiting = [completion.id for completion in self._waiting if completion.id in self._dropped]
            self._waiting = [each for each in self._waiting if each.id not in self._dropped]
        if waiting:
            self._dropped.difference_update(waiting)
            self._confirmed(waiting)

    def add(self, completion: EncodedCompletion) -> bool:
        """Add a completion. Return whether the caller has to call `send_while_blocked`."""
        with self._lock:
            is_dropped = completion.id in self._dropped
            self._dropped.discard(completion.id)
            if not is_dropped:
                self._waiting.append(completion)
        if is_dropped:
            self._confirmed([completion.id])
            return False
        with self._lock:
            if not self._is_reader_blocked or self._is_sending or self._has_failed:
                return False
            self._is_sending = True
            return True

    @property
    def is_empty(self) -> bool:
        """Whether no completion waits to be sent; a thread may be sending some."""
        return not self._waiting

    @property
    def has_failed(self) -> bool:
        """Whether the latest completions could not be sent."""
        return self._has_failed

    def send_while_blocked(self, connection: Connection, *, has_receipts: bool) -> None:
        """Send completions until none waits or the reader is back. Raises Unreachable and Refused.
        `has_receipts` says whether a receipts role runs."""
        while group := self._take_while_blocked():
            try:
                self._send(connection, group, has_receipts)
            except BaseException:
                with self._lock:
                    self._is_sending = False
                raise

    def send(self, connection: Connection, *, has_receipts: bool) -> None:
        """Send all completions. For the reader. Raises Unreachable and Refused."""
        while group := self._take(reader_blocks=False):
            self._send(connection, group, has_receipts)

    def send_with_read(
        self, connection: Connection, read_commands: Sequence[Command], *, has_receipts: bool
    ) -> list[Reply]:
        """Send the completions and these commands in one write; return the replies to these. For the reader.

        The completions are confirmed before the read blocks. Raises Unreachable and Refused.
        """
        group = self._take(reader_blocks=True)
        try:
            self._send(connection, group, has_receipts, read_commands)
            return connection.check(connection.receive(len(read_commands)), keep_errors=True)
        finally:
            self._is_reader_blocked = False

    def _take(self, *, reader_blocks: bool) -> list[EncodedCompletion]:
        with self._lock:
            self._is_reader_blocked = reader_blocks
            return self._pop_group()

    def _take_while_blocked(self) -> list[EncodedCompletion]:
        with self._lock:
            self._is_sending = bool(self._waiting) and self._is_reader_blocked and not self._has_failed
            return self._pop_group() if self._is_sending else []

    def _pop_group(self) -> list[EncodedCompletion]:
        count = 1 if self._has_failed else len(self._waiting)
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _put_back(self, group: Sequence[EncodedCompletion]) -> None:
        with self._lock:
            self._waiting += group  # behind the others: the next one that is tried is another one
            self._has_failed = True

    def _put_back_too_large(self, group: Sequence[EncodedCompletion], error: TooLarge) -> None:
        """Put a group back that is too large for one transaction; one completion becomes a failure."""
        if len(group) > 1:
            self._put_back(group)
            return
        [completion] = group
        if completion.fail is None:
            raise error
        reason = f"its output cannot be stored: {error}"
        self._put_back([EncodedCompletion(completion.id, completion.fail(reason))])

    def _send(
        self,
        connection: Connection,
        group: Sequence[EncodedCompletion],
        has_receipts: bool,
        more: Sequence[Command] = (),
    ) -> None:
        """Send a group in one transaction, and in the same write `more`, whose replies the caller receives.

        Raises Unreachable and Refused if the connection breaks; without `more` also if Redis cannot serve.
        """
        ids = [completion.id for completion in group]
        commands = [command for completion in group for command in completion.commands]
        if group:
            at = format_timestamp(time.time())
            settle = settle_commands(self._consumer, ids, at, has_receipts=has_receipts)
            commands = transaction([*commands, *settle])
        try:
            try:
                connection.send([*commands, *more])
            except TooLarge as error:  # nothing was sent
                self._put_back_too_large(group, error)
                if more:
                    connection.send(more)
                return
            connection.has_written = connection.has_written or bool(group)
            replies = connection.receive(len(commands))
        except BaseException:
            self._put_back(group)
            raise
        if not group:
            return
        try:
            connection.check_transaction(replies)
        except (Unreachable, Refused) as error:
            self._put_back(group)
            if not more:
                raise
            LOGGER.error("%s; the ends of %d tasks wait", error, len(group))
        except Exception:
            if len(group) > 1:
                self._put_back(group)
                return
            LOGGER.exception("Redis refuses the end of %s, which stays pending", ids[0])
            self._confirmed(ids)
        else:
            self._has_failed = False
            self._confirmed(ids)
