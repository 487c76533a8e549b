"""Throughput, latency and fan beside BullMQ, in alternating rounds of one run.

Throughput: chains of ten no-op tasks, started at once. Latency: chains of twenty, one after the other. Fan:
one task, then 1,000 side by side, then one. Each round runs every system on the same server. Ratios compare
with BullMQ at the same concurrency; more is faster. CPU is for one task, of each process; the client that
starts workflows does not count. Arguments: the number of rounds (5) and of chains (2,000).

BullMQ and its locked packages come from npm, see `benchmarks/bullmq/`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from benchmarks._installation import processes, server, wait_for_groups
from lfr import Client

LIFECYCLE = ("-m", "lfr", "lifecycle")
RECEIPTS = ("-m", "lfr", "receipts")
LEAN_WORKER = ("-m", "benchmarks._noop_worker")
TASKS_FILE = str(Path(__file__).with_name("_noop_tasks.py"))
OTHER_ROLES = (*(("-m", "lfr", role) for role in ("wait", "request", "redis", "resource")),)
WEB_ROLES = (*(("-m", "lfr", role, "127.0.0.1:0") for role in ("api", "console")),)

CHAIN, LONG_CHAIN, FAN = 10, 20, 1000
TURNS = 10
"""How many long chains a round measures."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What one round measures: tasks per second, ms per step of a chain, seconds of a fan, CPU per task in us
    by process."""

    throughput: float
    latency: float
    fan: float
    cpu: dict[str, float]


def _worker(concurrency: int) -> tuple[str, ...]:
    return ("-m", "lfr", "tasks", TASKS_FILE, "--concurrency", str(concurrency))


SYSTEMS: dict[str, tuple[Sequence[Sequence[str]], int]] = {
    "lfr, lean worker": ((LIFECYCLE, RECEIPTS, LEAN_WORKER), 50),
    "lfr tasks, 1": ((LIFECYCLE, RECEIPTS, _worker(1)), 1),
    "lfr tasks, 50": ((LIFECYCLE, RECEIPTS, _worker(50)), 50),
    "lfr tasks, 1, all roles": ((LIFECYCLE, RECEIPTS, _worker(1), *OTHER_ROLES, *WEB_ROLES), 1),
    "lfr tasks, 50, all roles": ((LIFECYCLE, RECEIPTS, _worker(50), *OTHER_ROLES, *WEB_ROLES), 50),
}
"""By name: the processes, and the concurrency of the BullMQ worker that they are compared with."""


def measure_lfr(client: redis.Redis, commands: Sequence[Sequence[str]], chains: int) -> Measure:
    """Measure an installation of these processes."""
    client.flushall()
    port = client.connection_pool.connection_kwargs["port"]
    with processes(client, *commands) as running:
        wait_for_groups(client, len([command for command in commands if command not in WEB_ROLES]))
        lfr = Client(f"redis://127.0.0.1:{port}")

        def run(text: str) -> float:
            begin = time.perf_counter()
            lfr.wait(lfr.run(text))
            return time.perf_counter() - begin

        chain = " -> ".join(["task"] * CHAIN)
        run(chain)
        before = client.zcard("workflows:state:FINISHED")
        names = [" ".join(command[2:3]) or command[1] for command in commands]
        pids = dict(zip(names, (process.pid for process in running), strict=True))
        with _cpu_per_task(client, pids, chains * CHAIN) as cpu:
            begin = time.perf_counter()
            for _ in range(chains):
                lfr.run(chain)
            while client.zcard("workflows:state:FINISHED") < before + chains:
                time.sleep(0.005)
            seconds = time.perf_counter() - begin
        latencies = [run(" -> ".join(["task"] * LONG_CHAIN)) for _ in range(TURNS)]
        fans = [run("task -> {" + ";".join(["task"] * FAN) + "} -> task") for _ in range(3)]
    latency = 1000 * statistics.median(latencies) / LONG_CHAIN
    return Measure(chains * CHAIN / seconds, latency, statistics.median(fans), cpu)


def measure_bullmq(client: redis.Redis, concurrency: int, chains: int) -> Measure:
    """Measure BullMQ with one worker."""
    client.flushall()
    folder = Path(os.environ["LFR_BENCH_BULLMQ"])
    port = str(client.connection_pool.connection_kwargs["port"])
    command = ["node", "worker.mjs", port, str(concurrency)]
    worker = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"

        def run(workload: str, number: int) -> list[float]:
            arguments = ["node", "client.mjs", port, workload, str(number)]
            process = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True)
            seconds: list[float] = json.loads(process.stdout)
            return seconds

        with _cpu_per_task(client, {"worker": worker.pid}, chains * CHAIN) as cpu:
            throughput = chains * CHAIN / run("throughput", chains)[0]
        latency = 1000 * statistics.median(run("chain", TURNS)) / LONG_CHAIN
        return Measure(throughput, latency, statistics.median(run("fan", FAN)), cpu)
    finally:
        worker.kill()
        worker.wait()


@contextmanager
def _cpu_per_task(client: redis.Redis, pids: dict[str, int], tasks: int) -> Iterator[dict[str, float]]:
    """Give the CPU microseconds per task of each process and of the server, once the block has ended."""
    pids = {**pids, "redis": client.info("server")["process_id"]}
    before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
    cpu: dict[str, float] = {}
    yield cpu
    for name, pid in pids.items():
        cpu[name] = 1e6 * (_cpu_seconds(pid) - before[name]) / tasks


def _cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process so far. (proc(5), stat: fields 14 and 15)"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the rounds; print each, and the minimum, median and maximum of every ratio."""
    rounds, chains = map(int, (*sys.argv[1:3], *("5", "2000")[len(sys.argv) - 1 :]))
    measures: dict[str, list[Measure]] = defaultdict(list)
    with server() as client:
        for number in range(1, rounds + 1):
            print(f"round {number} of {rounds}", flush=True)
            for concurrency in (1, 50):
                name = f"BullMQ, {concurrency}"
                measures[name].append(measure_bullmq(client, concurrency, chains))
                _print(name, measures[name][-1])
            for name, (commands, _) in SYSTEMS.items():
                measures[name].append(measure_lfr(client, commands, chains))
                _print(name, measures[name][-1])
    print("\nratios to BullMQ (more is faster): minimum, median, maximum")
    for name, (_, concurrency) in SYSTEMS.items():
        pairs = list(zip(measures[name], measures[f"BullMQ, {concurrency}"], strict=True))
        throughput = _spread(pairs, lambda lfr, other: lfr.throughput / other.throughput)
        latency = _spread(pairs, lambda lfr, other: other.latency / lfr.latency)
        fan = _spread(pairs, lambda lfr, other: other.fan / lfr.fan)
        print(f"{name:26} throughput {throughput}   latency {latency}   fan {fan}")


def _print(name: str, measure: Measure) -> None:
    cpu = ", ".join(f"{process} {us:.0f}" for process, us in measure.cpu.items())
    speed = f"{measure.throughput:7.0f} tasks/s  {measure.latency:6.2f} ms a step  fan {measure.fan:5.2f} s"
    print(f"  {name:26} {speed}  CPU us a task: {sum(measure.cpu.values()):.0f} ({cpu})", flush=True)


def _spread(pairs: Sequence[tuple[Measure, Measure]], ratio: Callable[[Measure, Measure], float]) -> str:
    ratios = [ratio(*pair) for pair in pairs]
    return f"{min(ratios):.2f} {statistics.median(ratios):.2f} {max(ratios):.2f}"


if __name__ == "__main__":
    main()
