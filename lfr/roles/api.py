"""The role api: serves the HTTP API."""

from __future__ import annotations

from lfr.runtime.process import RoleContext
from lfr.store.redis.connection import Store
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.http_process import serve_http
from lfr.web.server import Address, Application, StreamSlots


def run(store: Store, context: RoleContext, address: str = "") -> int:
    """Serve at `HOST[:PORT]` until stopped; return the exit code. Raises BadInput for a malformed address,
    CannotWrite if it cannot listen there or cannot read or store its token."""

    def make_api(policy: AccessPolicy, streams: StreamSlots) -> Application:
        app: Application = make_app(store, policy, max_body=store.settings.api_body, streams=streams)
        return app

    return serve_http("API", store, context, address, Address("0.0.0.0", 5000), make_api)
