"""A Redis server and roles as processes, for as long as a benchmark runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def server(*options: str) -> Iterator[redis.Redis]:
    """Start a Redis on a free port: without persistence, unless the options of the server say otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        program = os.environ.get("LFR_VALKEY_SERVER", "redis-server")
        address = ("--port", str(port), "--bind", "127.0.0.1")
        command = [program, *address, "--save", "", "--dir", folder, *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        client = redis.Redis(host="127.0.0.1", port=port, protocol=2)
        try:
            _wait_until_up(client)
            yield client
        finally:
            process.terminate()
            process.wait()


@contextmanager
def processes(client: redis.Redis, *commands: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start Python processes with these arguments; the environment holds the address of the server."""
    port = client.connection_pool.connection_kwargs["port"]
    environment = {
        **os.environ,
        "LFR_REDIS_URL": f"redis://127.0.0.1:{port}",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "benchmarks"))),
        "LOG_LEVEL": "WARNING",
    }
    with ExitStack() as stack:
        started = []
        for command in commands:
            process = subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.DEVNULL)
            stack.callback(_stop, process)
            started.append(process)
        yield started


def wait_for_roles(client: redis.Redis, count: int) -> None:
    """Wait until so many processes of roles and workers send heartbeats."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if client.scard("workflows:processes") >= count:
            return
        time.sleep(0.02)
    raise SystemExit("the roles did not start within 30 s")


def shared_streams(client: redis.Redis, *, sizes: bool = True) -> dict[str, int]:
    """Return the streams that workflows share, each with its bytes, or 0 without `sizes`: the bus, and those
    that lfr keeps beside it. (SCAN, MEMORY USAGE)"""
    names = sorted(key.decode() for key in client.scan_iter(match="workflows:*", count=1000, _type="stream"))
    return {name: int(client.memory_usage(name, samples=0) or 0) if sizes else 0 for name in names}


def peak_memory_mib(process: subprocess.Popen[bytes]) -> float:
    """Return the largest resident set of a process so far, in MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that no process uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(client: redis.Redis) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            time.sleep(0.02)
    raise SystemExit("the server did not start within 10 s")
