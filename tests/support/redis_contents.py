"""Everything that a Redis holds, as plain JSON, and back into another Redis.

Streams keep their entry ids, consumer groups and pending entries. DUMP and RESTORE are no alternative: their
format depends on the server and its version.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import redis

Contents: TypeAlias = dict[str, dict[str, Any]]
"""key -> `type`, `value`, `ttl_ms` (None: the key does not expire), and `groups` of a stream."""


def read_contents(client: redis.Redis, *, without: str) -> Contents:
    """Read every key that does not begin with `without`. The client must decode replies."""
    contents: Contents = {}
    for key in sorted(client.scan_iter(count=1000)):
        if key.startswith(without):
            continue
        kind, ttl_ms = client.type(key), client.pttl(key)
        if kind == "none":  # it has just expired
            continue
        contents[key] = {
            "type": kind,
            "ttl_ms": ttl_ms if ttl_ms >= 0 else None,
            "value": _READ[kind](client, key),
        }
        if kind == "stream":
            contents[key]["groups"] = [_read_group(client, key, group) for group in client.xinfo_groups(key)]
    return contents


def write_contents(client: redis.Redis, contents: Contents) -> None:
    """Write every key into an empty Redis."""
    for key, entry in contents.items():
        value = entry["value"]
        match entry["type"]:
            case "string":
                client.set(key, value)
            case "hash":
                client.hset(key, mapping=value)
            case "list":
                client.rpush(key, *value)
            case "set":
                client.sadd(key, *value)
            case "zset":
                client.zadd(key, {member: float(score) for member, score in value})
            case "stream":
                for id, fields in value:
                    client.xadd(key, fields, id=id)
                for group in entry["groups"]:
                    _write_group(client, key, group)
        if entry["ttl_ms"] is not None:
            client.pexpire(key, entry["ttl_ms"])


_READ: dict[str, Any] = {
    "string": lambda client, key: client.get(key),
    "hash": lambda client, key: client.hgetall(key),
    "list": lambda client, key: client.lrange(key, 0, -1),
    "set": lambda client, key: sorted(client.smembers(key)),
    "zset": lambda client, key: [
        [member, repr(score)] for member, score in client.zrange(key, 0, -1, withscores=True)
    ],
    "stream": lambda client, key: client.xrange(key),
}


def _read_sorted_set(client: redis.Redis, key: str) -> list[list[str]]:
    return [[member, repr(score)] for member, score in client.zrange(key, 0, -1, withscores=True)]


def _read_group(client: redis.Redis, key: str, group: dict[str, Any]) -> dict[str, Any]:
    pending = client.xpending_range(key, group["name"], "-", "+", 10_000)
    return {
        "name": group["name"],
        "last_delivered": group["last-delivered-id"],
        "pending": [[entry["message_id"], entry["consumer"]] for entry in pending],
    }


def _write_group(client: redis.Redis, key: str, group: dict[str, Any]) -> None:
    client.xgroup_create(key, group["name"], id=group["last_delivered"])
    for id, consumer in group["pending"]:
        client.execute_command("XCLAIM", key, group["name"], consumer, 0, id, "FORCE", "JUSTID")
