"""Optimistic transactions: read under WATCH, decide, write in one MULTI/EXEC; if that is refused, try again.

Redis refuses EXEC if another client has changed a watched key since WATCH. Then nothing was written, and
whatever was read is stale: the next try reads and decides anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from lfr.store.redis.connection import Command, Connection, Reply

Item = TypeVar("Item")
Result = TypeVar("Result")


class ReadAgain(Exception):
    """Raised by an attempt that cannot decide on what it has read, and is to be called again."""


def retry_until_committed(
    connection: Connection,
    attempt: Callable[[], tuple[Sequence[Command] | None, Result]],
    on_commit: Callable[[Sequence[Command], Sequence[Reply]], None] | None = None,
) -> Result:
    """Call `attempt` and commit its commands, again and again until EXEC is accepted; return its last result.

    `attempt` watches and reads on `connection`, and returns the commands to write and a result. After an
    empty list, EXEC writes nothing, but is refused if a watched key has changed. After None, its result is
    returned without EXEC. After ReadAgain it is called again; what else it raises goes to the caller.
    `on_commit` gets the commands that were committed, and the replies to them.
    """
    while True:
        try:
            commands, result = attempt()
        except ReadAgain:
            connection.unwatch()
            continue
        if commands is None:
            connection.unwatch()
            return result
        if (replies := connection.transact(commands)) is not None:
            if on_commit is not None:
                on_commit(commands, replies)
            return result


def commit_together_or_singly(
    connection: Connection, items: Sequence[Item], attempt: Callable[[Sequence[Item]], Sequence[Command]]
) -> None:
    """Commit the commands for all items in one transaction; if that fails, commit them item by item.

    It fails if EXEC is refused or `attempt` raises ReadAgain. `attempt` watches and reads on `connection`,
    and returns the commands for the items that are passed to it. Each single item is tried until its commands
    are committed. Without items, do nothing.
    """
    if not items:
        return
    try:
        if connection.transact(attempt(items)) is not None:
            return
    except ReadAgain:
        connection.unwatch()

    def attempt_one(item: Item) -> tuple[Sequence[Command], None]:
        return attempt([item]), None

    for item in items:
        retry_until_committed(connection, partial(attempt_one, item))
