"""The life of a role that serves HTTP: who may ask, what is told to systemd and to Redis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from lfr.errors import Refused, Unreachable
from lfr.runtime.heartbeat import this_process
from lfr.runtime.process import Life, heed_reload
from lfr.store.processes import sign, sign_off
from lfr.store.redis.connection import Store
from lfr.web.auth import Rules
from lfr.web.http import Streams
from lfr.web.server import Address, Application, own_names, read_address, serve
from lfr.web.token_file import tokens_for

LOGGER = logging.getLogger(__name__)


def serve_http(
    what: str,
    store: Store,
    life: Life,
    address: str,
    default: Address,
    make: Callable[[Rules, Streams], Application],
) -> int:
    """Serve what `make` makes, until the process is told to stop; its exit code.

    `address`: where to listen, as it was given; `default` has what is left out of it. Raises BadInput and
    CannotWrite.
    """
    where = read_address(address, default)
    tokens = tokens_for(store.settings, is_local=where.is_local)
    rules = Rules(tokens.operate, tokens.read, own_names(where) | frozenset(store.settings.api_hosts))
    signs = ServerSigns(life, store)

    def ready(at: Address) -> None:
        LOGGER.info("the %s listens at http://%s", what, at)
        if tokens.file is not None:
            LOGGER.info("it asks for the token in %s", tokens.file)
        signs.ready(at)

    streams = Streams()
    app = make(rules, streams)
    most_bytes = store.settings.api_body
    code = serve(app, where, ready, signs.alive, streams.close, most_bytes=most_bytes)
    signs.gone()
    return code


class ServerSigns:
    """Says what a server of pages and answers does. Called by the thread that waits for its end."""

    def __init__(self, life: Life, store: Store) -> None:
        self._supervisor = life.supervisor
        self._store = store
        self._about = this_process(life.name)
        self._does = ""
        heed_reload(life)

    def ready(self, address: object) -> None:
        """Connections are taken at this address."""
        self._does = f"listens at http://{address}"
        self._supervisor.tell("READY=1", f"STATUS={self._does}")

    def alive(self) -> None:
        """The loop that serves has turned. A Redis that is away is told, and no reason to be killed."""
        self._about = replace(self._about, passes=self._about.passes + 1)
        status = self._does
        try:
            with self._store.link() as link:
                link.exchange(sign(self._about))
        except (Unreachable, Refused) as error:
            status = f"{status}; {error.message}"
        self._supervisor.tell("WATCHDOG=1", f"STATUS={status}")

    def gone(self) -> None:
        """The last word."""
        with suppress(Unreachable, Refused), self._store.link() as link:
            link.exchange(sign_off(self._about))
