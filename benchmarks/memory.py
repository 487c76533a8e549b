"""Memory: what does a finished workflow take in Redis, and each role at its peak?"""

from __future__ import annotations

import time

from benchmarks._installation import peak_memory_mib, processes, server, wait_for_groups
from lfr import Client

TASKS = 10
WORKFLOWS = 2000


def main() -> None:
    """Run chains of ten. Ask Redis for its memory once the receipts role has cleared the stream."""
    roles = (["-m", "lfr", "lifecycle"], ["-m", "lfr", "receipts"], ["-m", "benchmarks._noop_worker"])
    with server() as client:
        port = client.connection_pool.connection_kwargs["port"]
        lfr = Client(f"redis://127.0.0.1:{port}")
        with processes(client, *roles) as started:
            wait_for_groups(client, 3)
            lfr.wait(lfr.run(" -> ".join(["task"] * TASKS)))
            before = client.info("memory")["used_memory"]
            for _ in range(WORKFLOWS):
                lfr.run(" -> ".join(["task"] * TASKS))
            while client.zcard("workflows:state:FINISHED") <= WORKFLOWS or client.xlen("workflows:run"):
                time.sleep(0.05)
            bytes_each = (client.info("memory")["used_memory"] - before) / WORKFLOWS
            print(f"Redis      {bytes_each / 1024:6.2f} KiB a finished workflow of {TASKS} tasks")
            for name, process in zip(("lifecycle", "receipts", "worker"), started, strict=True):
                print(f"{name:10} {peak_memory_mib(process):6.1f} MiB at its peak")


if __name__ == "__main__":
    main()
