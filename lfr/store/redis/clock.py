"""The time of the Redis server. All hosts share it, so no host's clock matters."""

from __future__ import annotations

from lfr.store.redis.connection import Connection, Reply

TIME = ("TIME",)
"""The command whose reply `parse_time_ms` takes."""


def parse_time_ms(reply: Reply) -> int:
    """Return the time that a reply to TIME holds, in milliseconds since the epoch."""
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000


def read_time_ms(connection: Connection) -> int:
    """Return the time of the server, in milliseconds since the epoch. (TIME)"""
    return parse_time_ms(connection.call("TIME"))
