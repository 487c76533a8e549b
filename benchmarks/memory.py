"""Memory: what does a finished workflow take in Redis, and each role at its peak?

    build.py bench memory [WORKFLOWS]

Runs chains of ten no-op tasks (2,000 by default) and waits until no stream is written any more. What a
workflow takes is the growth of Redis' memory without that of the streams that all workflows share.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict

import redis

from benchmarks._installation import peak_memory_mib, processes, server, shared_streams, wait_for_roles
from benchmarks._measures import wait_until_quiet
from lfr import Client

TASKS = 10
FLOW = " -> ".join(["task"] * TASKS)
SAMPLES = 200


def main() -> None:
    """Run the workflows; print the memory of each and where it goes, and that of the roles."""
    workflows = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    roles = (["-m", "lfr", "lifecycle"], ["-m", "lfr", "receipts"], ["-m", "benchmarks._noop_worker"])
    with server() as client:
        port = client.connection_pool.connection_kwargs["port"]
        lfr = Client(f"redis://127.0.0.1:{port}")
        with processes(client, *roles) as started:
            wait_for_roles(client, 3)
            lfr.wait(lfr.run(FLOW))
            wait_until_quiet(client)
            before = used_bytes(client)
            ids = [lfr.run(FLOW) for _ in range(workflows)]
            for id in ids:
                lfr.wait(id)
            wait_until_quiet(client)
            each = (used_bytes(client) - before) / workflows
            print(f"Redis      {each / 1024:6.2f} KiB a finished workflow of {TASKS} tasks; of its keys:")
            for name, size in key_sizes(client, ids[:: max(1, workflows // SAMPLES)]).items():
                print(f"           {size:6.0f} bytes  {name}")
            left = {name: client.xlen(name) for name in shared_streams(client)}
            print(f"streams    {', '.join(f'{name} {length:,}' for name, length in left.items())} entries")
            for name, process in zip(("lifecycle", "receipts", "worker"), started, strict=True):
                print(f"{name:10} {peak_memory_mib(process):6.1f} MiB at its peak")


def used_bytes(client: redis.Redis) -> int:
    """Return the bytes of Redis' data without the streams that workflows share. (INFO, MEMORY USAGE)"""
    streams = sum(shared_streams(client).values())
    return int(client.info("memory")["used_memory"]) - streams


def key_sizes(client: redis.Redis, ids: list[str]) -> dict[str, float]:
    """Return the mean size in bytes of the keys of workflows, by what follows the id in their name."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for id in ids:
        for key in client.scan_iter(match=f"{id}*", count=100_000):
            name = key.decode().removeprefix(id)
            sizes[f"W{name}"].append(int(client.memory_usage(key, samples=0) or 0))
    return {name: statistics.fmean(values) for name, values in sorted(sizes.items())}


if __name__ == "__main__":
    main()
