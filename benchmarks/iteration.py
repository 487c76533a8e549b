"""Iteration: what does an item cost, and does memory grow with the number of items?

Runs `* A` over 1,000 and over N items (default: 100,000) with a worker that does nothing. Prints the time
per item and the peak memory of the lifecycle and of the server, each against the run with fewer items.
"""

from __future__ import annotations

import sys
import time

import redis

from benchmarks._installation import peak_memory_mib, processes, server, wait_for_roles
from lfr import Client

ROLES = (
    ["-m", "lfr", "lifecycle"],
    ["-m", "lfr", "receipts", "--to", "/dev/null"],
    ["-m", "benchmarks._noop_worker"],
)


def measure(items: int) -> tuple[float, float, float]:
    """Return the seconds per item, and the peak MiB of the lifecycle and of the server's data."""
    with server() as client, processes(client, *ROLES) as roles:
        wait_for_roles(client, 3)
        port = client.connection_pool.connection_kwargs["port"]
        lfr = Client(f"redis://127.0.0.1:{port}")
        start = time.monotonic()
        id = lfr.run("* a", [{"item": number} for number in range(items)])
        peak_mib = 0.0
        while client.hget(id, "state") == b"RUNNING":
            peak_mib = max(peak_mib, used_mib(client))
            time.sleep(0.05)
        seconds = time.monotonic() - start
        assert client.hget(id, "state") == b"FINISHED", client.hgetall(id)
        return seconds / items, peak_memory_mib(roles[0]), peak_mib


def used_mib(client: redis.Redis) -> float:
    """Return the MiB of the server's data now."""
    return float(client.info("memory")["used_memory"]) / 2**20


def main() -> None:
    """Measure few items and many. Print both."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    few_cost, few_role, few_server = measure(1000)
    cost, role, data = measure(many)
    print(
        f"  1,000 items: {1000 * few_cost:.2f} ms each; lifecycle {few_role:.0f}, data {few_server:.1f} MiB"
    )
    print(f"{many:7,} items: {1000 * cost:.2f} ms each; lifecycle {role:.0f}, data {data:.1f} MiB")
    print(f"an item among {many:,} costs {cost / few_cost:.2f} times one among 1,000")


if __name__ == "__main__":
    main()
