"""What a round measures: times, CPU of each process, commands of the server; and ratios of rounds."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import redis

QUIET_SECONDS = 1.0
"""The work counts as done, clearing of the streams included, when nothing has been written for this time."""

LONGEST_QUIET_SECONDS = 30.0

SERVER = "server"
"""The name of Redis among the processes."""

WRITING_COMMANDS = ("xadd", "xdel", "xack", "xtrim")


@dataclass(slots=True)
class Measure:
    """What one round measures of one system. What it does not measure is None or empty.

    throughput  tasks per second, from the first start to the last end
    cpu         microseconds of CPU a task in `throughput`, by process; SERVER is Redis
    commands    calls and microseconds of the server a task in `throughput`, by command
    latency     milliseconds a step of a chain of twenty, warm
    after_idle  the same after a time without work
    idle        milliseconds of CPU a second during that time, by process
    fan, wide_fan   seconds of a fan of 1,000 and of 5,000
    """

    throughput: float | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    commands: dict[str, dict[str, float]] = field(default_factory=dict)
    latency: float | None = None
    after_idle: float | None = None
    idle: dict[str, float] = field(default_factory=dict)
    fan: float | None = None
    wide_fan: float | None = None

    @property
    def cpu_sum(self) -> float | None:
        """The microseconds of CPU a task of all processes together."""
        return sum(self.cpu.values()) or None

    def as_json(self) -> dict[str, Any]:
        """Return the fields for `json.dumps`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of the ratios of all rounds."""

    minimum: float
    median: float
    maximum: float

    def __str__(self) -> str:
        return f"{self.minimum:5.2f} {self.median:5.2f} {self.maximum:5.2f}"


def ratios(
    measures: Sequence[Measure], baselines: Sequence[Measure], value: Callable[[Measure], float | None]
) -> Spread | None:
    """Return the spread of the ratios to the baseline of the same round; None if nothing was measured."""
    pairs = [(value(measure), value(baseline)) for measure, baseline in zip(measures, baselines, strict=True)]
    found = [numerator / divisor for numerator, divisor in pairs if numerator and divisor]
    return Spread(min(found), statistics.median(found), max(found)) if found else None


def median(measures: Sequence[Measure], value: Callable[[Measure], float | None]) -> float | None:
    """Return the median of what was measured, or None."""
    values = [number for number in map(value, measures) if number is not None]
    return statistics.median(values) if values else None


@contextmanager
def cpu_and_commands(
    client: redis.Redis, pids: Mapping[str, int], tasks: int, measure: Measure
) -> Iterator[None]:
    """Measure CPU and commands of the block, and of what goes on after it until nothing is written."""
    pids = with_server(client, pids)
    client.config_resetstat()
    before = cpu_seconds(pids)
    yield
    after, commands = _until_quiet(client, pids)
    measure.cpu = {name: 1e6 * (after[name] - before[name]) / tasks for name in pids}
    measure.commands = {
        name: {"calls": calls / tasks, "usec": usec / tasks} for name, (calls, usec) in commands.items()
    }


def with_server(client: redis.Redis, pids: Mapping[str, int]) -> dict[str, int]:
    """Return the processes and the server's."""
    return {**pids, SERVER: client.info("server")["process_id"]}


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the user and system time so far of each process with its children. (proc(5))"""
    ticks = os.sysconf("SC_CLK_TCK")
    return {name: sum(map(_cpu_ticks, _with_children(pid))) / ticks for name, pid in pids.items()}


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _with_children(pid: int) -> list[int]:
    files = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(word) for file in files for word in file.read_text().split()]
    return [pid, *(descendant for child in children for descendant in _with_children(child))]


def _until_quiet(
    client: redis.Redis, pids: Mapping[str, int]
) -> tuple[dict[str, float], dict[str, tuple[int, int]]]:
    """Wait until nothing is written. Return CPU and commands as they were after the last write."""
    seconds: dict[str, float] = {}
    commands: dict[str, tuple[int, int]] = {}
    for stats in writes_until_quiet(client):
        commands, seconds = stats, cpu_seconds(pids)
    return seconds, commands


def writes_until_quiet(
    client: redis.Redis, seconds: float = QUIET_SECONDS
) -> Iterator[dict[str, tuple[int, int]]]:
    """Yield the command stats at once, and after each 0.1 s in which a stream was written. End when none has
    been written for so many seconds, and after half a minute."""
    last_writes = -1
    deadline = time.monotonic() + LONGEST_QUIET_SECONDS
    quiet_at = 0.0
    while time.monotonic() < deadline:
        stats = command_stats(client)
        writes = sum(stats.get(name, (0, 0))[0] for name in WRITING_COMMANDS)
        if writes != last_writes:
            last_writes, quiet_at = writes, time.monotonic() + seconds
            yield stats
        elif time.monotonic() >= quiet_at:
            return
        time.sleep(0.1)


def wait_until_quiet(client: redis.Redis) -> None:
    """Wait until no stream has been written for five seconds, at most half a minute."""
    for _ in writes_until_quiet(client, 5 * QUIET_SECONDS):
        pass


def command_stats(client: redis.Redis) -> dict[str, tuple[int, int]]:
    """Return calls and microseconds of each command since the last reset. (INFO commandstats)"""
    stats = client.info("commandstats")
    return {
        name.removeprefix("cmdstat_"): (values["calls"], values["usec"]) for name, values in stats.items()
    }
