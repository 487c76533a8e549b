"""The loop that serves: what is no request, what never comes to an end, and how it is drained."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lfr.web import waitress_server as loop_module
from lfr.web.waitress_server import Loop
from tests.support.waiting import eventually

LIMITS = {"threads": 4, "max_request_header_size": 2000, "max_request_body_size": 1001, "ident": None}
BIG = b"x" * 20_000_000


@contextmanager
def serving(app: Callable[..., Iterable[bytes]]) -> Iterator[tuple[Loop, int]]:
    """A loop that serves this application, and its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    loop = Loop(app, [listening], LIMITS)
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    try:
        yield loop, port
    finally:
        loop.drain(5)


def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    return [BIG if environ["PATH_INFO"] == "/big" else b"fine"]


def answer(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by their names in small letters, and body."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        told = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = told.partition(b"\r\n\r\n")
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
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n500\r\n" + b"a" * 0x500, 413),
    ],
)
def test_what_is_no_request_is_a_problem(request_: bytes, status: int) -> None:
    with serving(app) as (_, port):
        found, headers, body = answer(port, request_)
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    assert headers["x-content-type-options"] == "nosniff"
    told = json.loads(body)
    assert told["status"] == status and told["detail"] and "waitress" not in body.decode()


@pytest.mark.parametrize(
    "beginning",
    [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{"],
    ids=["headers", "body"],
)
def test_a_request_that_never_comes_to_its_end(monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    monkeypatch.setattr(loop_module, "_LONGEST_REQUEST_SECONDS", 0.1)
    with serving(app) as (_, port):
        status, headers, _ = answer(port, beginning)
    assert (status, headers["connection"]) == (408, "close")


def test_a_slow_request_is_not_measured_by_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection may be kept for long, if each request on it comes as a whole."""
    with serving(app) as (loop, port), socket.create_connection(("127.0.0.1", port), 10) as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            told = b""
            while not told.endswith(b"fine"):  # headers and body may come one by one
                part = connection.recv(1000)
                assert part
                told += part
            monkeypatch.setattr(loop_module, "_LONGEST_REQUEST_SECONDS", 0.0)
            loop.has_turned()
            eventually(loop.has_turned)
            monkeypatch.undo()


def test_who_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "_LONGEST_UNREAD_SECONDS", 0.1)
    with serving(app) as (loop, port), socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(10)
        eventually(lambda: not loop._channels())


def test_it_is_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    held, begun = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        begun.set()
        held.wait(10)
        return app(environ, start)

    with serving(slow) as (loop, port):
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            begun.wait(10)
            draining = threading.Thread(target=loop.drain, args=(10,))
            draining.start()
            eventually(lambda: _is_refused(port))
            held.set()
            told = b"".join(iter(lambda: connection.recv(65536), b""))
        draining.join(10)
    assert told.endswith(BIG)


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except (ConnectionRefusedError, ConnectionResetError):  # the latter, if it was about to be taken
        return True
    return False
