"""lfr beside BullMQ, in alternating rounds of one run; ratios with minimum, median and maximum.

    build.py bench comparison --only throughput --rounds 3
    build.py bench comparison --old FILE --json FILE

Each round starts each system once, in another order than the round before, on a fresh server. A ratio divides
two figures of the same round. docs/performance.md explains systems, workloads and figures.

BullMQ and its locked packages come from npm, see `benchmarks/bullmq/`.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

import redis

from benchmarks._installation import server
from benchmarks._measures import Measure, cpu_and_commands, cpu_seconds, with_server
from benchmarks._report import (
    FAN,
    WIDE_FAN,
    as_json,
    print_commands,
    print_medians,
    print_ratios,
    print_round,
)
from benchmarks._systems import (
    ALL_ROLES,
    Client,
    System,
    bullmq,
    lfr_tasks,
    lfr_worker,
    old_lean_worker,
    running,
    unpack,
    write_idle_workers,
)

WORKLOADS = ("throughput", "latency", "idle", "fan", "wide-fan")
CHAIN, LONG_CHAIN = 10, 20
WARM_UP_CHAINS = 50
LATENCY_TURNS, FAN_TURNS, WIDE_FAN_TURNS = 20, 3, 1
IDLE_SYSTEMS = ("bullmq-1", "tasks-1", "tasks-50", "tasks-50-all")
"""What is measured after idleness: each costs half a minute a round."""

EXTRA_SYSTEMS = (
    *("tasks-50-receipts", "tasks-50-2-lifecycles", "tasks-25-2-processes"),
    *("tasks-50-everysec", "tasks-50-always", "bus-worker", "old-tasks-50-all"),
)
"""What is measured only if it is named."""

EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


def main() -> None:
    """Run the rounds; print each, the medians and the ratios."""
    options = _options()
    measures: dict[str, list[Measure]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        systems = _chosen(_systems(options, Path(scratch)), options.systems)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            for name in _rotated(list(systems), number):
                with server(*systems[name].server_options) as client:
                    measure = _measure(client, name, systems[name], options)
                measures.setdefault(name, []).append(measure)
                print_round(name, measure)
            if options.json:
                options.json.write_text(json.dumps(as_json(measures), indent=1) + "\n")
    ordered = {name: measures[name] for name in systems}
    print_medians(ordered)
    print_commands(ordered)
    print_ratios(ordered)


def _options() -> Namespace:
    layout = RawDescriptionHelpFormatter
    parser = ArgumentParser("build.py bench comparison", description=__doc__, formatter_class=layout)
    for flag, type, default, help in (
        ("--rounds", int, 5, "how many rounds (5)"),
        ("--chains", int, 2000, "how many chains throughput starts (2000)"),
        ("--idle-seconds", float, 30.0, "how long idleness lasts (30)"),
        ("--only", _words, WORKLOADS, f"some of the workloads {','.join(WORKLOADS)}"),
        ("--systems", _words, (), "some of the systems, also those that are left out otherwise"),
        ("--old", Path, None, "an lfr file of another version, measured beside the others"),
        ("--json", Path, None, "a file for all figures, written after each round"),
    ):
        parser.add_argument(flag, type=type, default=default, help=help)
    options = parser.parse_args()
    unknown = set(options.only) - set(WORKLOADS)
    if unknown:
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    return options


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _systems(options: Namespace, scratch: Path) -> dict[str, System]:
    """Return all systems by name."""
    new = unpack(Path(os.environ["LFR_FILE"]), scratch)
    idle_workers = write_idle_workers(scratch)
    few = ("lifecycle",)
    systems = {
        "bullmq-1": bullmq(1),
        "bullmq-50": bullmq(50),
        "lean": lfr_worker(new, few, "_noop_worker"),
        "tasks-1": lfr_tasks(new, 1, few),
        "tasks-50": lfr_tasks(new, 50, few),
        "tasks-1-all": lfr_tasks(new, 1, ALL_ROLES),
        "tasks-50-all": lfr_tasks(new, 50, ALL_ROLES),
        "tasks-50-groups": lfr_tasks(new, 50, few, idle=idle_workers),
        "tasks-50-receipts": lfr_tasks(new, 50, (*few, "receipts")),
        "tasks-50-2-lifecycles": lfr_tasks(new, 50, (*few, "lifecycle.2")),
        "tasks-25-2-processes": lfr_tasks(new, 25, few, processes=2),
        "tasks-50-everysec": lfr_tasks(new, 50, few, server_options=EVERYSEC),
        "tasks-50-always": lfr_tasks(new, 50, few, server_options=ALWAYS),
        "bus-worker": lfr_worker(new, few, "_bus_worker"),
    }
    if options.old:
        old = unpack(options.old, scratch)
        clearing = ("lifecycle", "receipts")  # without receipts, old versions never clear the stream
        systems |= {
            "old-lean": lfr_worker(old, clearing, old_lean_worker(old)),
            "old-tasks-1": lfr_tasks(old, 1, clearing),
            "old-tasks-50": lfr_tasks(old, 50, clearing),
            "old-tasks-50-all": lfr_tasks(old, 50, ALL_ROLES),
        }
    return systems


def _chosen(systems: dict[str, System], names: Sequence[str]) -> dict[str, System]:
    unknown = set(names) - set(systems)
    if unknown:
        raise SystemExit(
            f"comparison: no system {', '.join(sorted(unknown))}; there are {', '.join(systems)}"
        )
    return {
        name: system
        for name, system in systems.items()
        if name in names or not (names or name in EXTRA_SYSTEMS)
    }


def _rotated(names: list[str], number: int) -> list[str]:
    """Return the names in the order of a round: each begins a third of the list later."""
    shift = number * max(1, len(names) // 3) % len(names)
    return names[shift:] + names[:shift]


def _measure(client: redis.Redis, name: str, system: System, options: Namespace) -> Measure:
    measure = Measure()
    with running(system, client) as (starter, pids):
        starter.seconds("throughput", WARM_UP_CHAINS)
        if "throughput" in options.only:
            tasks = options.chains * CHAIN
            with cpu_and_commands(client, pids, tasks, measure):
                [seconds] = starter.seconds("throughput", options.chains)
            measure.throughput = tasks / seconds
        if "latency" in options.only:
            turns = starter.seconds("chain", LATENCY_TURNS)
            measure.latency = 1000 * statistics.median(turns) / LONG_CHAIN
        if "fan" in options.only:
            measure.fan = statistics.median(starter.seconds("fan", FAN, FAN_TURNS))
        if "wide-fan" in options.only:
            measure.wide_fan = statistics.median(starter.seconds("fan", WIDE_FAN, WIDE_FAN_TURNS))
        if "idle" in options.only and (name in IDLE_SYSTEMS or options.systems):
            _measure_idleness(client, starter, pids, options.idle_seconds, measure)
    return measure


def _measure_idleness(
    client: redis.Redis, starter: Client, pids: dict[str, int], seconds: float, measure: Measure
) -> None:
    starter.seconds("chain", 1)
    pids = with_server(client, pids)
    before = cpu_seconds(pids)
    time.sleep(seconds)
    after = cpu_seconds(pids)
    measure.idle = {name: 1000 * (after[name] - before[name]) / seconds for name in pids}
    [first] = starter.seconds("chain", 1)
    measure.after_idle = 1000 * first / LONG_CHAIN


if __name__ == "__main__":
    main()
