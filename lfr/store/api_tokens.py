"""The named tokens of the API in Redis, so that all servers know them at once.

A token itself is stored nowhere, only its SHA-256. A token has 256 random bits: nobody finds it from that. A
slow hash, as passwords need one, or a key would add nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import parse_pairs

MAX_TOKENS: Final = 1000
"""How many named tokens there may be."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A named token.

    digest       SHA-256 of the token, in hexadecimal digits
    access       what it permits: a word of `lfr.operations.access`
    created_ms, expires_ms  in milliseconds since the epoch; 0: it does not expire
    made_by      who has made it; empty: it is not known
    """

    name: str
    digest: str
    access: str
    created_ms: int
    expires_ms: int
    made_by: str = ""


def load_tokens(connection: Connection) -> dict[str, StoredToken]:
    """Return all tokens by name. (HGETALL)"""
    pairs = parse_pairs(connection.call("HGETALL", keys.TOKENS))
    return {name.decode(): StoredToken(name.decode(), **json.loads(value)) for name, value in pairs.items()}


def watch_tokens(connection: Connection) -> dict[str, StoredToken]:
    """Watch all tokens, and return them by name. (WATCH, HGETALL)"""
    connection.execute([("WATCH", keys.TOKENS)])
    return load_tokens(connection)


def store_token_command(token: StoredToken) -> Command:
    """Return the command that stores a token. (HSET)"""
    names = ("digest", "access", "created_ms", "expires_ms", "made_by")
    return ("HSET", keys.TOKENS, token.name, json.dumps({name: getattr(token, name) for name in names}))


def remove_token_command(name: str) -> Command:
    """Return the command that removes a token. (HDEL)"""
    return ("HDEL", keys.TOKENS, name)
