"""Where requests go, as littleflow_redis keeps it: in Redis, by environment and category."""

from __future__ import annotations

from lfr.store.redis.connection import Connection

_PREFIX = "littleflow:config:env-prefix"


def read_base_url(connection: Connection, environ: str, category: str) -> str:
    """The base URL of an environment for a category; empty if there is none. (MGET, twice)

    The key is `PREFIXenv:ENVIRON:CATEGORY_url`; `PREFIX` stands in a key of its own. For `base` it may
    also be `PREFIXenv:ENVIRON:_url`: that is what littleflow_redis reads where no category is given.
    """
    prefix = _text(
        connection.execute([("MGET", _PREFIX)])[0][0]
    )  # unlike GET, no error for what is no string
    categories = (category, "") if category == "base" else (category,)
    found = connection.execute([("MGET", *(f"{prefix}env:{environ}:{name}_url" for name in categories))])[0]
    return next((_text(url) for url in found if url), "")


def _text(reply: bytes | None) -> str:
    return reply.decode(errors="replace") if reply else ""
