"""A primary, its replicas, and the Sentinels that watch them, as real processes."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from lfr.host.valkey import free_port
from tests.support.servers import program
from tests.support.waiting import STALL_SECONDS, eventually

PRIMARY_NAME = "mymaster"

HOST = "127.0.0.1"

_TROUBLE = {"s_down", "o_down", "disconnected", "failover_in_progress"}
"""Flags that the Sentinels give to a server that is not well."""


@dataclass(slots=True)
class Server:
    """A process of Redis or Valkey with a configuration of its own."""

    path: str
    folder: Path
    port: int
    options: tuple[str, ...]
    is_sentinel: bool = False
    password: str = ""
    certificate: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the process, with the configuration that it has rewritten if it ran before; wait until it
        answers."""
        self.folder.mkdir(exist_ok=True)
        file = self.folder / "server.conf"
        if not file.exists():
            port = f"port {self.port}" if self.certificate is None else f"port 0\ntls-port {self.port}"
            lines = (port, f"bind {HOST}", f"dir {self.folder}", *self.options)
            file.write_text("\n".join(lines) + "\n")
        command = [self.path, str(file), *(["--sentinel"] if self.is_sentinel else [])]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self.answers)

    def answers(self) -> bool:
        """Return whether the process answers, and has loaded its data."""
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        """Return a plain client."""
        tls = {"ssl": True, "ssl_ca_certs": str(self.certificate)} if self.certificate else {}
        return redis.Redis(
            HOST,
            self.port,
            password=self.password or None,
            socket_timeout=5,
            decode_responses=True,
            protocol=2,
            **tls,
        )

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the process by a signal and wait for its end."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(STALL_SECONDS)
            self.process = None

    def signal(self, number: int) -> None:
        """Send a signal to the process, such as SIGSTOP."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return HOST, self.port


@dataclass(slots=True)
class Replication:
    """A primary with replicas, and Sentinels.

    url       for lfr: it names the Sentinels
    servers   the primary and the replicas, whichever each is at present
    """

    servers: list[Server]
    sentinels: list[Server]
    password: str = ""

    @property
    def url(self) -> str:
        places = ",".join(f"{HOST}:{each.port}" for each in self.sentinels)
        return f"redis+sentinel://{places}/{PRIMARY_NAME}"

    def primary(self) -> Server:
        """Return the server that the Sentinels call the primary; without Sentinels, the first."""
        if not self.sentinels:
            return self.servers[0]
        for sentinel in self.sentinels:
            with suppress(redis.RedisError), sentinel.client() as client:
                reply = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME)
                if reply:
                    return next(each for each in self.servers if each.port == int(reply[1]))
        raise AssertionError("no Sentinel answers")

    def replicas(self) -> list[Server]:
        """Return all servers but the primary."""
        primary = self.primary()
        return [server for server in self.servers if server is not primary]

    def writable(self) -> Server | None:
        """Return the primary if it runs as one, else None."""
        primary = self.primary()
        with suppress(redis.RedisError), primary.client() as client:
            return primary if client.role()[0] == "master" else None
        return None

    def is_whole(self) -> bool:
        """Return whether all servers are in step, and the Sentinels know that: only every ten seconds they
        look."""
        running = [sentinel for sentinel in self.sentinels if sentinel.process]
        return self.is_in_step() and all(self._knows_all(each, self.primary()) for each in running)

    def is_in_step(self) -> bool:
        """Return whether all servers run, and all but the primary are in step with it."""
        primary = self.writable()
        if primary is None:
            return False
        others = [server for server in self.servers if server is not primary]
        with suppress(redis.RedisError), primary.client() as client:
            online = {int(port) for _, port, *_ in client.role()[2]}
            if online != {server.port for server in others} or client.wait(len(others), 100) < len(others):
                return False
            return all(self._is_replica_of(server, primary) for server in others)
        return False

    def _is_replica_of(self, server: Server, primary: Server) -> bool:
        with suppress(redis.RedisError), server.client() as client:
            role = client.role()
            return role[0] == "slave" and role[2] == primary.port and role[3] == "connected"
        return False

    def _knows_all(self, sentinel: Server, primary: Server) -> bool:
        with suppress(redis.RedisError), sentinel.client() as client:
            master = _fields(client.execute_command("SENTINEL", "MASTER", PRIMARY_NAME))
            replicas = [
                _fields(reply) for reply in client.execute_command("SENTINEL", "REPLICAS", PRIMARY_NAME)
            ]
            flags = {flag for each in (master, *replicas) for flag in each["flags"].split(",")}
            return (
                int(master["port"]) == primary.port
                and len(replicas) == len(self.servers) - 1
                and not flags & _TROUBLE
                and all(each["master-link-status"] == "ok" for each in replicas)
            )
        return False

    def fail_over(self) -> Server:
        """Make the Sentinels promote a replica of a primary that is well; return the new primary."""
        before = self.primary()

        def is_begun() -> bool:
            with suppress(redis.ResponseError), self._living_sentinel().client() as client:
                client.execute_command("SENTINEL", "FAILOVER", PRIMARY_NAME)  # NOGOODSLAVE, INPROG: not yet
                return True
            return False

        eventually(is_begun)
        return eventually(lambda: self._other_primary(before))

    def kill_primary(self) -> Server:
        """Kill the primary, wait until the Sentinels have promoted a replica, and return that. (SIGKILL)"""
        before = self.primary()
        before.kill()
        return eventually(lambda: self._other_primary(before))

    def _other_primary(self, before: Server) -> Server | None:
        primary = self.writable()
        return primary if primary is not before else None

    def _living_sentinel(self) -> Server:
        return next(each for each in self.sentinels if each.process is not None)


def _fields(reply: Any) -> dict[str, str]:
    """Return a reply of a Sentinel about one server as a mapping, however redis-py has parsed it."""
    return dict(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else reply


@contextmanager
def replicated(
    kind: str,
    folder: Path,
    *,
    replicas: int = 2,
    sentinels: int = 1,
    down_after_ms: int = 1500,
    password: str = "",
    sentinel_password: str = "",
    certificate: Path | None = None,
    key: Path | None = None,
    options: tuple[str, ...] = (),
) -> Iterator[Replication]:
    """Run a primary of this kind of server with its replicas and Sentinels, until all are in step."""
    path = program(kind) or shutil.which(f"{kind}-server")
    assert path, f"there is no {kind}"
    tls = (
        f"tls-cert-file {certificate}",
        f"tls-key-file {key}",
        f"tls-ca-cert-file {certificate}",
        "tls-replication yes",
        "tls-auth-clients no",
    )
    tls = tls if certificate else ()
    shared = (
        *tls,
        'save ""',
        "appendonly yes",
        "repl-diskless-sync yes",
        "repl-diskless-sync-delay 0",
        "repl-ping-replica-period 1",
        "shutdown-timeout 1",
        *([f"requirepass {password}", f"masterauth {password}"] if password else []),
        *options,
    )
    more = {"certificate": certificate}
    first = Server(path, folder / "server1", free_port(), shared, password=password, **more)
    servers = [first]
    for number in range(2, replicas + 2):
        own = (*shared, f"replicaof {HOST} {first.port}")
        servers.append(Server(path, folder / f"server{number}", free_port(), own, password=password, **more))
    watch = (
        *tls,
        f"sentinel monitor {PRIMARY_NAME} {HOST} {first.port} {sentinels // 2 + 1}",
        f"sentinel down-after-milliseconds {PRIMARY_NAME} {down_after_ms}",
        f"sentinel failover-timeout {PRIMARY_NAME} 6000",
        f"sentinel parallel-syncs {PRIMARY_NAME} {replicas}",
        *([f"sentinel auth-pass {PRIMARY_NAME} {password}"] if password else []),
        *([f"requirepass {sentinel_password}"] if sentinel_password else []),
        *([f"sentinel sentinel-pass {sentinel_password}"] if sentinel_password else []),
    )
    watchers = [
        Server(path, folder / f"sentinel{number}", free_port(), watch, True, sentinel_password, **more)
        for number in range(1, sentinels + 1)
    ]
    replication = Replication(servers, watchers, password)
    with ExitStack() as stack:
        for server in (*servers, *watchers):
            stack.callback(server.kill)
            server.start()
        eventually(replication.is_whole)
        yield replication
