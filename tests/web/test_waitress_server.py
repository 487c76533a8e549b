"""The waitress server: malformed requests, slow clients, drain_thread."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from lfr.web import server as web_server
from lfr.web import waitress_server
from lfr.web.waitress_server import WaitressServer
from tests.support.waiting import STALL_SECONDS, eventually

LIMITS = {"threads": 4, "max_request_header_size": 2000, "max_request_body_size": 1001, "ident": None}
BIG = b"x" * 20_000_000


@contextmanager
def serving(app: Callable[..., Iterable[bytes]], **limits: int) -> Iterator[tuple[WaitressServer, int]]:
    """A waitress server with this application, and its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = WaitressServer(app, [listening], LIMITS | limits, lambda headers, client, protocol: True)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server, port
    finally:
        server.drain(5)


def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    return [BIG if environ["PATH_INFO"] == "/big" else b"fine"]


def answer(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by their names in small letters, and body."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost 127\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 3000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n500\r\n" + b"a" * 0x500, 413),
    ],
)
def test_what_is_no_request_is_a_problem(request_: bytes, status: int) -> None:
    with serving(app) as (_, port):
        actual_status, headers, body = answer(port, request_)
    assert (actual_status, headers["content-type"]) == (status, "application/problem+json")
    assert headers["x-content-type-options"] == "nosniff"
    problem = json.loads(body)
    assert problem["status"] == status and problem["detail"] and "waitress" not in body.decode()


@pytest.mark.parametrize(
    "beginning",
    [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{"],
    ids=["headers", "body"],
)
def test_a_request_that_never_comes_to_its_end(monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    monkeypatch.setattr(waitress_server, "_REQUEST_TIMEOUT_SECONDS", 0.1)
    with serving(app) as (_, port):
        status, headers, _ = answer(port, beginning)
    assert (status, headers["connection"]) == (408, "close")


def test_a_slow_request_is_not_measured_by_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection may be kept for long, if each request on it comes as a whole."""
    with serving(app) as (server, port), socket.create_connection(("127.0.0.1", port), 10) as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            response = b""
            while not response.endswith(b"fine"):  # headers and body may come one by one
                part = connection.recv(1000)
                assert part
                response += part
            monkeypatch.setattr(waitress_server, "_REQUEST_TIMEOUT_SECONDS", 0.0)
            server.has_iterated()
            eventually(server.has_iterated)
            monkeypatch.undo()


def test_who_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitress_server, "_SEND_TIMEOUT_SECONDS", 0.1)
    with serving(app) as (server, port), socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(10)
        eventually(lambda: not server._channels())


def test_it_is_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    may_respond, request_began = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        request_began.set()
        may_respond.wait(STALL_SECONDS)
        return app(environ, start)

    with serving(slow) as (server, port):
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            request_began.wait(STALL_SECONDS)
            drain_thread = threading.Thread(target=server.drain, args=(10,))
            drain_thread.start()
            eventually(lambda: _is_refused(port))
            may_respond.set()
            response = b"".join(iter(lambda: connection.recv(65536), b""))
        drain_thread.join(STALL_SECONDS)
    assert response.endswith(BIG)


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except (ConnectionRefusedError, ConnectionResetError):  # the latter, if it was about to be taken
        return True
    return False


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["idle", "half a request"])
def test_idle_connections_hold_nobody_up(monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    monkeypatch.setattr(waitress_server, "_SHORTEST_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(waitress_server, "_SHORTEST_REQUEST_SECONDS", 0.05)
    with serving(app, connection_limit=20, channel_timeout=10**6) as (_, port), ExitStack() as stack:
        for _ in range(40):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS))
            idle.sendall(beginning)
        status, _, body = answer(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (status, body) == (200, b"fine")


def test_a_request_that_is_worked_on_is_not_closed_to_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitress_server, "_SHORTEST_IDLE_SECONDS", 0.0)
    begun, go_on = threading.Event(), threading.Event()

    def slow_app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        begun.set()
        assert go_on.wait(STALL_SECONDS)
        return app(environ, start)

    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with serving(slow_app, connection_limit=20) as (_, port), ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS))
        connection.sendall(request)
        assert begun.wait(STALL_SECONDS)
        others = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS))
            for _ in range(60)
        ]
        assert others[0].recv(1) == b""  # it has been closed
        go_on.set()
        assert b"".join(iter(lambda: connection.recv(65536), b"")).endswith(b"fine")


def test_many_requests_in_one_packet_make_few_responses() -> None:
    paths: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow_app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        begun.set()
        assert go_on.wait(STALL_SECONDS)
        return app(environ, start)

    requests = [f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for number in range(101)]
    with (
        serving(slow_app) as (_, port),
        socket.create_connection(("127.0.0.1", port), STALL_SECONDS) as connection,
    ):
        connection.sendall(b"".join(requests[:100]))
        assert begun.wait(STALL_SECONDS)
        with socket.create_connection(("127.0.0.1", port), STALL_SECONDS) as other:
            other.sendall(requests[100])  # once it is worked on, the server has read the others
            eventually(lambda: "/100" in paths)
            go_on.set()
        responses = b"".join(iter(lambda: connection.recv(65536), b""))
    assert responses.count(b"HTTP/1.1 200 OK") == 2
    assert paths[:1] == ["/0"] and sorted(paths) == ["/0", "/1", "/100"]


def test_clients_that_do_not_read_their_responses_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitress_server, "_SHORTEST_RESPONSE_SECONDS", 0.0)

    def long_app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        content = app(environ, start)
        return [BIG[:8_000_000]] if environ["PATH_INFO"] == "/long" else content

    with serving(long_app, connection_limit=20) as (_, port), ExitStack() as stack:
        for _ in range(30):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, body = answer(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (status, body) == (200, b"fine")


def test_a_client_that_reads_nothing_shuts_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy all clients have one address: none is refused for what another one does."""
    monkeypatch.setattr(waitress_server, "_MAX_UNREAD_BYTES", 30_000_000)
    with serving(app) as (server, port), ExitStack() as stack:
        readers = []
        for number in range(1, 4):
            readers.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS)))
            readers[-1].sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            readers[-1].recv(10)
            eventually(lambda: sum(each.total_outbufs_len > 0 for each in server._channels()) == number)  # noqa: B023
            if number == 1:
                monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 1e6)
            assert answer(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] == 200
        monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 0.0)
        eventually(lambda: len(server._channels()) == 1)  # what it has left is little enough
        assert answer(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] == 200


def test_the_slowest_readers_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 1e6)
    with serving(app) as (server, port), ExitStack() as stack:
        readers = {}
        for name in ("slowest", "slow", "fast"):
            reader = readers[name] = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            reader.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            reader.recv(10)
        eventually(lambda: sum(each.unread_since > 0 for each in server._channels()) == 3)
        received = 10
        while received < 15_000_000:
            received += len(readers["fast"].recv(2**20))
        monkeypatch.setattr(waitress_server, "_MAX_UNREAD_BYTES", 6_000_000)
        monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 0.0)
        eventually(lambda: len(server._channels()) == 1)
        rest = b"".join(iter(lambda: readers["fast"].recv(2**20), b""))
        assert received + len(rest) > len(BIG)


def test_the_slowest_bodies_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 bodies that never end would fill the system's temporary folder."""
    monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 1e6)
    monkeypatch.setattr(waitress_server, "_MAX_ARRIVING_BYTES", 1_500_000)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
    with serving(app, max_request_body_size=1_000_001) as (server, port), ExitStack() as stack:
        clients = []
        for size in (600_000, 700_000, 900_000):
            clients.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS)))
            clients[-1].sendall(head + BIG[:size])
        eventually(lambda: sum(each.body_bytes for each in server._channels()) == 2_200_000)
        now = max(each.began_at for each in server._channels()) + 10
        assert all(each.sending_rate(now) is None for each in server._channels())
        monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 0.0)
        eventually(lambda: sum(each.body_bytes for each in server._channels()) <= 1_500_000)
        assert server._channels()


def test_long_bodies_and_responses_are_in_files() -> None:
    limits = web_server._limits(10**7)
    with serving(app, **{**limits, "threads": 1}) as (server, port), ExitStack() as stack:
        reader = stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS))
        reader.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: any(each.unread_since for each in server._channels()))
        [channel] = server._channels()
        assert all(each.overflowed for each in channel.outbufs if len(each) > web_server._MAX_IN_MEMORY)
        assert limits["outbuf_overflow"] == limits["inbuf_overflow"] == web_server._MAX_IN_MEMORY
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS))
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + BIG[:200_000])
        eventually(lambda: sum(each.body_bytes for each in server._channels()) == 200_000)
        [arriving] = [each.request for each in server._channels() if each.request is not None]
        assert arriving.body_rcv.getbuf().overflowed


def test_one_response_that_is_too_long_for_all_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitress_server, "_MAX_UNREAD_BYTES", 1_000_000)
    monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 0.0)
    with (
        serving(app) as (server, port),
        socket.create_connection(("127.0.0.1", port), STALL_SECONDS) as reader,
    ):
        reader.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually(lambda: any(each.unread_since for each in server._channels()))
        for _ in range(3):
            server.has_iterated()
            eventually(server.has_iterated)
        assert b"".join(iter(lambda: reader.recv(2**20), b"")).endswith(BIG)


def test_a_second_request_behind_an_unread_response_holds_no_thread() -> None:
    """Its response would wait in a thread until the first one is read: some connections would stop all."""
    request = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving(app) as (server, port), ExitStack() as stack:
        for number in range(1, LIMITS["threads"] + 1):  # type: ignore[operator]
            reader = stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS))
            reader.sendall(request + request)
            eventually(lambda: sum(each.total_outbufs_len > 0 for each in server._channels()) == number)  # noqa: B023
        assert answer(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] == 200
        response = b"".join(iter(lambda: reader.recv(2**20), b""))
    assert response.count(b"HTTP/1.1 200 OK") == 1


def test_a_stream_that_is_read_slowly_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitress_server, "_SEND_TIMEOUT_SECONDS", 1e6)  # as if it read a byte now and then
    monkeypatch.setattr(waitress_server, "_MAX_UNREAD_BYTES", 1_500_000)
    monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 1e6)
    ended = threading.Semaphore(0)

    def stream(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/event-stream")])
        try:
            while True:
                yield BIG[:1_000_000]
        finally:
            ended.release()

    with serving(stream) as (server, port):
        with ExitStack() as stack:
            for _ in range(2):
                reader = stack.enter_context(socket.create_connection(("127.0.0.1", port), STALL_SECONDS))
                reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: sum(each.total_outbufs_len > 1_000_000 for each in server._channels()) == 2)
            monkeypatch.setattr(waitress_server, "_SHORTEST_RATE_SECONDS", 0.0)
            assert ended.acquire(timeout=STALL_SECONDS)
            monkeypatch.setattr(waitress_server, "_MAX_UNREAD_BYTES", 10**9)
            assert len(server._channels()) == 1
        assert ended.acquire(timeout=STALL_SECONDS)


def test_a_stream_waits_for_its_reader() -> None:
    unread: list[int] = []

    def stream(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/event-stream")])
        for _ in range(300):
            yield BIG[:65_536]
            unread.append(max(each.total_outbufs_len for each in server._channels()))

    limits = {**web_server._limits(1000), "threads": 1}
    with (
        serving(stream, **limits) as (server, port),
        socket.create_connection(("127.0.0.1", port), STALL_SECONDS) as reader,
    ):
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually(lambda: max(unread, default=0) > web_server._MAX_UNREAD_OF_STREAM)
        response = b"".join(iter(lambda: reader.recv(2**20), b""))
    assert response.count(b"x" * 65_536) == 300
    assert max(unread) <= web_server._MAX_UNREAD_OF_STREAM + 2 * 65_536
