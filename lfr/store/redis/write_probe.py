"""Asks Redis whether it takes writes at present, and changes nothing."""

from __future__ import annotations

import redis

from lfr.store import keys
from lfr.store.redis.connection import Connection


def find_write_refusal(connection: Connection) -> str:
    """Return why Redis refuses writes now, as it says it; empty: it takes them, or this user may not ask.

    A SET XX of a key that does not exist writes nothing, but Redis checks it as a write: it refuses it when
    its memory is full, its disk cannot be written, it is a replica, or it has too few replicas. (SET XX)
    """
    [reply] = connection.execute_unchecked([("SET", keys.PROBE, 1, "XX")])
    if not isinstance(reply, redis.RedisError) or isinstance(reply, redis.exceptions.NoPermissionError):
        return ""
    return " ".join(str(reply).split()).rstrip(".") or type(reply).__name__
