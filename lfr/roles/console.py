"""Serves the console, for browsers, and below `/api` the API that it speaks to."""

from __future__ import annotations

from lfr.roles.process import Life
from lfr.roles.serving import serve_http
from lfr.store.connection import Store
from lfr.web.access import Rules
from lfr.web.app import make_app
from lfr.web.console import API, make_console, read_files
from lfr.web.exchange import Streams
from lfr.web.server import Address, Application


def run(store: Store, life: Life, address: str = "") -> int:
    """Serve until the process is told to stop; its exit code. Raises BadInput, CannotWrite and NotFound."""
    files = read_files()

    def make(rules: Rules, streams: Streams) -> Application:
        most_bytes = store.settings.api_body
        api = make_app(store, rules, most_bytes=most_bytes, root=API, streams=streams)
        return make_console(api, rules, files)

    return serve_http("console", store, life, address, Address("0.0.0.0", 8000), make)
