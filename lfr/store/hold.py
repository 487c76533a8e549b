"""A key that one process at a time holds: it expires, so that another takes the place of one that dies."""

from __future__ import annotations

from lfr.store.redis.connection import Connection


def hold_key(connection: Connection, key: str, holder: str, ms: int) -> bool:
    """Take or renew the key for `ms` milliseconds; return whether `holder` has it.
    (SET NX PX, GET, PEXPIRE)"""
    _, current = connection.execute([("SET", key, holder, "NX", "PX", ms), ("GET", key)])
    if current != holder.encode():
        return False
    connection.call("PEXPIRE", key, ms)
    return True


def release_key(connection: Connection, key: str, holder: str) -> None:
    """Let another process take the key at once, if `holder` has it. (GET, DEL)"""
    if connection.call("GET", key) == holder.encode():
        connection.call("DEL", key)
