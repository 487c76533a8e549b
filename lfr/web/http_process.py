"""The process of a role that serves HTTP: access policy, and heartbeats to systemd and Redis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from lfr.config.settings import Settings
from lfr.errors import Refused, Unreachable, WrongServer
from lfr.runtime.heartbeat import this_process
from lfr.runtime.process import RoleContext, handle_reload_signal
from lfr.store.processes import heartbeat_commands, remove_process_commands
from lfr.store.redis.connection import Store
from lfr.web.auth import AccessPolicy, may_send_body
from lfr.web.named_tokens import NamedTokens
from lfr.web.server import Address, Application, StreamSlots, host_names, parse_address, serve
from lfr.web.token_file import Tokens, load_tokens

LOGGER = logging.getLogger(__name__)


def serve_http(
    name: str,
    store: Store,
    context: RoleContext,
    address_text: str,
    default: Address,
    make_application: Callable[[AccessPolicy, StreamSlots], Application],
) -> int:
    """Serve an application until SIGTERM or SIGINT. Return the exit code.

    name              the application, for the log
    address_text      the address to listen at; `default` supplies missing parts
    make_application  returns the application for an access policy and stream slots

    Creates a token if the settings have none. Raises BadInput for the
    address, CannotWrite if the server cannot listen there or cannot store the token, and WrongServer.
    """
    address = parse_address(address_text, default)
    _check_server(store)
    tokens = load_tokens(store.settings)
    policy = make_policy(store.settings, tokens, address)
    _load_named_tokens(store, policy.named)
    heartbeat = ServerHeartbeat(context, store, policy.named)

    def on_ready(bound: Address) -> None:
        LOGGER.info("the %s listens at http://%s", name, bound)
        if tokens.file is not None:
            LOGGER.info("it requires the token in %s", tokens.file)
        if policy.is_open:
            LOGGER.info("programs of this machine need none (api.require_token)")
        heartbeat.start(bound)

    streams = StreamSlots()
    app = make_application(policy, streams)
    max_body = store.settings.api_body
    code = serve(
        app,
        address,
        on_ready,
        heartbeat.beat,
        streams.close,
        may_send_body=partial(may_send_body, policy),
        max_body=max_body,
    )
    heartbeat.stop()
    return code


def make_policy(settings: Settings, tokens: Tokens, address: Address) -> AccessPolicy:
    """Return the policy of a server at this address. It is open if the settings say so, the address is on
    loopback, and no proxy is expected, which `api.hosts` tells."""
    hosts = frozenset(settings.api_hosts)
    is_open = settings.api_require_token == "remote" and address.is_local and not hosts
    return AccessPolicy(tokens.operate, tokens.read, host_names(address) | hosts, is_open)


def _check_server(store: Store) -> None:
    """Raise WrongServer if lfr cannot use the server at the address. One that does not answer may come."""
    try:
        with store.connect() as connection:
            connection.call("PING")
    except WrongServer:
        raise
    except (Unreachable, Refused):
        pass


def _load_named_tokens(store: Store, tokens: NamedTokens) -> None:
    """Load the named tokens before the first request. Without Redis, the heartbeat will load them."""
    with suppress(Unreachable, Refused), store.connect() as connection:
        tokens.refresh(connection)


class ServerHeartbeat:
    """Reports a server's state to systemd and Redis, from the main thread, and renews its copy of the named
    tokens. Handles the reload signal, too."""

    def __init__(self, context: RoleContext, store: Store, tokens: NamedTokens) -> None:
        self._tokens = tokens
        self._supervisor = context.supervisor
        self._store = store
        self._process = this_process(context.name, {})
        self._forget_seconds = store.settings.tasks_forget_seconds
        self._status = ""
        handle_reload_signal(context)

    def start(self, address: object) -> None:
        """Report to systemd that the server accepts connections at the address. (READY=1)"""
        self._status = f"listens at http://{address}"
        self._supervisor.notify("READY=1", f"STATUS={self._status}")

    def beat(self) -> None:
        """Report to Redis and systemd that the server's loop runs. The watchdog is fed even without Redis."""
        self._process = replace(self._process, passes=self._process.passes + 1)
        status = self._status
        try:
            with self._store.connect() as connection:
                connection.execute(
                    heartbeat_commands(self._process, self._store.settings.tasks_forget_seconds)
                )
                self._tokens.refresh(connection)
        except (Unreachable, Refused) as error:
            status = f"{status}; {error.message}"
        self._supervisor.notify("WATCHDOG=1", f"STATUS={status}")

    def stop(self) -> None:
        """Remove the process from Redis, if that answers."""
        with suppress(Unreachable, Refused), self._store.connect() as connection:
            connection.execute(remove_process_commands(self._process))
