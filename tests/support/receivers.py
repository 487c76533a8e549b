"""Receivers of notices: a server of webhooks and a mail server, in threads of the test."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebhookServer:
    """Takes what is posted to it.

    requests  each as path, headers (by name in small letters) and JSON; of a GET None
    answers   the codes of the next responses; after them: 200
    held      while it is not set, requests wait for it before they are answered
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[int] = []
        self.held = threading.Event()
        self.held.set()

    def bodies(self, path: str = "/hook") -> list[dict[str, Any]]:
        """Return what was posted to a path."""
        return [body for each, _, body in list(self.requests) if each == path]


@contextmanager
def webhook_server() -> Iterator[WebhookServer]:
    """Run a server of webhooks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer({**json.loads(body), "_raw": body})

        def do_GET(self) -> None:
            self.answer(None)

        def answer(self, body: Any) -> None:
            headers = {name.lower(): text for name, text in self.headers.items()}
            receiver.requests.append((self.path, headers, body))
            receiver.held.wait()
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"word")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver = WebhookServer(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.held.set()
            server.shutdown()


class MailSink:
    """Takes mail. `lines`: the commands of clients, their verbs in capitals; `mails`: the texts of the mails;
    `port`: where it is."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.mails: list[str] = []
        self.port = 0


@contextmanager
def mail_server(
    *, refuses: str = "", tls: ssl.SSLContext | None = None, login: str = "235 welcome"
) -> Iterator[MailSink]:
    """Run a mail server. It answers with 550 to lines that contain `refuses`, and with `login` to a login; it
    offers STARTTLS with `tls`. (RFC 5321, RFC 3207)"""
    sink = MailSink()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with ExitStack() as secured:
                self.serve(secured)

        def serve(self, secured: ExitStack) -> None:
            self.reply("220 test")
            while line := self.rfile.readline().decode().strip():
                verb, *words = line.split(" ", 1)
                verb = verb.upper()
                line = " ".join([verb, *words])
                sink.lines.append(line)
                if refuses and refuses in line:
                    self.reply("550 not here")
                elif verb == "EHLO":
                    self.reply("250-test", "250-AUTH PLAIN", "250 STARTTLS" if tls else "250 SMTPUTF8")
                elif verb == "STARTTLS" and tls:
                    self.reply("220 go on")
                    try:
                        inner = tls.wrap_socket(self.connection, server_side=True)
                    except ssl.SSLError:  # the client does not trust it
                        return
                    secured.enter_context(inner)
                    self.rfile, self.wfile = inner.makefile("rb"), inner.makefile("wb")
                elif verb == "DATA":
                    self.reply("354 go on")
                    sink.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                    self.reply("250 taken")
                elif verb == "QUIT":
                    self.reply("221 bye")
                    return
                else:
                    self.reply(login if verb == "AUTH" else "250 ok")

        def reply(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
            self.wfile.flush()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        sink.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield sink
        finally:
            server.shutdown()


def named(results: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the one of these objects that has a name."""
    [result] = [each for each in results if each["name"] == name]
    return result


@contextmanager
def endless_server(piece: bytes, pause_seconds: float) -> Iterator[int]:
    """Run a server that sends a piece again and again, with a pause between, as long as somebody listens.
    Yield its port."""
    is_over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while not is_over.wait(pause_seconds):
                    self.request.sendall(piece)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            is_over.set()
            server.shutdown()
