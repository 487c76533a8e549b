"""What littleflow_redis keeps in Redis and lfr understands: out-of-band outputs, base URLs of requests."""

from __future__ import annotations

from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.workflows.attempt_status import is_current
from lfr.values.json import Json, encode_json


def save_out_of_band_output(connection: Connection, task: events.StartTask, output: Json) -> bool:
    """Write the output of a step as JSON to a key of its own; the lifecycle reads and deletes it when it
    processes the step's end-task event. Return False, and write nothing, if the attempt is over: the key is
    that of the step, and the next attempt may have an output there. (WATCH, HMGET, HGET; SET)"""
    key = keys.out_of_band_output(task.workflow, task.index)
    return _write_while_current(connection, task, ("SET", key, encode_json(output)))


def replace_out_of_band_output(connection: Connection, task: events.StartTask, output: Json) -> None:
    """Replace the out-of-band output of a step. Do nothing if there is none, or if the attempt is over: then
    the lifecycle has deleted it. (WATCH, HMGET, HGET; SET XX)"""
    key = keys.out_of_band_output(task.workflow, task.index)
    _write_while_current(connection, task, ("SET", key, encode_json(output), "XX"))


def drop_out_of_band_output(connection: Connection, task: events.StartTask) -> None:
    """Delete the out-of-band output of a step, unless the attempt is over. (WATCH, HMGET, HGET; DEL)"""
    _write_while_current(connection, task, ("DEL", keys.out_of_band_output(task.workflow, task.index)))


def _write_while_current(connection: Connection, task: events.StartTask, command: Command) -> bool:
    """Send a command if the attempt is current; return whether it was. Every commit writes the record."""

    def attempt() -> tuple[list[Command] | None, bool]:
        connection.call("WATCH", task.workflow)
        return ([command], True) if is_current(connection, task) else (None, False)

    return retry_until_committed(connection, attempt)


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
