"""Servers that do all but answer: every exchange ends by its deadline, whatever is sent meanwhile."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from lfr.outbound.http_client import HttpClient, NoResponse
from lfr.outbound.timed_socket import AddressDenied, connect
from lfr.tasks.uri_policy import WebLocation
from tests.support.waiting import STALL_SECONDS

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def server(pieces: Callable[[], Iterator[bytes]], pause: float = 0.01) -> Iterator[WebLocation]:
    """Run a server that sends pieces to each client with a pause after each, until the client is gone or the
    block ends."""
    is_over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for piece in pieces():
                if is_over.is_set():
                    return
                connection.sendall(piece)
                if pause:
                    is_over.wait(pause)
            is_over.wait(STALL_SECONDS)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield WebLocation("http", "127.0.0.1", listener.getsockname()[1], "/")
        finally:
            is_over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def request(location: WebLocation, content: bytes | None = None, seconds: float = 0.3) -> str:
    """Return why a request has no response. It fails if the request lasts much longer than it may."""
    client = HttpClient(10_000_000, lambda location, address: "")
    reasons: list[str] = []

    def send() -> None:
        try:
            client.request("POST", location, {}, content, timeout_seconds=seconds)
        except NoResponse as error:
            reasons.append(str(error))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(STALL_SECONDS / 2)
    assert not thread.is_alive(), "the request does not end"
    return reasons[0]


@pytest.mark.parametrize(
    "pieces",
    [
        lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
        lambda: iter([HEAD, *([b"X"] * 100_000)]),
        lambda: (b"X-%d: y\r\n" % number if number else HEAD for number in range(100)),
        lambda: iter([CHUNKED, *([b"1\r\nx\r\n"] * 100_000)]),
        lambda: iter([CHUNKED, b"1", *([b"0"] * 100_000)]),
        lambda: iter([CHUNKED, b"1;", *([b"x"] * 100_000)]),
        lambda: iter([CHUNKED, b"0\r\n", *([b"X: y\r\n"] * 100_000)]),
        lambda: iter([HEAD + b"Content-Length: 1000000\r\n\r\n", *([b"x"] * 1_000_000)]),
        lambda: iter(
            [
                HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\0",
                *([b"\0\0\0\xff\xff"] * 100_000),  # empty blocks
            ]
        ),
        lambda: iter([b"H"]),
        lambda: iter([]),
    ],
    ids=[
        "100",
        "header",
        "headers",
        "chunks",
        "size",
        "extension",
        "trailers",
        "body",
        "gzip",
        "start",
        "none",
    ],
)
def test_a_server_that_never_ends_its_answer(pieces: Callable[[], Iterator[bytes]]) -> None:
    with server(pieces) as location:
        assert request(location) == "no whole answer within 0.3 s"


def test_a_flood_of_interim_answers_ends_at_a_size() -> None:
    pieces = lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)  # noqa: E731
    with server(pieces, pause=0) as location:
        reason = request(location, seconds=STALL_SECONDS)
    assert reason == "the connection broke off: the head of the response has more than 1048576 bytes"


def test_a_server_that_reads_nothing() -> None:
    with server(lambda: iter([])) as location:
        assert request(location, bytes(50_000_000)) == "no whole answer within 0.3 s"


@contextmanager
def look_ups_that_end(is_over: threading.Event) -> Iterator[None]:
    """After the block let the look-ups go on, and wait for their threads."""
    yield
    is_over.set()
    for thread in threading.enumerate():
        if thread.name == "look-up":
            thread.join(STALL_SECONDS)


def test_a_look_up_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over, system = threading.Event(), socket.getaddrinfo

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        if not options["flags"]:
            is_over.wait(STALL_SECONDS)
        return system("x", 1, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with look_ups_that_end(is_over):
        assert request(WebLocation("http", "slow.example", 80, "/")) == "no whole answer within 0.3 s"


def test_a_handshake_that_does_not_end() -> None:
    with server(lambda: iter([b"\x16\x03\x03\x40\0", *([b"\0"] * 16_000)])) as location:
        location = WebLocation("https", "127.0.0.1", location.port, "/")
        assert request(location) == "no whole answer within 0.3 s"


def test_the_addresses_of_a_host_that_may_not_be_reached_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        system = socket.getaddrinfo
        rows = [
            row for host in ("127.0.0.2", "127.0.0.1") for row in system(host, port, type=socket.SOCK_STREAM)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: rows)
        deadline = time.monotonic() + STALL_SECONDS
        check = lambda address: "no" if str(address) == "127.0.0.2" else ""  # noqa: E731
        with connect("two.example", port, deadline, check) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
        with pytest.raises(AddressDenied):
            connect("two.example", port, deadline, lambda address: "no")


def test_of_many_addresses_some_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []

    def refuse(self: socket.socket, endpoint: Any) -> None:
        tried.append(endpoint)
        raise ConnectionRefusedError(111, "Connection refused")

    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 80)) for number in range(200)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: rows)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ConnectionRefusedError):
        connect("many.example", 80, time.monotonic() + STALL_SECONDS, lambda address: "")
    assert len(tried) == 8


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *names]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both


def test_the_certificate_must_be_that_of_the_host(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the connection goes to an address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    http = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        strict = HttpClient(1000, lambda location, address: "")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = HttpClient(1000, lambda location, address: "")
        locations = [
            WebLocation("https", host, http.server_port, "/none") for host in ("localhost", "127.0.0.1")
        ]
        assert client.request("GET", locations[0], {}, timeout_seconds=STALL_SECONDS).code == 501
        with pytest.raises(NoResponse, match=r"TLS: .*IP address mismatch"):
            client.request("GET", locations[1], {}, timeout_seconds=STALL_SECONDS)
        with pytest.raises(NoResponse, match=r"TLS: .*self.signed certificate"):
            strict.request("GET", locations[0], {}, timeout_seconds=STALL_SECONDS)
    finally:
        http.shutdown()
        http.server_close()


def test_look_ups_that_do_not_end_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each keeps a thread, after its request as well."""
    is_over, begun, system = threading.Event(), [], socket.getaddrinfo

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        if not options["flags"]:
            begun.append(args)
            is_over.wait(STALL_SECONDS)
        return system("x", 1, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("lfr.outbound.timed_socket._LOOKUPS", threading.BoundedSemaphore(3))
    with look_ups_that_end(is_over):
        reasons = [request(WebLocation("http", f"{i}.example", 80, "/"), seconds=0.01) for i in range(9)]
    assert len(begun) == 3
    assert set(reasons) == {"no whole answer within 0.01 s"}
