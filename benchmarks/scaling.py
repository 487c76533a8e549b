"""Scaling: does a step cost more in a longer chain, or in a wider fan?

The floor of a chain of 10,000 is 1,000 chains of 10, one after the other: a step takes at most 1.3 times as
long. The floor of a fan of 5,000 is a fan of 500: a task takes at most 1.3 times as long.
"""

from __future__ import annotations

import time

from benchmarks._installation import processes, server, wait_for_roles
from lfr import Client


def chain(length: int) -> str:
    """Return a flow of tasks one after the other."""
    return " -> ".join(["task"] * length)


def fan(width: int) -> str:
    """Return a flow of one task, then `width` tasks side by side, then one."""
    return "task -> { " + " ".join(["task"] * width) + " } -> task"


def microseconds(lfr: Client, text: str, tasks: int, times: int = 1) -> float:
    """Run a flow several times, one after the other. Return the microseconds per task."""
    begin = time.perf_counter()
    for _ in range(times):
        last = lfr.run(text)
        for _event in lfr.follow(last):
            pass
    return (time.perf_counter() - begin) / tasks / times * 1e6


def main() -> None:
    """Measure each size after its floor."""
    with server() as client:
        port = client.connection_pool.connection_kwargs["port"]
        lfr = Client(f"redis://127.0.0.1:{port}")
        with processes(client, ["-m", "lfr", "lifecycle"], ["-m", "benchmarks._noop_worker"]):
            wait_for_roles(client, 2)
            lfr.wait(lfr.run(chain(10)))
            short = microseconds(lfr, chain(10), 10, times=1000)
            print(f"chain of     10 x 1,000  {short:8.1f} us a step")
            for length in (1000, 10_000):
                long = microseconds(lfr, chain(length), length)
                times = f"chain of {length:6,}          {long:8.1f} us a step"
                print(f"{times}   ratio {long / short:.2f}  (at most 1.3)", flush=True)
            narrow = microseconds(lfr, fan(500), 502, times=10)
            print(f"fan of      500 x 10     {narrow:8.1f} us a task")
            for width in (1000, 5000):
                wide = microseconds(lfr, fan(width), width + 2)
                times = f"fan of   {width:6,}          {wide:8.1f} us a task"
                print(f"{times}   ratio {wide / narrow:.2f}  (at most 1.3)", flush=True)


if __name__ == "__main__":
    main()
