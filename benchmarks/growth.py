"""Growth: what do the streams hold while 100,000 tasks are done, and afterwards?

    build.py bench growth [TASKS]

Four times, each on a fresh server: with a lifecycle alone; with a receipts role; beside a group of
`lfr tasks` that was killed just before; and beside a foreign consumer group that has read once and never
again. Only the workflows themselves should stay. For the foreign group the bus keeps what it has not read for
as long as `receipts.forget` says, an hour by default.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import redis

from benchmarks._installation import processes, server, shared_streams, wait_for_roles
from benchmarks._measures import wait_until_quiet
from lfr import Client

TASKS = 10
FLOW = " -> ".join(["task"] * TASKS)
BUS = "workflows:run"
LIFECYCLE, RECEIPTS = ("-m", "lfr", "lifecycle"), ("-m", "lfr", "receipts")
WORKER = ("-m", "benchmarks._noop_worker")


def main() -> None:
    """Measure the four installations and print what each leaves."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name, roles, gone in (
        ("a lifecycle alone", (LIFECYCLE,), None),
        ("with a receipts role", (LIFECYCLE, RECEIPTS), None),
        ("beside a worker group that is gone", (LIFECYCLE,), kill_worker_group),
        ("beside a foreign group that is gone", (LIFECYCLE,), leave_foreign_group),
    ):
        with server() as client, processes(client, *roles, WORKER):
            wait_for_roles(client, len(roles) + 1)
            if gone:
                gone(client)
            print(f"{name}: {measure(client, tasks // TASKS)}", flush=True)


def measure(client: redis.Redis, workflows: int) -> str:
    """Run the workflows; describe the streams at their longest, and in the end with their memory."""
    lfr = Client(f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}")
    lfr.wait(lfr.run(FLOW))
    target = client.zcard("workflows:state:FINISHED") + workflows
    longest = 0
    begin = time.perf_counter()
    for number in range(workflows):
        lfr.run(FLOW)
        if number % 100 == 0:
            longest = max(longest, total_length(client))
    while client.zcard("workflows:state:FINISHED") < target:
        longest = max(longest, total_length(client))
        time.sleep(0.05)
    seconds = time.perf_counter() - begin
    wait_until_quiet(client)
    remaining = {name: (client.xlen(name), size) for name, size in shared_streams(client).items()}
    streams = ", ".join(
        f"{name} {length:,} ({size / 1024:,.0f} KiB)" for name, (length, size) in remaining.items()
    )
    speed = f"{workflows * TASKS / seconds:,.0f} tasks/s; at most {longest:,} entries on all streams"
    return f"{speed}; in the end {streams or 'no stream'}; other keys {other_kib(client):,.0f} KiB"


def total_length(client: redis.Redis) -> int:
    """Return how many entries the shared streams hold."""
    return sum(client.xlen(name) for name in shared_streams(client, sizes=False))


def other_kib(client: redis.Redis) -> float:
    """Return the KiB of all keys that are neither a workflow's nor a stream nor a list of workflows."""
    streams = set(shared_streams(client, sizes=False))
    patterns = ("workflows:*", "receipts:*", "waits:*")
    names = {key.decode() for pattern in patterns for key in client.scan_iter(match=pattern)} - streams
    others = [name for name in names if not name.startswith(("workflows:state:", "workflows:all"))]
    return sum(client.memory_usage(name, samples=0) or 0 for name in others) / 1024


def kill_worker_group(client: redis.Redis) -> None:
    """Start `lfr tasks` with a task of its own, let it do one, and kill it."""
    lfr = Client(f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "other.py")
        path.write_text('from lfr import task\n\n@task("other:task")\ndef run(input):\n    return input\n')
        with processes(client, ("-m", "lfr", "tasks", str(path))) as [process]:
            lfr.wait(lfr.run("other:task"))
            process.kill()


def leave_foreign_group(client: redis.Redis) -> None:
    """Create a consumer group on the bus that reads what there is, once."""
    client.xgroup_create(BUS, "foreign", "0", mkstream=True)
    client.xreadgroup("foreign", "consumer", {BUS: ">"}, count=1000)


if __name__ == "__main__":
    main()
