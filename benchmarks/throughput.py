"""Throughput: 2,000 workflows of ten no-op tasks; one lifecycle, one no-op worker, receipts on.

The time counts from the first start to the last end. The floor is the same number of tasks as raw stream
hops, two for each task, in batches of 500, in the same run on the same server. Events of three fields are the
floor that counts; events of the ten fields of a start-task show what the size of events costs.
"""

from __future__ import annotations

import statistics
import sys
import time

import redis

from benchmarks import _floor
from benchmarks._installation import processes, server, wait_for_roles
from lfr import Client

TASKS = 10
FLOW = " -> ".join(["task"] * TASKS)


def floor(client: redis.Redis, tasks: int, *, full: bool = False) -> float:
    """Return the tasks per second of the floor."""
    _floor.prepare(client)
    event = _floor.FULL if full else _floor.BARE
    with processes(client, ["-m", "benchmarks._floor", "500", *(["full"] if full else [])]):
        _floor.bounce(client, 1000, 500, event)  # until the other process runs
        begin = time.perf_counter()
        _floor.bounce(client, tasks, 500, event)
        return tasks / (time.perf_counter() - begin)


def engine(client: redis.Redis, workflows: int) -> float:
    """Return the tasks per second of the engine."""
    client.flushall()
    port = client.connection_pool.connection_kwargs["port"]
    roles = (["-m", "lfr", "lifecycle"], ["-m", "lfr", "receipts"], ["-m", "benchmarks._noop_worker"])
    with processes(client, *roles):
        wait_for_roles(client, 3)
        lfr = Client(f"redis://127.0.0.1:{port}")
        lfr.wait(lfr.run(FLOW))
        begin = time.perf_counter()
        for _ in range(workflows):
            lfr.run(FLOW)
        while client.zcard("workflows:state:FINISHED") <= workflows:
            time.sleep(0.01)
        return workflows * TASKS / (time.perf_counter() - begin)


def main() -> None:
    """Measure five rounds, each with a floor before and after the engine. Print ratios and medians."""
    workflows = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    tasks = workflows * TASKS
    ratios: list[float] = []
    full_ratios: list[float] = []
    with server() as client:
        for _ in range(5):
            before = floor(client, tasks)
            tasks_per_second = engine(client, workflows)
            after = floor(client, tasks)
            full = floor(client, tasks, full=True)
            ratios.append(tasks_per_second / ((before + after) / 2))
            full_ratios.append(tasks_per_second / full)
            speeds = f"floor {before:6.0f}, {after:6.0f} tasks/s   lfr {tasks_per_second:6.0f} tasks/s"
            print(f"{speeds}   ratio {ratios[-1]:.3f}", end="   ")
            print(f"with ten fields: floor {full:6.0f}, ratio {full_ratios[-1]:.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f} (at least 0.20)", end="   ")
    print(f"with ten fields {statistics.median(full_ratios):.3f}")


if __name__ == "__main__":
    main()
