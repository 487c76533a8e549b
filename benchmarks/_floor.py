"""The floor: redis-py and Redis Streams alone, with no state and no graph. Two hops are one task.

An event goes from one process to another over a stream and back over a second one, each read by one
consumer group and acknowledged.
"""

from __future__ import annotations

import os
import sys

import redis

OUT, BACK = "floor:out", "floor:back"
EVENT = {"kind": '"task"', "workflow": '"workflow:0f8f8f8f"', "index": "1"}


def prepare(client: redis.Redis) -> None:
    """Both streams and their groups, empty."""
    client.delete(OUT, BACK)
    for stream in (OUT, BACK):
        client.xgroup_create(stream, "floor", "0", mkstream=True)


def send(client: redis.Redis, stream: str, count: int, done: list[bytes], read_from: str) -> None:
    """Append `count` events and acknowledge those that were the cause, in one pipeline."""
    pipeline = client.pipeline(transaction=False)
    for _ in range(count):
        pipeline.xadd(stream, EVENT)
    if done:
        pipeline.xack(read_from, "floor", *done)
    pipeline.execute()


def receive(client: redis.Redis, stream: str, count: int) -> list[bytes]:
    """The ids of up to `count` new events; waits for the first."""
    reply = client.xreadgroup("floor", "consumer", {stream: ">"}, count=count, block=1000)
    return [id for id, _ in reply[0][1]] if reply else []


def echo(client: redis.Redis, batch: int) -> None:
    """The other process: sends back as many as come, for ever."""
    while True:
        ids = receive(client, OUT, batch)
        if ids:
            send(client, BACK, len(ids), ids, OUT)


def bounce(client: redis.Redis, tasks: int, batch: int) -> None:
    """This process: `tasks` events out and back, `batch` at a time."""
    left = tasks
    send(client, OUT, min(batch, left), [], BACK)
    sent = min(batch, left)
    while left:
        ids = receive(client, BACK, batch)
        left -= len(ids)
        more = min(len(ids), tasks - sent)
        sent += more
        send(client, OUT, more, ids, BACK)


if __name__ == "__main__":
    echo(redis.Redis.from_url(os.environ["LFR_REDIS_URL"], protocol=2), int(sys.argv[1]))
