"""A lean worker that uses only the protocol of docs/workers.md and redis-py: _bus_worker.py PORT.

It completes the tasks of a batch in one transaction. Works with every version of lfr.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

import redis

STREAM, GROUP, BATCH = "workflows:run", "bus-worker", 500
ECHOED = (b"workflow", b"name", b"index", b"attempt")


def main() -> None:
    """Complete tasks for ever, each with its input."""
    client = redis.Redis(port=int(sys.argv[1]), protocol=2)
    with suppress(redis.ResponseError):  # the group exists
        client.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    other_ids: list[bytes] = []
    while True:
        pipeline = client.pipeline(transaction=False)
        if other_ids:
            pipeline.xack(STREAM, GROUP, *other_ids)
        pipeline.xreadgroup(GROUP, "consumer", {STREAM: ">"}, count=BATCH, block=1000)
        reply = pipeline.execute()[-1]
        entries = reply[0][1] if reply else []
        tasks = [(id, fields) for id, fields in entries if fields.get(b"kind") == b'"start-task"']
        complete(client, tasks)
        task_ids = {id for id, _ in tasks}
        other_ids = [id for id, _ in entries if id not in task_ids]


def complete(client: redis.Redis, tasks: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
    """Append the end-tasks and receipts, and acknowledge the start-tasks, in one transaction."""
    if not tasks:
        return
    at = json.dumps(datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"))
    pipeline = client.pipeline(transaction=True)
    for id, fields in tasks:
        echoed = {name: fields[name] for name in ECHOED}
        end = {"kind": '"end-task"', "apiVersion": '"v1"', "at": at, "status": '"SUCCESS"'}
        pipeline.xadd(STREAM, {**end, **echoed, "output": fields[b"input"]})
        receipt = {"kind": '"receipt"', "apiVersion": '"v1"', "at": at, "action": '"processed"'}
        pipeline.xadd(STREAM, {**receipt, "for": json.dumps(id.decode())})
    pipeline.xack(STREAM, GROUP, *(id for id, _ in tasks))
    pipeline.execute()


if __name__ == "__main__":
    main()
