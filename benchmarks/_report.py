"""The tables and the JSON of `comparison`: medians, CPU by process, commands of Redis, ratios."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks._measures import Measure, Spread, median, ratios

FAN, WIDE_FAN = 1000, 5000

Rounds: TypeAlias = Mapping[str, Sequence[Measure]]
"""What each system measured in each round."""

RATIOS: Sequence[tuple[str, str, str, str, str]] = (
    ("throughput", "lean", "bullmq-50", "at least 2.0", ""),
    ("throughput", "tasks-50", "bullmq-50", "at least 1.0", ""),
    ("throughput", "tasks-1", "bullmq-1", "at least 1.0", ""),
    ("throughput", "tasks-50-all", "tasks-50", "at least 0.9", "every role of an installation on"),
    ("throughput", "tasks-1-all", "tasks-1", "at least 0.9", "every role of an installation on"),
    ("throughput", "tasks-50-groups", "tasks-50", "at least 0.95", "ten idle worker groups beside it"),
    *(
        ("throughput", f"tasks-{variant}", "tasks-50", "", "")
        for variant in ("50-receipts", "50-2-lifecycles", "25-2-processes", "50-everysec", "50-always")
    ),
    ("throughput", "lean", "old-lean", "", ""),
    ("throughput", "tasks-50", "old-tasks-50", "", ""),
    ("throughput", "tasks-1", "old-tasks-1", "", ""),
    ("CPU a task", "lean", "old-lean", "at most 0.5", ""),
    ("CPU a task", "tasks-50", "old-tasks-50", "", ""),
    ("CPU a task", "tasks-1", "old-tasks-1", "", ""),
    ("CPU a task", "lean", "bullmq-50", "", ""),
    ("CPU a task", "tasks-50", "bullmq-50", "", ""),
    ("latency", "tasks-1", "bullmq-1", "at most 1.2", "a step of a chain of 20"),
    ("latency", "tasks-50", "bullmq-50", "at most 1.2", "a step of a chain of 20"),
    ("latency", "tasks-50-all", "bullmq-50", "", "a step of a chain of 20"),
    ("after idleness", "tasks-1", "bullmq-1", "at most 1.2", "a step of a chain of 20"),
    ("after idleness", "tasks-50", "bullmq-1", "at most 1.2", "a step of a chain of 20"),
    ("fan of 1,000", "lean", "bullmq-50", "at most 0.8", ""),
    ("fan of 1,000", "tasks-50", "bullmq-50", "at most 0.8", ""),
    ("fan of 5,000", "tasks-50", "bullmq-50", "", ""),
)
"""Figure, system, the system that it is divided by, the aim, a remark."""

FIGURES: Mapping[str, Callable[[Measure], float | None]] = {
    "throughput": lambda measure: measure.throughput,
    "CPU a task": lambda measure: measure.cpu_sum,
    "latency": lambda measure: measure.latency,
    "after idleness": lambda measure: measure.after_idle,
    "fan of 1,000": lambda measure: measure.fan,
    "fan of 5,000": lambda measure: measure.wide_fan,
}


def as_json(measures: Rounds) -> dict[str, Any]:
    """Return the machine, every figure of every round, and the ratios, for `json.dumps`."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "cpu": _cpu_name(), "python": platform.python_version()},
        "systems": {name: [measure.as_json() for measure in rounds] for name, rounds in measures.items()},
        "ratios": [
            {
                "figure": figure,
                "of": system,
                "to": baseline,
                "aim": aim,
                "minimum": spread.minimum,
                "median": spread.median,
                "maximum": spread.maximum,
            }
            for figure, system, baseline, aim, _ in RATIOS
            if (spread := _spread(measures, figure, system, baseline))
        ],
    }


def _spread(measures: Rounds, figure: str, system: str, baseline: str) -> Spread | None:
    if system not in measures or baseline not in measures:
        return None
    return ratios(measures[system], measures[baseline], FIGURES[figure])


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def print_round(name: str, measure: Measure) -> None:
    """Print the figures of one system in one round."""
    print(f"  {_row(name, [measure])}", flush=True)


def print_medians(measures: Rounds) -> None:
    """Print the median of each figure, and the CPU of each process, at work and idle."""
    print("\nmedians")
    for name, rounds in measures.items():
        print(f"  {_row(name, rounds)}")
    if any(rounds[0].cpu for rounds in measures.values()):
        print("\nCPU, us a task (medians)")
    for name, rounds in measures.items():
        if rounds[0].cpu:
            print(f"  {name:21} {_by_process([measure.cpu for measure in rounds])}")
    if any(rounds[0].idle for rounds in measures.values()):
        print("\nCPU when idle, ms a second (medians)")
        for name, rounds in measures.items():
            if rounds[0].idle:
                print(f"  {name:21} {_by_process([measure.idle for measure in rounds], 1)}")


def _row(name: str, rounds: Sequence[Measure]) -> str:
    columns = (
        ("throughput", "7.0f", "tasks/s"),
        ("CPU a task", "5.0f", "us CPU a task"),
        ("latency", "6.2f", "ms a step"),
        ("after idleness", "6.2f", "after idleness"),
        ("fan of 1,000", "6.2f", "s a fan of 1,000"),
        ("fan of 5,000", "6.2f", "of 5,000"),
    )
    values = [(median(rounds, FIGURES[figure]), layout, unit) for figure, layout, unit in columns]
    return f"{name:21}" + "".join(
        f" {value:{layout}} {unit}" for value, layout, unit in values if value is not None
    )


def _by_process(rounds: Sequence[Mapping[str, float]], digits: int = 0) -> str:
    medians = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    idle_workers = sum(value for name, value in medians.items() if name.startswith("idle_"))
    named = {name: value for name, value in medians.items() if not name.startswith("idle_")}
    if idle_workers or len(named) < len(medians):
        named["idle groups"] = idle_workers
    parts = ", ".join(f"{name} {value:.{digits}f}" for name, value in named.items())
    return f"{sum(named.values()):6.{digits}f} ({parts})"


def print_commands(measures: Rounds) -> None:
    """Print the commands that take the server most, of the first round: rounds differ little."""
    if not any(rounds[0].commands for rounds in measures.values()):
        return
    print("\ncommands of Redis a task: calls, us (first round; from 0.2 us; exec and evalsha contain others)")
    for name, (first, *_) in measures.items():
        busiest = sorted(first.commands.items(), key=lambda item: -item[1]["usec"])
        parts = [f"{cmd} {use['calls']:.2f} {use['usec']:.1f}" for cmd, use in busiest if use["usec"] >= 0.2]
        total = sum(use["calls"] for use in first.commands.values())
        print(f"  {name:21} {total:5.1f} calls: {', '.join(parts)}")


def print_ratios(measures: Rounds) -> None:
    """Print minimum, median and maximum of the ratios between systems, each with its aim."""
    print("\nratios: minimum, median, maximum")
    for figure, system, baseline, aim, remark in RATIOS:
        spread = _spread(measures, figure, system, baseline)
        if spread:
            line = f"  {figure:15} {system:21} / {baseline:13} {spread}  {aim:14} {remark}"
            print(line.rstrip())
    for name, rounds in measures.items():
        per_task = [
            (measure.wide_fan / (WIDE_FAN + 2)) / (measure.fan / (FAN + 2))
            for measure in rounds
            if measure.fan and measure.wide_fan
        ]
        if per_task:
            line = f"{min(per_task):5.2f} {statistics.median(per_task):5.2f} {max(per_task):5.2f}"
            print(f"  a task in a fan of 5,000 to one in a fan of 1,000, {name:21} {line}")
