"""The consumer groups of the stream: how far each has read, and what it has pending."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.stream.entries import parse_pairs

MOST_COUNTED = 1000
"""Where Redis does not tell how many entries a group has still to read, they are counted up to this."""


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group.

    lag      how many entries it has still to read; None: Redis does not tell (6.2 never does, later ones
             not after an entry that it has not read yet was deleted)
    pending  how many entries its consumers have read and not acknowledged
    """

    name: str
    consumers: int
    pending: int
    lag: int | None
    read_to: str


def groups_command(stream: str) -> Command:
    """The command whose reply `parse_groups` takes. (XINFO GROUPS)"""
    return ("XINFO", "GROUPS", stream)


def parse_groups(reply: Reply) -> list[Group]:
    """The groups of a stream; none if there is no such stream."""
    if isinstance(reply, redis.ResponseError):
        return []
    return [_group(flat) for flat in reply]


def _group(flat: Reply) -> Group:
    fields = parse_pairs(flat)
    return Group(
        name=fields[b"name"].decode(errors="backslashreplace"),
        consumers=fields[b"consumers"],
        pending=fields[b"pending"],
        lag=fields.get(b"lag"),
        read_to=fields[b"last-delivered-id"].decode(),
    )


def count_lag(connection: Connection, stream: str, group: Group) -> int:
    """How many entries a group has still to read, up to MOST_COUNTED. (XRANGE)"""
    if group.lag is not None:
        return group.lag
    reply = connection.execute([("XRANGE", stream, f"({group.read_to}", "+", "COUNT", MOST_COUNTED)])[0]
    return len(reply)
