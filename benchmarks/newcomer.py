"""Newcomer: how soon does a new worker group do its first task, however much the bus holds?

    build.py bench newcomer [ENTRIES]

Starts a workflow, appends user events to the bus (500,000 by default), starts another workflow, and only then
the first `lfr tasks` of a new group. Counts from the start of its process to the end of each workflow; then a
third workflow, from its own start. The floor is the same on an empty bus: most of it is the start of Python.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import redis

from benchmarks._installation import processes, server, wait_for_roles
from lfr import Client

BUS = "workflows:run"
PAGE = 5000
LONGEST_SECONDS = 600.0
TASKS_FILE = str(Path(__file__).with_name("_noop_tasks.py"))


def main() -> None:
    """Measure the empty bus, then the full one; print both."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    for count in (0, entries):
        first, second, third = measure(count)
        ends = f"a task from before them ended after {first:.2f} s, one from after them after {second:.2f} s"
        print(f"{count:9,} entries: {ends}; the next one took {1000 * third:.1f} ms", flush=True)


def measure(entries: int) -> tuple[float, float, float]:
    """Return the seconds until each of the three workflows has ended."""
    with server() as client, processes(client, ("-m", "lfr", "lifecycle")):
        wait_for_roles(client, 1)
        lfr = Client(f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}")
        waiting = [lfr.run("task")]
        fill(client, entries)
        waiting.append(lfr.run("task"))
        wait_until_read(client)
        begin = time.perf_counter()
        with processes(client, ("-m", "lfr", "tasks", TASKS_FILE)):
            ended: list[float] = []
            for id in waiting:
                lfr.wait(id, timeout=LONGEST_SECONDS)
                ended.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            lfr.wait(lfr.run("task"))
            return ended[0], ended[1], time.perf_counter() - begin


def fill(client: redis.Redis, entries: int) -> None:
    """Append so many user events. (XADD)"""
    for start in range(0, entries, PAGE):
        pipeline = client.pipeline(transaction=False)
        for number in range(start, min(entries, start + PAGE)):
            pipeline.xadd(BUS, {"kind": '"note"', "number": number, "text": '"nothing waits for this"'})
        pipeline.execute()


def wait_until_read(client: redis.Redis) -> None:
    """Wait until the lifecycle has read the whole bus."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while any(group["lag"] or group["pending"] for group in client.xinfo_groups(BUS)):
        if time.monotonic() > deadline:
            raise SystemExit("the lifecycle has not read the bus within ten minutes")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
