"""The named tokens that a server accepts: a copy of those in Redis, which its heartbeat renews.

So a request does not wait for Redis to learn whose it is, and a token that is added or removed counts within
some seconds.
"""

from __future__ import annotations

import hmac
import time

from lfr.operations.access import Access
from lfr.operations.tokens import NAMED_ACCESS, hash_token
from lfr.store.api_tokens import StoredToken, load_tokens
from lfr.store.redis.connection import Connection
from lfr.web.http import Caller


class NamedTokens:
    """The named tokens of a server. Any thread may call it."""

    def __init__(self) -> None:
        self._tokens: dict[str, StoredToken] = {}  # by their digests; replaced as a whole

    def refresh(self, connection: Connection) -> None:
        """Read the tokens anew. (HGETALL)"""
        self._tokens = {token.digest: token for token in load_tokens(connection).values()}

    def find(self, token: str) -> Caller | None:
        """Return who has this token; None: there is no such token, or it has expired.

        The time of the look-up by the digest says nothing: nobody can choose the digest of a token.
        """
        digest = hash_token(token)
        stored = self._tokens.get(digest)
        if stored is None or not hmac.compare_digest(stored.digest, digest):
            return None
        if stored.access not in NAMED_ACCESS or 0 < stored.expires_ms <= 1000 * time.time():
            return None
        return Caller(stored.name, Access(stored.access))
