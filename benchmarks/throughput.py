"""Throughput: 2,000 workflows of ten no-op tasks; one lifecycle, one no-op worker, receipts on.

Counted from the first start to the last end. The floor is the same number of raw stream hops, two a
task, in batches of 500, in the same run on the same server.
"""

from __future__ import annotations

import sys
import time

import redis

from benchmarks import _floor
from benchmarks._installation import processes, server, wait_for_groups
from lfr import Client

TASKS = 10
FLOW = " -> ".join(["task"] * TASKS)


def floor(client: redis.Redis, tasks: int) -> float:
    """Tasks a second of the floor."""
    _floor.prepare(client)
    with processes(client, ["-m", "benchmarks._floor", "500"]):
        _floor.bounce(client, 1000, 500)  # until the other process is there
        begun = time.perf_counter()
        _floor.bounce(client, tasks, 500)
        return tasks / (time.perf_counter() - begun)


def engine(client: redis.Redis, workflows: int) -> float:
    """Tasks a second of the engine."""
    client.flushall()
    port = client.connection_pool.connection_kwargs["port"]
    roles = (["-m", "lfr", "lifecycle"], ["-m", "lfr", "receipts"], ["-m", "benchmarks._noop_worker"])
    with processes(client, *roles):
        wait_for_groups(client, 3)
        lfr = Client(f"redis://127.0.0.1:{port}")
        lfr.wait(lfr.run(FLOW))
        begun = time.perf_counter()
        for _ in range(workflows):
            lfr.run(FLOW)
        while client.zcard("workflows:state:FINISHED") <= workflows:
            time.sleep(0.01)
        return workflows * TASKS / (time.perf_counter() - begun)


def main() -> None:
    """Three pairs of runs; the ratio of each."""
    workflows = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with server() as client:
        for _ in range(3):
            base = floor(client, workflows * TASKS)
            ours = engine(client, workflows)
            told = f"floor {base:8.0f} tasks/s   lfr {ours:8.0f} tasks/s"
            print(f"{told}   ratio {ours / base:.3f}  (at least 0.20)", flush=True)


if __name__ == "__main__":
    main()
