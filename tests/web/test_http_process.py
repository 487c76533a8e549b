"""`lfr api` as a process: it serves, its streams end when it is stopped, two share one token."""

from __future__ import annotations

import http.client
import signal
import socket
from contextlib import closing
from pathlib import Path

from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store
from tests.support.waiting import STALL_SECONDS
from tests.web.serving import serving


def test_open_streams_end_when_it_is_stopped(redis_url: str, store: Store) -> None:
    id = start_workflow(store, "a").id
    with serving(redis_url) as (process, port), open_stream(port, "/live") as list_stream:
        with open_stream(port, f"/workflows/{id}/live") as workflow_stream:
            for stream in (list_stream, workflow_stream):
                until(stream, b"data: ")
            process.send_signal(signal.SIGTERM)
            rests = [b"".join(iter(lambda: list_stream.recv(65536), b""))]
            rests += [b"".join(iter(lambda: workflow_stream.recv(65536), b""))]
        assert process.wait(STALL_SECONDS) == 0
    assert all(end.endswith(b"0\r\n\r\n") for end in rests)  # chunked, and whole (RFC 9112, section 7.1)


def open_stream(port: int, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return connection


def until(connection: socket.socket, words: bytes) -> bytes:
    """Return the received bytes, up to these words at least."""
    received = b""
    while words not in received:
        received += connection.recv(65536)
    return received


def test_a_body_that_is_too_large_is_not_even_read(redis_url: str) -> None:
    with (
        serving(redis_url, more={"LFR_API_BODY": "1000"}) as (_, port),
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=STALL_SECONDS)) as connection,
    ):
        connection.putrequest("POST", "/workflows/start")
        connection.putheader("Content-Length", "1001")
        connection.endheaders()
        reply = connection.getresponse()
        assert (reply.status, reply.headers["Content-Type"]) == (413, "application/problem+json")


def test_two_processes_ask_for_one_token(redis_url: str, tmp_path: Path) -> None:
    more = {"STATE_DIRECTORY": str(tmp_path), "LFR_API_TOKEN": ""}
    with (
        serving(redis_url, "0.0.0.0:0", more) as (_, first),
        serving(redis_url, "0.0.0.0:0", more) as (_, second),
    ):
        token = (tmp_path / "api-token").read_text().strip()
        assert [ask(port, token) for port in (first, second)] == [200, 200]
        assert [ask(port, "another") for port in (first, second)] == [401, 401]


def ask(port: int, token: str) -> int:
    """The status of an answer to a request with this token."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=STALL_SECONDS)) as connection:
        connection.request("GET", "/workflows", headers={"Authorization": f"Bearer {token}"})
        with connection.getresponse() as reply:
            reply.read()
            return reply.status


def test_the_body_of_a_stranger_is_not_read(redis_url: str) -> None:
    more = {"LFR_API_TOKEN": "sesame", "LFR_API_REQUIRE_TOKEN": "always"}
    with serving(redis_url, more=more) as (_, port):
        for token, status in (("", 401), ("Bearer wrong", 401), ("Bearer sesame", 201)):
            for framing in ("Content-Length: 100000", "Transfer-Encoding: chunked"):
                with socket.create_connection(("127.0.0.1", port), STALL_SECONDS) as connection:
                    head = f"POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n"
                    head += f"Content-Type: application/json\r\n{framing}\r\n\r\n"
                    connection.sendall(head.encode())
                    if status == 201:  # only now the body
                        body = b'{"kind": "x"}'.ljust(100_000)
                        chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                        connection.sendall(body if "Length" in framing else chunk)
                    assert until(connection, b"\r\n\r\n").startswith(f"HTTP/1.1 {status} ".encode())
