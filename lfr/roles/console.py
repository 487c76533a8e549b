"""Serves the console, for browsers, and below `/api` the API that it speaks to."""

from __future__ import annotations

from lfr.runtime.process import Life
from lfr.store.redis.connection import Store
from lfr.web.app import make_app
from lfr.web.auth import Rules
from lfr.web.console import API, make_console, read_files
from lfr.web.http import Streams
from lfr.web.http_process import serve_http
from lfr.web.server import Address, Application


def run(store: Store, life: Life, address: str = "") -> int:
    """Serve until the process is told to stop; its exit code. Raises BadInput, CannotWrite and NotFound."""
    files = read_files()

    def make(rules: Rules, streams: Streams) -> Application:
        most_bytes = store.settings.api_body
        api = make_app(store, rules, most_bytes=most_bytes, root=API, streams=streams)
        return make_console(api, rules, files)

    return serve_http("console", store, life, address, Address("0.0.0.0", 8000), make)
