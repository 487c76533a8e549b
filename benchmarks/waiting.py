"""Measures many waits at once; checks that each ends once and none too early while wait roles are killed.

    python -m benchmarks.waiting [WAITS] [ROLES]

Starts WAITS workflows (default 100,000), each with one delay and one wait for an event with the workflow's
number. Kills one wait role (of ROLES, default 1) while the waits start and one while they end, both with
SIGKILL. Checks the history of each workflow. Then measures how late 2,000 delays end on an idle machine.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

import redis

from benchmarks._installation import peak_memory_mib, processes, server, wait_for_roles
from lfr import Client
from lfr.config.load import load_settings
from lfr.operations.inspect.workflow import list_history
from lfr.store.redis.connection import open_store

FLOW = """
{ wait:delay (- until: "{input[due]}" -)
  wait:event (- {event: answer, match: {number: "{input[number]}"}} -) }
"""
WAIT = ["-m", "lfr", "wait"]
HZ = ("--hz", "100")
"""As in the Valkey of an installation: the server ends timed-out reads so many times a second."""

DELAY, EVENT = 2, 3
WAITS = {DELAY, EVENT}
"""The indexes of the waits among the steps of FLOW."""


class WaitRoles:
    """The processes of the wait role."""

    def __init__(self, client: redis.Redis, stack: ExitStack, count: int) -> None:
        self._start: Callable[[], list[subprocess.Popen[bytes]]] = lambda: stack.enter_context(
            processes(client, WAIT)
        )
        self._processes = [process for _ in range(count) for process in self._start()]
        self._peaks: list[float] = []

    def kill_one(self) -> None:
        """Kill the oldest process with SIGKILL and start another."""
        victim = self._processes.pop(0)
        self._peaks.append(peak_memory_mib(victim))
        victim.kill()
        victim.wait()
        self._processes += self._start()

    def peak_mib(self) -> float:
        """Return the peak memory of the largest process so far."""
        return max([*self._peaks, *map(peak_memory_mib, self._processes)])


def main() -> None:
    """Measure, check and print."""
    waits = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    roles = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with server(*HZ) as client:
        many(client, waits, roles)
    with server(*HZ) as client:
        lateness(client)


def many(client: redis.Redis, waits: int, count: int) -> None:
    """Start the waits and end them; kill one role during each."""
    with ExitStack() as stack:
        stack.enter_context(processes(client, ["-m", "lfr", "lifecycle"]))
        roles = WaitRoles(client, stack, count)
        wait_for_roles(client, 2)
        spread = max(10.0, waits / 2000)
        first_due = time.time() + waits / 250 + 10
        dues = start(client, waits, first_due, spread, roles)
        until(lambda: client.zcard("waits:timers") + ended(client) >= waits)
        until(lambda: int(client.hvals("waits:counts:answer")[0]) == waits)
        print(
            f"{waits:,} delays and {waits:,} event waits are stored, {first_due - time.time():.0f} s early:"
        )
        data = client.info("memory")["used_memory"] / 2**20
        length, connections = client.xlen("workflows:run"), len(client.client_list())
        print(f"  Redis {data:,.0f} MiB with the stream of {length:,}")
        print(f"  wait role {roles.peak_mib():.0f} MiB at most; {connections} connections in all")
        began = time.monotonic()
        answer(client, waits, roles)
        until(lambda: int(client.hvals("waits:counts:answer")[0]) == 0)
        print(f"  all events have completed their waits after {time.monotonic() - began:.1f} s")
        until(lambda: client.zcard("workflows:state:FINISHED") == waits)
        print(f"  wait role {roles.peak_mib():.0f} MiB at most")
    check(client, dues)


def start(
    client: redis.Redis, waits: int, first_due: float, spread: float, roles: WaitRoles
) -> dict[str, float]:
    """Start the workflows; kill one role halfway. Return when each delay is due, by the workflow's id."""
    lfr = Client(url(client))
    dues: dict[str, float] = {}
    for number in range(waits):
        due = round(first_due + random.uniform(0, spread), 3)
        due_text = datetime.fromtimestamp(due, UTC).isoformat(timespec="milliseconds")
        dues[lfr.run(FLOW, {"number": number, "due": due_text})] = due
        if number == waits // 2:
            roles.kill_one()
    return dues


def answer(client: redis.Redis, waits: int, roles: WaitRoles) -> None:
    """Append the events in random order; kill one role halfway."""
    numbers = random.sample(range(waits), waits)
    for start in range(0, waits, 1000):
        pipeline = client.pipeline(transaction=False)
        for number in numbers[start : start + 1000]:
            pipeline.xadd("workflows:run", {"kind": '"answer"', "number": str(number)})
        pipeline.execute()
        if start == waits // 2000 * 1000:
            roles.kill_one()


def check(client: redis.Redis, dues: dict[str, float]) -> None:
    """Exit with an error unless, by the history of each workflow, each wait ended once and no delay early."""
    store = open_store(load_settings({"redis_url": url(client)}))
    ends = twice = early = 0
    late: list[float] = []
    for workflow, due in dues.items():
        facts = [fact for fact in list_history(store, workflow) if fact["event"] == "ended"]
        counts = Counter(fact["index"] for fact in facts)
        ends += len(counts.keys() & WAITS)
        twice += sum(count > 1 for count in counts.values())
        late += [to_seconds(fact["at"]) - due for fact in facts if fact["index"] == DELAY]
        early += late[-1] < 0
    print(f"  {ends:,} waits of {2 * len(dues):,} have ended, {twice} twice, {early} delays early")
    print(f"  delays: {percentiles(late)}")
    if ends < 2 * len(dues) or twice or early:
        raise SystemExit("not every wait has ended once and in time")


def lateness(client: redis.Redis) -> None:
    """Measure 2,000 delays over 20 seconds, with nothing else to do."""
    with processes(client, ["-m", "lfr", "lifecycle"], WAIT):
        wait_for_roles(client, 2)
        lfr = Client(url(client))
        first_due = time.time() + 10
        dues: dict[str, float] = {}
        for _ in range(2000):
            due = round(first_due + random.uniform(0, 20), 3)
            due_text = datetime.fromtimestamp(due, UTC).isoformat(timespec="milliseconds")
            dues[lfr.run('wait:delay (- until: "{input[due]}" -)', {"due": due_text})] = due
        until(lambda: client.zcard("workflows:state:FINISHED") == len(dues))
        late = [
            int(client.hget(id, "ended")) / 1000 - due  # type: ignore[arg-type]  # redis-py's awaitables
            for id, due in dues.items()
        ]
    print(f"2,000 delays by themselves, to the end of the workflow: {percentiles(late)}")


def url(client: redis.Redis) -> str:
    """Return the address of the server."""
    return f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}"


def to_seconds(at: str) -> float:
    """Return the seconds since the epoch of a time in ISO 8601."""
    return datetime.fromisoformat(at).timestamp()


def ended(client: redis.Redis) -> int:
    return int(client.zcard("workflows:state:FINISHED"))


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; exit with an error after 15 minutes."""
    deadline = time.monotonic() + 900
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("it takes more than 15 minutes")
        time.sleep(0.1)


def percentiles(late: list[float]) -> str:
    """Describe how late delays ended, given in seconds."""
    late.sort()
    half, most, worst = (round(1000 * late[int((len(late) - 1) * part)]) for part in (0.5, 0.95, 1))
    return f"half within {half} ms, 95 % within {most} ms, all within {worst} ms of their time"


if __name__ == "__main__":
    main()
