"""Retention: does work go on as fast while 100,000 old workflows are deleted, and does the memory come back?

    build.py bench retention [WORKFLOWS] [ROUNDS]

Each round runs the same work twice, each time beside so many workflows that ended a day ago: once without
retention, once while a lifecycle deletes them. At last they are deleted without any work: what one costs, and
what is left of their memory. A dry run of `lfr prune` must have counted as many as are deleted.
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
from lfr.operations.prune import plan_prune
from lfr.store.redis.connection import open_store

FLOW = "@flow old\n" + " -> ".join(["task"] * 5)
WORK, TASKS = 300, 10
WORK_FLOW = "@flow work\n" + " -> ".join(["task"] * TASKS)
DAY_MS = 86_400_000
FINISHED = "workflows:state:FINISHED"


def main() -> None:
    """Measure the rounds, then the deletion by itself."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    without: list[Measure] = []
    beside: list[Measure] = []
    for _ in range(rounds):
        for measures, retention in ((without, "0"), (beside, "1h")):
            with filled(number) as client, roles(client, retention):
                before = client.zcard(FINISHED)
                speed = work(client)
                deleted = before + WORK - client.zcard(FINISHED)
                measures.append(Measure(throughput=speed))
                print(
                    f"retention {retention}: {speed:,.0f} tasks/s, {deleted:,} deleted meanwhile", flush=True
                )
    spread = ratios(beside, without, lambda measure: measure.throughput)
    print(f"ratio of the speed, with retention to without (minimum, median, maximum): {spread}")
    print(delete_alone(number))


@contextmanager
def filled(number: int) -> Iterator[redis.Redis]:
    """Start a server with so many workflows that have ended a day ago."""
    with server() as client:
        with roles(client, "0"):
            fill(client, number)
        yield client


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
    return Client(f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}")


def work(client: redis.Redis) -> float:
    """Run workflows to their ends; return tasks a second."""
    lfr = open_client(client)
    begin = time.perf_counter()
    ids = [lfr.run(WORK_FLOW) for _ in range(WORK)]
    while any(state != b"FINISHED" for state in states(client, ids)):
        time.sleep(0.02)
    return WORK * TASKS / (time.perf_counter() - begin)


def states(client: redis.Redis, ids: list[str]) -> list[bytes | None]:
    """Return the states of workflows."""
    with client.pipeline(transaction=False) as pipeline:
        for id in ids:
            pipeline.hget(id, "state")
        return pipeline.execute()


def fill(client: redis.Redis, number: int) -> None:
    """Copy a workflow that has finished so often, as if it had ended a day ago."""
    lfr = open_client(client)
    id = lfr.wait(lfr.run(FLOW))["id"]
    now_ms = int(time.time() * 1000)
    client.hset(id, mapping={"started": now_ms - DAY_MS, "ended": now_ms - DAY_MS + 1000})
    suffixes = [key.decode().removeprefix(id) for key in client.scan_iter(match=f"{id}*")]
    texts = {suffix: client.dump(f"{id}{suffix}") for suffix in suffixes}
    digest, text = client.hmget(id, "flow", "text")
    users = [name for name in client.hkeys("flows:refs") if name in (digest, text)]
    for first in range(0, number, 1000):
        with client.pipeline(transaction=False) as pipeline:
            for copy in range(first, min(first + 1000, number)):
                name = f"workflow:old-{copy}"
                for suffix, dump in texts.items():
                    pipeline.restore(f"{name}{suffix}", 0, dump)
                for index in ("workflows:all", FINISHED, "workflows:flow:old"):
                    pipeline.zadd(index, {name: now_ms - DAY_MS})
                for user in users:
                    pipeline.hincrby("flows:refs", user, 1)
            pipeline.execute()


def delete_alone(number: int) -> str:
    """Let retention delete the workflows while nothing else runs; describe the costs, and what stays."""
    with filled(0) as client:
        before = client.info("memory")["used_memory"]
        with roles(client, "0"):
            fill(client, number)
        full, total = client.info("memory")["used_memory"], client.zcard(FINISHED)
        port = client.connection_pool.connection_kwargs["port"]
        plan = plan_prune(open_store(Settings(redis_url=f"redis://127.0.0.1:{port}")), "1h")
        measure = Measure()
        begin = time.perf_counter()
        with roles(client, "1h") as pid, cpu_and_commands(client, {"lifecycle": pid}, number, measure):
            while client.zcard(FINISHED) > total - len(plan.ids):
                time.sleep(0.1)
        seconds = time.perf_counter() - begin
        deleted = total - client.zcard(FINISHED)
        after = client.info("memory")["used_memory"]
        cpu = ", ".join(f"{name} {value:,.0f} µs" for name, value in measure.cpu.items())
        calls = sum(each["calls"] for each in measure.commands.values())
        return (
            f"a dry run counts {len(plan.ids):,} (about {plan.bytes or 0:,} bytes), {deleted:,} are deleted "
            f"in {seconds:,.0f} s; CPU for each: {cpu}; {calls:.1f} commands; memory {before:,} before, "
            f"{full:,} filled, {after:,} after"
        )


if __name__ == "__main__":
    main()
