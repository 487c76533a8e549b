"""Reads the indexes in which people find who waits, page by page; adds the waits of earlier versions to them.

Each index is a zset of attempts: by the start of the wait, or by when it is due. A wait that ends is removed
from all of its indexes in the same transaction. Only if a workflow was deleted with its waits does a member
remain: whoever reads it removes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import commit_together_or_singly
from lfr.store.waits.registry import list_wait_commands, watch_waits

_SCAN_COUNT: Final = 5000

_WAIT_KEY: Final = re.compile(r"(workflow:.*):wait:(\d+)\.(\d+)(?:\.([0-9a-f]+))?", re.DOTALL | re.ASCII)
"""The key of a wait: workflow, index, attempt, run."""

_LISTED_SECONDS: Final = 3600
"""After which time to look again for waits in no index: a wait role of an earlier version may still run."""


class Position(NamedTuple):
    """The position of a member in an index: its score, as Redis writes it, and the member."""

    score: str
    member: str

    @property
    def ms(self) -> int:
        """The score in milliseconds since the epoch."""
        return int(float(self.score))


class Extent(NamedTuple):
    """How many members an index has, and the score of the first in milliseconds since the epoch; None: it has
    none."""

    size: int
    first_ms: int | None


def read_extents(connection: Connection, indexes: Sequence[str]) -> list[Extent]:
    """Return how much is in each of these indexes, in one round trip. (ZCARD, ZRANGE)"""
    pipeline = Pipeline(connection)
    replies = [
        (pipeline.add("ZCARD", index), pipeline.add("ZRANGE", index, 0, 0, "WITHSCORES")) for index in indexes
    ]
    pipeline.send()
    return [
        Extent(count.value, int(float(first.value[1])) if first.value else None) for count, first in replies
    ]


def read_page(connection: Connection, key: str, after: Position | None, *, count: int) -> list[Position]:
    """Return up to `count` members of an index behind `after`, which may be gone; None: from the first on.
    Fewer than `count`: there are no more. (ZRANGEBYSCORE)"""
    limit = count
    while True:
        lowest = "-inf" if after is None else after.score
        flat = connection.call("ZRANGEBYSCORE", key, lowest, "+inf", "WITHSCORES", "LIMIT", 0, limit)
        positions = [
            Position(score.decode(), member.decode())
            for member, score in zip(flat[::2], flat[1::2], strict=True)
        ]
        page = [position for position in positions if after is None or _order(position) > _order(after)]
        if len(page) >= count or len(positions) < limit:
            return page[:count]
        limit = 2 * limit  # those with the score of `after` come first


def _order(position: Position) -> tuple[float, bytes]:
    return float(position.score), position.member.encode()


def read_event_kinds(connection: Connection, *, count: int) -> list[str]:
    """Return up to `count` kinds of events that waits may ask for. (ZRANGE)"""
    return [kind.decode() for kind in connection.call("ZRANGE", keys.FIELD_SET_KINDS, 0, count - 1)]


def read_latch_names(connection: Connection, *, count: int) -> list[str]:
    """Return the names of up to `count` latches, those that are at zero first. (ZRANGE)"""
    return [name.decode() for name in connection.call("ZRANGE", keys.LATCHES, 0, count - 1)]


def forget_ended(connection: Connection, key: str, members: Sequence[str]) -> None:
    """Remove waits that are over from an index. No attempt waits a second time. (ZREM)"""
    if members:
        connection.call("ZREM", key, *members)


def list_earlier_waits(connection: Connection, cursor: int) -> int:
    """Add waits of earlier versions to the indexes, those under some thousands of keys from `cursor` on, 0 at
    first. Return the next cursor; 0: nothing is left to do for an hour. (SCAN; WATCH, GET; MULTI/EXEC)
    """
    if cursor == 0 and connection.call("EXISTS", keys.ARE_WAITS_LISTED):
        return 0
    reply = connection.call("SCAN", cursor, "MATCH", "workflow:*:wait:*", "COUNT", _SCAN_COUNT)
    keys_of_waits = (_WAIT_KEY.fullmatch(key.decode(errors="replace")) for key in reply[1])
    members = [
        keys.attempt_member(match[1], int(match[2]), int(match[3]), match[4] or "")
        for match in keys_of_waits
        if match
    ]

    def attempt(members: Sequence[str]) -> list[Command]:
        waits = watch_waits(connection, members)
        return [
            command for wait in waits.values() if wait is not None for command in list_wait_commands(wait)
        ]

    commit_together_or_singly(connection, members, attempt)
    if not int(reply[0]):
        connection.call("SET", keys.ARE_WAITS_LISTED, 1, "EX", _LISTED_SECONDS)
    return int(reply[0])
