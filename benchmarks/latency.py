"""Latency: a chain of 20 no-op tasks alone, warm, and again after half a minute without work.

The floor is a ping-pong of two unbatched stream hops in the same run. A step takes at most 4 floors.
"""

from __future__ import annotations

import statistics
import time

import redis

from benchmarks import _floor
from benchmarks._installation import processes, server, wait_for_roles
from lfr import Client

STEPS = 20
FLOW = " -> ".join(["task"] * STEPS)
IDLE_SECONDS = 30


def floor(client: redis.Redis) -> float:
    """Return the milliseconds of two hops of the floor."""
    _floor.prepare(client)
    with processes(client, ["-m", "benchmarks._floor", "1"]):
        _floor.bounce(client, 200, 1)
        begin = time.perf_counter()
        _floor.bounce(client, 2000, 1)
        return (time.perf_counter() - begin) / 2000 * 1000


def step_milliseconds(lfr: Client) -> float:
    """Return the milliseconds per step of one chain, from its start until the client sees its end."""
    begin = time.perf_counter()
    lfr.wait(lfr.run(FLOW))
    return (time.perf_counter() - begin) / STEPS * 1000


def main() -> None:
    """Measure twenty warm chains and one after idleness, each against the floor."""
    with server() as client:
        port = client.connection_pool.connection_kwargs["port"]
        lfr = Client(f"redis://127.0.0.1:{port}")
        base = floor(client)
        with processes(client, ["-m", "lfr", "lifecycle"], ["-m", "benchmarks._noop_worker"]):
            wait_for_roles(client, 2)
            step_milliseconds(lfr)
            warm = sorted(step_milliseconds(lfr) for _ in range(20))
            time.sleep(IDLE_SECONDS)
            idle = step_milliseconds(lfr)
        for name, value in (("warm", statistics.median(warm)), ("worst", warm[-1]), ("after idle", idle)):
            times = f"{name:10} {value:6.2f} ms a step   floor {base:.2f} ms"
            print(f"{times}   ratio {value / base:.2f}  (at most 4)", flush=True)


if __name__ == "__main__":
    main()
