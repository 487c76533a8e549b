"""Adds, lists and removes the named tokens of the API."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any, Final, NamedTuple

from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.access import Access
from lfr.operations.operator_actions import note_action
from lfr.store.api_tokens import (
    MAX_TOKENS,
    StoredToken,
    load_tokens,
    remove_token_command,
    store_token_command,
    watch_tokens,
)
from lfr.store.redis.connection import Command, Store, read_time_ms
from lfr.store.redis.transaction import retry_until_committed
from lfr.values.checks import suggestion
from lfr.values.times import DURATION_FORMAT, iso_time, parse_duration

NAMED_ACCESS: Final = (Access.READ, Access.OPERATE, Access.ADMIN)

RESERVED_NAMES: Final = ("api.token", "api.read_token", "loopback")
"""The names under which histories know who has another token, or none."""

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.@-]{0,63}", re.ASCII)

_MOST_SECONDS: Final = 100 * 366 * 86_400.0


class NewToken(NamedTuple):
    """A token that was added. Nobody can read `token` again."""

    token: str
    description: dict[str, Any]


def add_token(store: Store, name: str, access: str, lifetime: float | str | None = None) -> NewToken:
    """Make a token with this name, which permits `access` (read, operate, admin), for `lifetime` (seconds, or
    a text as `90d`; None: until it is removed). Servers know it within some seconds.

    Raises BadInput, and Conflict if the name is in use, or there are a thousand tokens.
    """
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        hint = "up to 64 letters, digits, _ . @ -, as ci or ann@example.org"
        raise BadInput(f"{name[:70]!r} cannot be the name of a token", hint=hint)
    if access not in NAMED_ACCESS:
        raise BadInput(
            f"there is no role {access[:40]!r} of tokens", hint="one of " + ", ".join(NAMED_ACCESS)
        )
    seconds = None if lifetime is None else parse_duration(lifetime)
    if lifetime is not None and (seconds is None or not 0 < seconds <= _MOST_SECONDS):
        raise BadInput(f"{str(lifetime)[:40]} is no time until a token expires", hint=DURATION_FORMAT)
    token = f"lfr_{secrets.token_urlsafe(32)}"
    with store.connect() as connection:

        def attempt() -> tuple[list[Command], StoredToken]:
            tokens = watch_tokens(connection)
            if name in tokens:
                raise Conflict(f"there is a token {name} already", hint=f"lfr token remove {name}")
            if len(tokens) >= MAX_TOKENS:
                raise Conflict(f"there are {MAX_TOKENS} tokens already", hint="remove some: lfr token list")
            now_ms = read_time_ms(connection)
            expires_ms = 0 if seconds is None else now_ms + round(1000 * seconds)
            made_by = store.actor.name if store.actor else ""
            stored = StoredToken(name, hash_token(token), access, now_ms, expires_ms, made_by)
            note = note_action(store, "add-token", token=name, role=access)
            return [store_token_command(stored), *note], stored

        return NewToken(token, _describe(retry_until_committed(connection, attempt)))


def list_tokens(store: Store) -> list[dict[str, Any]]:
    """Return the named tokens by name, as plain data: name, role, created, expires (None: never), made_by
    (None: not known), and expired."""
    with store.connect() as connection:
        tokens, now_ms = load_tokens(connection), read_time_ms(connection)
    return [
        {**_describe(tokens[name]), "expired": 0 < tokens[name].expires_ms <= now_ms}
        for name in sorted(tokens)
    ]


def remove_token(store: Store, name: str) -> None:
    """Remove a token; servers refuse it within some seconds. Raises NotFound."""
    with store.connect() as connection:

        def attempt() -> tuple[list[Command], None]:
            tokens = watch_tokens(connection)
            if name not in tokens:
                hint = suggestion(name, tokens) or "lfr token list shows them"
                raise NotFound(f"there is no token {name[:70]}", hint=hint)
            return [remove_token_command(name), *note_action(store, "remove-token", token=name)], None

        retry_until_committed(connection, attempt)


def hash_token(token: str) -> str:
    """Return the text under which a token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def _describe(token: StoredToken) -> dict[str, Any]:
    return {
        "name": token.name,
        "role": token.access,
        "created": iso_time(token.created_ms),
        "expires": iso_time(token.expires_ms),
        "made_by": token.made_by or None,
    }
