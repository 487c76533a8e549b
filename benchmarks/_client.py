"""Starts workflows and prints the seconds that they take: _client.py PORT. The same as bullmq/client.mjs.

Prints "ready" after a first chain. Then each line on stdin names a workload, and its seconds are printed as a
JSON list:

    throughput N   N chains of ten tasks, from the first start to the last end
    chain N        N chains of twenty tasks, one after the other
    fan N TURNS    so many times: one task, then N tasks, then one

Uses only what lfr promises to Python programs, so it works with the modules of an older file, too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import redis

from lfr import Client

CHAIN = " -> ".join(["task"] * 10)
LONG_CHAIN = " -> ".join(["task"] * 20)
BULK = 100
POLL_SECONDS = 0.005
LONGEST_SECONDS = 600.0


def main() -> None:
    """Do what the lines on stdin say."""
    port = int(sys.argv[1])
    lfr = Client(f"redis://127.0.0.1:{port}")
    server = redis.Redis(port=port, protocol=2)

    def run(flow_text: str) -> None:
        lfr.wait(lfr.run(flow_text))

    def start_chains(number: int) -> None:
        if hasattr(lfr, "run_many"):
            lfr.run_many(CHAIN, [None] * number)
        else:  # of an older file
            for _ in range(number):
                lfr.run(CHAIN)

    def throughput(number: int) -> None:
        target = int(server.zcard("workflows:state:FINISHED")) + number
        for start in range(0, number, BULK):
            start_chains(min(BULK, number - start))
        deadline = time.monotonic() + LONGEST_SECONDS
        while server.zcard("workflows:state:FINISHED") < target:
            if server.zcard("workflows:state:FAILED") or time.monotonic() > deadline:
                raise SystemExit("a workflow has failed, or has not ended after ten minutes")
            time.sleep(POLL_SECONDS)

    def measure(workload: str, number: int, turns: int = 1) -> list[float]:
        if workload == "throughput":
            return [seconds(lambda: throughput(number))]
        if workload == "chain":
            return [seconds(lambda: run(LONG_CHAIN)) for _ in range(number)]
        fan = "task -> {" + ";".join(["task"] * number) + "} -> task"
        return [seconds(lambda: run(fan)) for _ in range(turns)]

    run(CHAIN)
    print("ready", flush=True)
    for line in sys.stdin:
        workload, *numbers = line.split()
        print(json.dumps(measure(workload, *map(int, numbers))), flush=True)


def seconds(work: Callable[[], None]) -> float:
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
