"""A network with latency: a proxy that hands on each byte only after a while."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS) \S+ HTTP/1\.1\r\n")
_CHUNK = 65_536


@dataclass(slots=True)
class Traffic:
    """What has gone through the proxy: its URL, HTTP requests, connections, bytes to the browser."""

    url: str = ""
    requests: int = 0
    connections: int = 0
    bytes: int = 0


@contextmanager
def slow_network(url: str, latency: float) -> Iterator[Traffic]:
    """Run a proxy before a server: `latency` is the time of a round trip, in seconds. A connection takes one
    to be opened, as by TCP; no bandwidth is limited, and no byte is lost."""
    target = urlsplit(url)
    traffic = Traffic()
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        traffic.connections += 1
        there_reader, there_writer = await asyncio.open_connection(target.hostname, target.port)
        there = _carry(reader, there_writer, latency / 2, traffic, opening=latency)
        with suppress(asyncio.CancelledError):  # the benchmark has ended
            await asyncio.gather(there, _carry(there_reader, writer, latency / 2, traffic))

    async def run() -> None:
        stopped = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        traffic.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        running.set_result((asyncio.get_running_loop(), stopped))
        await stopped.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop, stopped = running.result()
    try:
        yield traffic
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    delay: float,
    traffic: Traffic,
    opening: float | None = None,
) -> None:
    """Hand on what comes, each part `delay` seconds later; the first one also waits for the `opening` of the
    connection. None: this is the way to the browser."""
    clock = asyncio.get_running_loop()
    parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    opened = clock.time() + (opening or 0)

    async def write() -> None:
        while True:
            due, part = await parts.get()
            await asyncio.sleep(due - clock.time())
            if not part:
                writer.close()
                return
            writer.write(part)
            await writer.drain()

    writing = asyncio.create_task(write())
    part = b" "
    with suppress(OSError):
        while part:
            part = await reader.read(_CHUNK)
            if opening is None:
                traffic.bytes += len(part)
            else:
                traffic.requests += bool(_REQUEST.match(part))
            parts.put_nowait((max(clock.time(), opened) + delay, part))
    parts.put_nowait((clock.time() + delay, b""))
    with suppress(OSError):
        await writing
