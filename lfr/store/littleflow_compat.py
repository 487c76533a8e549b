"""What littleflow_redis keeps in Redis and lfr understands: out-of-band outputs, base URLs of requests."""

from __future__ import annotations

from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.values.json import Json, encode_json


def save_out_of_band_output(connection: Connection, workflow: str, index: int, output: Json) -> None:
    """Write the output of a step as JSON to a key of its own; the lifecycle reads and deletes it when it
    processes the step's end-task event. (SET)"""
    connection.call("SET", keys.out_of_band_output(workflow, index), encode_json(output))


def replace_out_of_band_output(connection: Connection, workflow: str, index: int, output: Json) -> None:
    """Replace the out-of-band output of a step. Do nothing if there is none: then the step has ended, and the
    lifecycle has deleted it. (SET XX)"""
    connection.call("SET", keys.out_of_band_output(workflow, index), encode_json(output), "XX")


def drop_out_of_band_output(connection: Connection, workflow: str, index: int) -> None:
    """Delete the out-of-band output of a step, if there is one. (DEL)"""
    connection.call("DEL", keys.out_of_band_output(workflow, index))


def load_base_url(connection: Connection, environ: str, category: str) -> str:
    """Return the base URL of an environment for a category; empty if there is none. (MGET, twice)

    Its key is `PREFIXenv:ENVIRON:CATEGORY_url`, and `PREFIX` is the value of another key. For the category
    `base` it may also be `PREFIXenv:ENVIRON:_url`, which littleflow_redis reads if no category is given.
    Raises ValueError for a name with a colon.
    """
    # MGET: unlike GET it answers nil, not an error, for a key that holds no string.
    prefix = _decode(connection.call("MGET", keys.BASE_URL_PREFIX)[0])
    categories = (category, "") if category == "base" else (category,)
    urls = connection.call("MGET", *(keys.base_url(prefix, environ, name) for name in categories))
    return next((_decode(url) for url in urls if url), "")


def _decode(value: bytes | None) -> str:
    return value.decode(errors="replace") if value else ""
