"""Notes which workflows hold a latch, for people who ask why it is not zero. Nothing else depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import redis

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline

_MAX_HOLDERS: Final = 10_000
"""How many holders of a latch are noted; those with the fewest acquires are dropped first."""

_MAX_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class HeldLatch:
    """A latch: its count (None if its key holds no integer), and who may hold it: the ids of workflows and
    items, each with how many acquires of it no release of its own has undone. An acquire of an earlier
    version of lfr is not among them."""

    name: str
    count: int | None
    holders: dict[str, int] = field(default_factory=dict)

    @property
    def has_all_holders(self) -> bool:
        """Whether each acquire that the latch counts is one of these holders."""
        return self.count is not None and sum(self.holders.values()) >= self.count


def count_holder_commands(name: str, workflow: str, *, is_acquire: bool) -> list[Command]:
    """Return the commands that note that a workflow or an item has acquired or released a latch. (ZINCRBY,
    ZREMRANGEBYRANK, ZREMRANGEBYSCORE)"""
    key = keys.latch_holders(name)
    if is_acquire:
        return [("ZINCRBY", key, 1, workflow), ("ZREMRANGEBYRANK", key, 0, -_MAX_HOLDERS - 1)]
    return [("ZINCRBY", key, -1, workflow), ("ZREMRANGEBYSCORE", key, "-inf", 0)]


def read_held_latches(connection: Connection, names: Sequence[str]) -> dict[str, HeldLatch]:
    """Return these latches by name, with up to a thousand holders of each. (GET, ZREVRANGE)"""
    pipeline = Pipeline(connection)
    replies = {
        name: (
            pipeline.add("GET", keys.latch(name)),
            pipeline.add("ZREVRANGE", keys.latch_holders(name), 0, _MAX_LISTED - 1, "WITHSCORES"),
        )
        for name in names
    }
    pipeline.send()
    return {
        name: HeldLatch(name, parse_count(count.value_or_error), _parse_holders(holders.value_or_none or ()))
        for name, (count, holders) in replies.items()
    }


def parse_count(reply: object) -> int | None:
    """Return the count of a latch from the reply to GET; None if its key holds no integer."""
    if isinstance(reply, redis.ResponseError):
        return None
    try:
        return int(reply or 0)  # type: ignore[call-overload,no-any-return]
    except ValueError:
        return None


def _parse_holders(flat: Sequence[bytes]) -> dict[str, int]:
    return {id.decode(): int(float(count)) for id, count in zip(flat[::2], flat[1::2], strict=True)}
