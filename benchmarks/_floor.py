"""The floor: redis-py and Redis streams alone, without state and graph. Two hops stand for one task.

An event goes from one process to another over a stream and back over a second one, each read by one
consumer group and acknowledged.
"""

from __future__ import annotations

import os
import sys

import redis

OUT, BACK = "floor:out", "floor:back"
BARE = {"kind": '"task"', "workflow": '"workflow:0f8f8f8f"', "index": "1"}

FULL = {
    "kind": '"start-task"',
    "apiVersion": '"v1"',
    "at": '"2026-01-02T03:04:05.678+00:00"',
    "workflow": '"workflow:0f8f8f8f-1111-2222-3333-444444444444"',
    "name": '"task"',
    "base": '"task"',
    "index": "1",
    "input": "{}",
    "parameters": "{}",
    "attempt": "1",
}
"""The events that are sent: with three fields, and with the ten fields of a start-task event."""


def prepare(client: redis.Redis) -> None:
    """Create both streams and their groups, empty."""
    client.delete(OUT, BACK)
    for stream in (OUT, BACK):
        client.xgroup_create(stream, "floor", "0", mkstream=True)


def send(
    client: redis.Redis,
    stream: str,
    count: int,
    acknowledged: list[bytes],
    read_from: str,
    event: dict[str, str],
) -> None:
    """Append `count` events and acknowledge the entries that caused them, in one pipeline."""
    pipeline = client.pipeline(transaction=False)
    for _ in range(count):
        pipeline.xadd(stream, event)
    if acknowledged:
        pipeline.xack(read_from, "floor", *acknowledged)
    pipeline.execute()


def receive(client: redis.Redis, stream: str, count: int) -> list[bytes]:
    """Return the ids of up to `count` new entries; block until the first arrives."""
    reply = client.xreadgroup("floor", "consumer", {stream: ">"}, count=count, block=1000)
    return [id for id, _ in reply[0][1]] if reply else []


def echo(client: redis.Redis, batch: int, event: dict[str, str]) -> None:
    """Send back as many events as arrive, for ever: the work of the other process."""
    while True:
        ids = receive(client, OUT, batch)
        if ids:
            send(client, BACK, len(ids), ids, OUT, event)


def bounce(client: redis.Redis, tasks: int, batch: int, event: dict[str, str] = BARE) -> None:
    """Send `tasks` events and receive as many, `batch` at a time: the work of this process."""
    remaining = tasks
    sent = min(batch, tasks)
    send(client, OUT, sent, [], BACK, event)
    while remaining:
        ids = receive(client, BACK, batch)
        remaining -= len(ids)
        more = min(len(ids), tasks - sent)
        sent += more
        send(client, OUT, more, ids, BACK, event)


if __name__ == "__main__":
    server = redis.Redis.from_url(os.environ["LFR_REDIS_URL"], protocol=2)
    echo(server, int(sys.argv[1]), FULL if sys.argv[2:] == ["full"] else BARE)
