"""Retention: does work go on as fast while 100,000 old workflows are deleted, and does the memory come back?

    build.py bench retention [WORKFLOWS] [ROUNDS] [WORK]

The server is filled once with workflows that ended a day ago. Each round runs the same work twice, beside
them: without retention, and while a lifecycle deletes them; which comes first alternates. Then the rest is
deleted without any work: what one costs. At last the work is pruned, too: what is left of the memory. A dry
run of `lfr prune` must have counted as many as are deleted. 100,000 with 6 rounds take some ten minutes, most
of them for the rest, which retention deletes in a small share of the time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from benchmarks._installation import processes, server, wait_for_roles
from benchmarks._measures import Measure, cpu_and_commands, ratios
from lfr import Client
from lfr.config.settings import Settings
from lfr.operations.prune import plan_prune, prune
from lfr.store.redis.connection import Store, open_store

FLOW = "@flow old\n" + " -> ".join(["task"] * 5)
TASKS = 10
WORK_FLOW = "@flow work\n" + " -> ".join(["task"] * TASKS)
DAY_MS = 86_400_000
FINISHED = "workflows:state:FINISHED"
RUNNING = "workflows:state:RUNNING"
OLD = "workflows:flow:old"
INDEXES = ("workflows:all", FINISHED, OLD)


def main() -> None:
    """Measure the rounds, then the deletion by itself, and print one line of results."""
    number, rounds, work_size = [*map(int, sys.argv[1:]), *(100_000, 6, 3000)[len(sys.argv) - 1 :]]
    without: list[Measure] = []
    beside: list[Measure] = []
    with server() as client:
        with roles(client, "0"):
            work(client, 100)
            prune_all(client)
            before = used_memory(client)
            fill(client, number)
        full = used_memory(client)
        planned = len(plan_prune(store_of(client), "1h").ids)
        for round in range(rounds):
            pair = [(without, "0"), (beside, "1h")]
            for measures, retention in pair if round % 2 == 0 else reversed(pair):
                with roles(client, retention):
                    measures.append(Measure(throughput=work(client, work_size)))
                print(f"retention {retention}: {measures[-1].throughput:,.0f} tasks/s", flush=True)
        deleted_beside = number - remaining(client)
        costs = delete_rest(client)
        deleted = number - remaining(client)
        prune_all(client)
        after = used_memory(client)
    spread = ratios(beside, without, lambda measure: measure.throughput)
    print(
        f"speed with retention to without (minimum, median, maximum): {spread}; {deleted_beside:,} deleted "
        f"meanwhile; dry run {planned:,}, deleted {deleted:,}; {costs}; memory {before:,} before, {full:,} "
        f"filled, {after:,} after"
    )


def used_memory(client: redis.Redis) -> int:
    """Return how many bytes the server uses."""
    return int(client.info("memory")["used_memory"])


def remaining(client: redis.Redis) -> int:
    """Return how many of the old workflows are stored."""
    return int(client.zcard(OLD))


def store_of(client: redis.Redis) -> Store:
    """Return the store of lfr on the same server."""
    return open_store(Settings(redis_url=f"redis://127.0.0.1:{port_of(client)}"))


def prune_all(client: redis.Redis) -> None:
    """Delete the workflows of the work, and the one that was copied."""
    store = store_of(client)
    for _ in prune(store, plan_prune(store, 0)):
        pass


@contextmanager
def roles(client: redis.Redis, retention: str) -> Iterator[int]:
    """Run a lifecycle with this `retention.finished`, and a worker; yield the pid of the lifecycle."""
    os.environ["LFR_RETENTION_FINISHED"] = retention
    commands = (("-m", "lfr", "lifecycle"), ("-m", "benchmarks._noop_worker"))
    with processes(client, *commands) as [lifecycle, _]:
        wait_for_roles(client, 2)
        yield lifecycle.pid


def open_client(client: redis.Redis) -> Client:
    """Return a client of lfr for the same server."""
    return Client(f"redis://127.0.0.1:{port_of(client)}")


def port_of(client: redis.Redis) -> int:
    """Return the port of the server."""
    return int(client.connection_pool.connection_kwargs["port"])


def work(client: redis.Redis, size: int) -> float:
    """Run so many workflows to their ends; return tasks a second."""
    lfr = open_client(client)
    begin = time.perf_counter()
    lfr.run_many(WORK_FLOW, [None] * size)
    while client.zcard(RUNNING):
        time.sleep(0.02)
    return size * TASKS / (time.perf_counter() - begin)


def fill(client: redis.Redis, number: int) -> None:
    """Store so many copies of a workflow that has finished, itself among them, as if it had ended a day
    ago."""
    lfr = open_client(client)
    id = lfr.wait(lfr.run(FLOW))["id"]
    now_ms = int(time.time() * 1000)
    client.hset(id, mapping={"started": now_ms - DAY_MS, "ended": now_ms - DAY_MS + 1000})
    suffixes = [key.decode().removeprefix(id) for key in client.scan_iter(match=f"{id}*")]
    texts = {suffix: client.dump(f"{id}{suffix}") for suffix in suffixes}
    digest, text = client.hmget(id, "flow", "text")
    users = [name for name in client.hkeys("flows:refs") if name in (digest, text)]
    for index in INDEXES:
        client.zadd(index, {id: now_ms - DAY_MS})
    for first in range(1, number, 1000):
        with client.pipeline(transaction=False) as pipeline:
            for copy in range(first, min(first + 1000, number)):
                name = f"workflow:old-{copy}"
                for suffix, dump in texts.items():
                    pipeline.restore(f"{name}{suffix}", 0, dump)
                for index in INDEXES:
                    pipeline.zadd(index, {name: now_ms - DAY_MS})
                for user in users:
                    pipeline.hincrby("flows:refs", user, 1)
            pipeline.execute()


def delete_rest(client: redis.Redis) -> str:
    """Let retention delete what remains while nothing else runs; describe what each costs."""
    number, measure = remaining(client), Measure()
    if not number:
        return "nothing remained"
    begin = time.perf_counter()
    with roles(client, "1h") as pid, cpu_and_commands(client, {"lifecycle": pid}, number, measure):
        while remaining(client):
            time.sleep(0.1)
    seconds = time.perf_counter() - begin
    cpu = ", ".join(f"{name} {value:,.0f} µs" for name, value in measure.cpu.items())
    calls = sum(each["calls"] for each in measure.commands.values())
    return f"{number:,} alone in {seconds:,.0f} s, for each: {cpu}, {calls:.1f} commands"


if __name__ == "__main__":
    main()
