"""Serves the HTTP API."""

from __future__ import annotations

from lfr.roles.process import Life
from lfr.roles.serving import serve_http
from lfr.store.connection import Store
from lfr.web.access import Rules
from lfr.web.app import make_app
from lfr.web.exchange import Streams
from lfr.web.server import Address, Application


def run(store: Store, life: Life, address: str = "") -> int:
    """Serve until the process is told to stop; its exit code. Raises BadInput and CannotWrite."""

    def make(rules: Rules, streams: Streams) -> Application:
        app: Application = make_app(store, rules, most_bytes=store.settings.api_body, streams=streams)
        return app

    return serve_http("API", store, life, address, Address("0.0.0.0", 5000), make)
