"""The role console: serves the console for browsers, and the API that it uses under `/api`."""

from __future__ import annotations

from lfr.runtime.process import RoleContext
from lfr.store.redis.connection import Store
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.console import API, make_console, read_static_files
from lfr.web.http_process import serve_http
from lfr.web.server import Address, Application, StreamSlots
from lfr.web.token_file import find_token_file


def run(store: Store, context: RoleContext, address: str = "") -> int:
    """Serve at `HOST[:PORT]` until stopped; return the exit code. Raises BadInput for a malformed address,
    CannotWrite if it cannot listen there or cannot read or store its token, NotFound without its files."""
    files = read_static_files()
    settings = store.settings
    token_file = None if settings.api_token or settings.api_read_token else find_token_file(settings)

    def make(policy: AccessPolicy, streams: StreamSlots) -> Application:
        api = make_app(store, policy, max_body=store.settings.api_body, root=API, streams=streams)
        return make_console(api, policy, files, token_file)

    return serve_http("console", store, context, address, Address("0.0.0.0", 8000), make)
