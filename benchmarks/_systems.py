"""The systems that `comparison` measures: BullMQ, and installations of lfr as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from benchmarks._installation import ROOT

BENCHMARKS = ROOT / "benchmarks"
TASKS_FILE = BENCHMARKS / "_noop_tasks.py"
ALL_ROLES = ("lifecycle", "wait", "request", "redis", "resource", "receipts", "api", "console")
IDLE_GROUPS = 10
START_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Program:
    """A built file of lfr: the command that runs it, and the folder of its unpacked modules."""

    command: Sequence[str]
    modules: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class System:
    """What is measured: an installation, with its processes by name, and the command of its client.

    Each process command may contain PORT. `heartbeats` is how many roles must report before it is ready.
    `server_options` are those of Redis.
    """

    processes: Mapping[str, Sequence[str]]
    client: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    heartbeats: int = 0
    server_options: Sequence[str] = ()


class Client:
    """The client of a running system. It starts workflows and says how many seconds they took."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        if self._read_line() != "ready":
            raise SystemExit("the client of a system did not start")

    def seconds(self, workload: str, *numbers: int) -> list[float]:
        """Run a workload. Return the seconds of each turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join([workload, *map(str, numbers)]) + "\n")
        self._process.stdin.flush()
        turns: list[float] = json.loads(self._read_line())
        return turns

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the client of a system ended with code {self._process.wait()}")
        return line.strip()


def unpack(file: Path, scratch: Path) -> Program:
    """Let a built file unpack its modules below `scratch`."""
    root = scratch / f"unpacked-{len(list(scratch.iterdir()))}"
    environment = {"SHIV_ROOT": str(root), "LOG_LEVEL": "WARNING"}
    command = [sys.executable, str(file)]
    subprocess.run([*command, "version"], check=True, env={**os.environ, **environment}, capture_output=True)
    return Program(command, next(root.glob("*/site-packages")), environment)


def bullmq(concurrency: int) -> System:
    """Return BullMQ with one worker."""
    worker = {"worker": ("node", "worker.mjs", "PORT", str(concurrency))}
    return System(worker, ("node", "client.mjs", "PORT"), {}, Path(os.environ["LFR_BENCH_BULLMQ"]))


def lfr_tasks(
    program: Program,
    concurrency: int,
    roles: Sequence[str],
    *,
    processes: int = 0,
    idle: Sequence[Path] = (),
    server_options: Sequence[str] = (),
) -> System:
    """Return an installation with these roles (`lifecycle.2` is a second process of a role), `lfr tasks`, in
    worker processes if so many are given, and a worker group for each file in `idle`."""
    commands = {role: _role_command(program, role) for role in roles}
    parallel = ("--processes", str(processes)) if processes else ()
    tasks = (*program.command, "tasks", str(TASKS_FILE), "--concurrency", str(concurrency), *parallel)
    commands["tasks"] = tasks
    for path in idle:
        commands[path.stem] = (*program.command, "tasks", str(path), "--concurrency", "50")
    heartbeats = len(commands) + max(0, processes - 1)
    return replace(_installation(program, commands, heartbeats), server_options=server_options)


def lfr_worker(program: Program, roles: Sequence[str], worker: str) -> System:
    """Return an installation with these roles and the worker in this module beside this one."""
    commands: dict[str, Sequence[str]] = {role: _role_command(program, role) for role in roles}
    commands["worker"] = (sys.executable, str(BENCHMARKS / f"{worker}.py"), "PORT")
    return _installation(program, commands, len(roles))


def old_lean_worker(program: Program) -> str:
    """Return the module of the leanest worker for a program of an older version. 0.1.0 has its own."""
    return "_noop_worker_0_1_0" if (program.modules / "lfr/worker/answer.py").exists() else "_bus_worker"


def write_idle_workers(folder: Path) -> list[Path]:
    """Write files for `lfr tasks`, each with a task of its own that no flow asks for."""
    paths = [folder / f"idle_{number}.py" for number in range(IDLE_GROUPS)]
    for path in paths:
        path.write_text(
            f'from lfr import task\n\n@task("{path.stem}:task")\ndef run(input):\n    return input\n'
        )
    return paths


@contextmanager
def running(system: System, client: redis.Redis) -> Iterator[tuple[Client, dict[str, int]]]:
    """Start a system on this server. Yield its client and the process ids by name once all of it is ready."""
    port = str(client.connection_pool.connection_kwargs["port"])
    environment = {**os.environ, **system.environment, "LFR_REDIS_URL": f"redis://127.0.0.1:{port}"}
    with ExitStack() as stack:
        started: dict[str, subprocess.Popen[str]] = {}
        for name, command in system.processes.items():
            reports = command[0] == "node"
            started[name] = _start(command, port, environment, system.folder, stack, reports=reports)
            if reports:
                _wait_for_line(started[name])
        _wait_for_heartbeats(client, system.heartbeats, started)
        process = _start(system.client, port, environment, system.folder, stack, reports=True)
        yield Client(process), {name: process.pid for name, process in started.items()}


def _role_command(program: Program, role: str) -> tuple[str, ...]:
    address = ("127.0.0.1:0",) if role in ("api", "console") else ()
    return (*program.command, role.partition(".")[0], *address)


def _installation(program: Program, commands: Mapping[str, Sequence[str]], heartbeats: int) -> System:
    client = (sys.executable, str(BENCHMARKS / "_client.py"), "PORT")
    environment = {**program.environment, "PYTHONPATH": str(program.modules)}
    return System(commands, client, environment, ROOT, heartbeats)


def _start(
    command: Sequence[str],
    port: str,
    environment: Mapping[str, str],
    folder: Path,
    stack: ExitStack,
    *,
    reports: bool,
) -> subprocess.Popen[str]:
    words = [port if word == "PORT" else word for word in command]
    output = subprocess.PIPE if reports else subprocess.DEVNULL
    process = subprocess.Popen(
        words, env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=output, text=True
    )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    with suppress(BrokenPipeError):
        assert process.stdin is not None
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _wait_for_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise SystemExit("the worker of BullMQ did not start")


def _wait_for_heartbeats(
    client: redis.Redis, count: int, processes: Mapping[str, subprocess.Popen[str]]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while client.scard("workflows:processes") < count:
        ended = [name for name, process in processes.items() if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            raise SystemExit(f"these processes did not start: {', '.join(ended) or 'some roles'}")
        time.sleep(0.05)
