"""An output that waits beside the stream for an end-task without one, as workers for littleflow_redis
leave it. The lifecycle takes it in, and drops it."""

from __future__ import annotations

from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.values.json import Json, encode_json


def hand_over(
    connection: Connection, workflow: str, index: int, output: Json, *, again: bool = False
) -> None:
    """Leave the output of a step. With `again`, only if there is still one: else the step has ended since
    and nobody would take it. (SET, XX)"""
    command = ("SET", keys.handed_over(workflow, index), encode_json(output))
    connection.execute([(*command, "XX") if again else command])


def take_back(connection: Connection, workflow: str, index: int) -> None:
    """Drop the output that was left: its step has failed. (DEL)"""
    connection.execute([("DEL", keys.handed_over(workflow, index))])
