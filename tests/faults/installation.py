"""All processes of an installation: a server, each role of the built file, workers; each behind the proxy."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import redis

from lfr.host.child_processes import terminate_with_parent
from lfr.host.valkey import free_port
from tests.faults import outside, retention
from tests.faults.generate import LITERALS, Surroundings
from tests.faults.outside import Sink
from tests.faults.proxy import Gate, Proxy
from tests.support.processes import built_file, environment
from tests.support.servers import program
from tests.support.waiting import STALL_SECONDS, eventually

WORKERS: Final = Path(__file__).parent / "workers"

QUICK: Final = {"LFR_LEASE": "1.5", "LFR_TASKS_LEASE": "3", "LFR_REDIS_TIMEOUT": "3"}

API_TOKEN: Final = "faults"

SERVER_OPTIONS: Final = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "always",  # what is answered is on disk: the faults may lose nothing
    "aof-load-truncated": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",
    "enable-debug-command": "local",
    "hz": "100",
}


_STARTER: Final = ThreadPoolExecutor(1, "starter")
"""All processes are started by one thread, which lives as long as this process: they end with their parent,
and Linux takes the thread that has started them for it."""


def start_process(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that is killed when this one ends, however it ends."""
    ending = terminate_with_parent(signal.SIGKILL)
    return _STARTER.submit(subprocess.Popen, command, preexec_fn=ending, **options).result()


class Server:
    """A Redis or Valkey server with an append-only file, which may be killed and started again."""

    def __init__(self, kind: str, folder: Path) -> None:
        path = program(kind)
        assert path, f"there is no {kind}"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        folder.mkdir()
        options = {**SERVER_OPTIONS, "dir": str(folder), "port": str(self.port), "logfile": "server.log"}
        self._command = [path, *(word for name, value in options.items() for word in (f"--{name}", value))]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the server and wait until it has read its data."""
        nothing = subprocess.DEVNULL
        self._process = start_process(self._command, stdin=nothing, stdout=nothing, start_new_session=True)
        eventually(self._is_ready)

    def kill(self) -> None:
        """Kill the server."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "the server has ended"
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        """Return a client that does not go through the proxy."""
        return redis.Redis.from_url(self.url, decode_responses=True, protocol=2, socket_timeout=10)


@dataclass(slots=True)
class Slot:
    """A process that may be killed and started again, as `name`. `gate` is its way to Redis."""

    name: str
    command: list[str]
    environment: dict[str, str]
    gate: Gate
    log: Path
    process: subprocess.Popen[bytes] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start the process unless it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("ab") as log:
            self.process = start_process(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self) -> None:
        """Let the process end by itself; kill it if it does not."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        self.wait()

    def wait(self) -> None:
        """Wait until the process has ended; kill it if it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(STALL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """Kill the process."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


class Installation:
    """The processes, and the files around them, in a folder.

    executions  the file that workers write their executions to
    archives    the folder into which workflows are archived that are pruned; `retained`: by retention
    sink        takes the notices
    mended      a folder with a file for each workflow whose broken tasks are mended
    """

    def __init__(self, folder: Path, kind: str, size: str) -> None:
        self.folder = folder
        self.executions = folder / "executions.jsonl"
        self.executions.touch()
        self.mended = folder / "mended"
        self.mended.mkdir()
        resources = folder / "resources"
        (resources / "stored").mkdir(parents=True)
        for number, value in enumerate(LITERALS):
            (resources / f"literal-{number}.json").write_text(json.dumps(value))
        workers = folder / "workers"
        shutil.copytree(WORKERS, workers, ignore=shutil.ignore_patterns("__pycache__"))
        self.archives = folder / "archives"
        self.retained = folder / "retained"
        self.sink = Sink()
        self.server = Server(kind, folder / "server")
        self.proxy = Proxy(self.server.port)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self.sink))
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.surroundings = Surroundings(str(resources), url)
        self._configuration = folder / "lfr.yaml"
        self._notices = outside.CONFIGURATION.format(url=url)
        self._configuration.write_text(self._notices + retention.CONFIGURATION.format(folder=self.retained))
        self.api_port = free_port()
        self.slots = [self._slot(name, words) for name, words in self._words(size, workers)]

    def _words(self, size: str, workers: Path) -> Iterator[tuple[str, list[str]]]:
        """Yield the name of each process and its command line behind `lfr`, or a program."""
        is_large = size == "large"
        one, many = str(workers / "one.py"), str(workers / "many.py")
        built_in = [["redis"], ["request"], ["resource"]] if is_large else [["worker"]]
        counts: list[tuple[list[str], int]] = [
            (["lifecycle"], 3 if is_large else 2),
            (["wait"], 2 if is_large else 1),
            (["receipts"], 1),
            (["notify"], 2 if is_large else 1),
            (["simulate", "--wait-period", "0.1"], 1),
            (["tasks", one, "--concurrency", "1"], 2),
            (["tasks", many, "--concurrency", "50"], 2 if is_large else 1),
            ([str(workers / "far.py")], 2 if is_large else 1),
            (["api", f"127.0.0.1:{self.api_port}"], 1),
            *((words, 1) for words in built_in),
            *(((["console", f"127.0.0.1:{free_port()}"], 1),) if is_large else ()),
        ]
        for words, count in counts:
            name = Path(words[1] if words[0] == "tasks" else words[0]).stem
            for number in range(1, count + 1):
                yield f"{name}.{number}", words

    def _slot(self, name: str, words: list[str]) -> Slot:
        gate = self.proxy.open_gate()
        variables = {
            **QUICK,
            "LFR_RESOURCES_ALLOW": self.surroundings.folder,
            "LFR_REQUEST_ALLOW": f"{self.surroundings.server}/",
            "FAULTS_LOG": str(self.executions),
            "FAULTS_SLOT": name,
            "FAULTS_MENDED": str(self.mended),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LFR_API_TOKEN": API_TOKEN,
            "LFR_CONFIG": str(self._configuration),
        }
        url = f"redis://127.0.0.1:{gate.port}"
        if words[0].endswith("far.py"):
            command = [sys.executable, words[0], str(gate.port)]
        else:
            command = [sys.executable, str(built_file()), *words]
        return Slot(name, command, environment(url, variables), gate, self.folder / f"{name}.log")

    def start(self) -> None:
        """Start all processes, and wait until workers have claimed their tasks: simulate would do them."""
        subprocess.run([sys.executable, str(built_file()), "--version"], check=True, capture_output=True)
        for slot in self.slots:  # they find it unpacked
            slot.start()
        client = self.server.client()
        eventually(lambda: {"one:echo", "many:echo"} <= client.hgetall("workflows:claims").keys())
        eventually(lambda: client.exists("workflows:notices:rules"))  # from then on, ends wait for the role

    def end_retention(self) -> None:
        """Start the lifecycles again without retention: what is checked now stays until it was checked."""
        self._configuration.write_text(self._notices)
        for slot in self.slots:
            if slot.name.startswith(("lifecycle.", "worker.")):
                slot.stop()
                slot.start()

    def close(self) -> None:
        """End all processes."""
        for slot in self.slots:
            slot.send(signal.SIGCONT)
            slot.send(signal.SIGTERM)
        for slot in self.slots:
            slot.wait()
        self.proxy.close()
        self._http.shutdown()
        self._http.server_close()
        self.server.kill()


class _Handler(BaseHTTPRequestHandler):
    """Answers each GET with a value that depends on the path alone; takes notices."""

    def __init__(self, sink: Sink, *arguments: Any) -> None:
        self._sink = sink
        super().__init__(*arguments)

    def do_POST(self) -> None:
        is_accepted = self._sink.take(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if is_accepted else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        body = json.dumps({"served": self.path.strip("/").partition("?")[0]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing."""


@contextmanager
def running_installation(folder: Path, kind: str, size: str) -> Iterator[Installation]:
    """Run an installation for the block."""
    installation = Installation(folder, kind, size)
    try:
        installation.start()
        yield installation
    finally:
        installation.close()
