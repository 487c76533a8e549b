"""A TCP proxy between processes and Redis that cuts requests and replies in the middle, and delays them.

Each process has a port of its own, so a fault hits the connections of one process. It runs in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from tests.support.waiting import STALL_SECONDS

_CHUNK: Final = 1 << 18

_PATIENCE_SECONDS: Final = 2.0
"""How long a cut waits for a transaction; then it cuts whatever comes."""


class Cut(Enum):
    """What is to be cut: a request, which Redis then gets in part, or a reply, after Redis has done it."""

    REQUEST = auto()
    REPLY = auto()


@dataclass(slots=True)
class Gate:
    """The faults of the connections that come over one port."""

    port: int = 0
    cut: Cut | None = None
    is_armed: bool = False
    cut_any_at: float = 0.0
    delay_seconds: float = 0.0
    delay_until: float = 0.0
    cut_count: int = 0


class Proxy:
    """Forwards connections to a port of Redis. The methods may be called from any thread."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._thread.start()

    def open_gate(self) -> Gate:
        """Return a new gate with a port of its own."""
        gate = Gate()

        async def serve() -> None:
            async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._connect(gate, reader, writer)

            server = await asyncio.start_server(connect, "127.0.0.1", 0, limit=_CHUNK)
            self._servers.append(server)
            gate.port = server.sockets[0].getsockname()[1]

        self._run(serve())
        return gate

    def cut(self, gate: Gate, cut: Cut) -> None:
        """Cut the next transaction of a gate, or whatever comes later than that."""
        gate.cut_any_at = time.monotonic() + _PATIENCE_SECONDS
        gate.is_armed = False
        gate.cut = cut

    def delay(self, gate: Gate, seconds: float, duration_seconds: float) -> None:
        """Delay each piece of data by some seconds, for a while."""
        gate.delay_seconds = seconds
        gate.delay_until = time.monotonic() + duration_seconds

    def close(self) -> None:
        """Close all connections, and end the thread."""

        async def cancel() -> None:
            for server in self._servers:
                server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STALL_SECONDS)
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(STALL_SECONDS)

    async def _connect(self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(
                "127.0.0.1", self._target_port, limit=_CHUNK
            )
        except OSError:
            writer.close()
            return
        both = (writer, upstream_writer)
        requests = self._pump(gate, reader, upstream_writer, both, is_request=True)
        replies = self._pump(gate, upstream_reader, writer, both, is_request=False)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(requests, replies)
        finally:
            for each in both:
                each.close()

    async def _pump(
        self,
        gate: Gate,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        is_request: bool,
    ) -> None:
        """Forward one direction until an end or a cut."""
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if gate.delay_until > time.monotonic():
                    await asyncio.sleep(gate.delay_seconds)
                if self._is_to_cut(gate, data, is_request=is_request):
                    gate.cut = None
                    gate.cut_count += 1
                    writer.write(data[: len(data) // 2])
                    with contextlib.suppress(OSError):
                        await writer.drain()
                    break
                writer.write(data)
                await writer.drain()
        for each in both:
            each.close()

    def _is_to_cut(self, gate: Gate, data: bytes, *, is_request: bool) -> bool:
        if gate.cut is None:
            return False
        is_late = time.monotonic() > gate.cut_any_at
        is_transaction = is_request and b"EXEC\r\n" in data
        if gate.cut is Cut.REQUEST:
            return is_request and (is_transaction or is_late)
        if is_transaction:
            gate.is_armed = True
            return False
        return not is_request and (gate.is_armed or is_late)
