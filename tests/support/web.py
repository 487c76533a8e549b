"""A web server of our own, that answers as it is told and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_LONGEST_HOLD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came. Header names in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered to every request for a path, once `hold` is set if there is one."""

    content: bytes = b""
    type: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None


@dataclass(slots=True)
class WebServer:
    """`pages` by path; what is not there is answered with 404, once `hold` is set if there is one. `asked`:
    the requests, oldest first."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    hold: threading.Event | None = None


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A server on a port of the kernel's choice, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.asked.append(Asked(self.command, self.path, headers, content))
            page = server.pages.get(self.path, Page(b"nothing here", "text/plain", 404, hold=server.hold))
            if page.hold:
                page.hold.wait(_LONGEST_HOLD_SECONDS)
            self.send_response(page.status)
            told = {"Content-Length": str(len(page.content)), "Content-Type": page.type, **page.headers}
            for name, value in told.items():
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
