"""Serves the HTTP API."""

from __future__ import annotations

import logging

from lfr.roles.process import Life
from lfr.roles.serving import ServerSigns
from lfr.store.connection import Store
from lfr.web.access import Rules
from lfr.web.app import make_app
from lfr.web.exchange import Streams
from lfr.web.server import Address, own_names, read_address, serve
from lfr.web.tokens import tokens_for

LOGGER = logging.getLogger(__name__)


def run(store: Store, life: Life, address: str = "") -> int:
    """Serve until the process is told to stop; its exit code. Raises BadInput and CannotWrite."""
    where = read_address(address, Address("0.0.0.0", 5000))
    tokens = tokens_for(store.settings, is_local=where.is_local)
    rules = Rules(tokens.operate, tokens.read, own_names(where) | frozenset(store.settings.api_hosts))

    signs = ServerSigns(life, store)

    def ready(at: Address) -> None:
        LOGGER.info("the API listens at http://%s", at)
        if tokens.file is not None:
            LOGGER.info("it asks for the token in %s", tokens.file)
        signs.ready(at)

    streams = Streams()
    most_bytes = store.settings.api_body
    app = make_app(store, rules, most_bytes=most_bytes, streams=streams)
    code = serve(app, where, ready, signs.alive, streams.close, most_bytes=most_bytes)
    signs.gone()
    return code
