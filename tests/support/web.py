"""A web server for tests: it answers with prepared pages and records the requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_LONGEST_HOLD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request that the server has received. Header names are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """The response to every request for a path. If there is `hold`, it is sent once that is set."""

    content: bytes = b""
    type: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None


@dataclass(slots=True)
class WebServer:
    """A server with `pages` by path, and 404 for others (after `hold`, as for a page).

    `requests` are those received, oldest first.
    """

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[ReceivedRequest] = field(default_factory=list)
    hold: threading.Event | None = None


@contextmanager
def web_server() -> Iterator[WebServer]:
    """Run a server on a free port for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append(ReceivedRequest(self.command, self.path, headers, content))
            page = server.pages.get(self.path, Page(b"nothing here", "text/plain", 404, hold=server.hold))
            if page.hold:
                page.hold.wait(_LONGEST_HOLD_SECONDS)
            self.send_response(page.status)
            all_headers = {
                "Content-Length": str(len(page.content)),
                "Content-Type": page.type,
                **page.headers,
            }
            for name, value in all_headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = WebServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
