"""How many bytes of Redis workflows take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import redis

from lfr.errors import WrongType
from lfr.flow import Flow
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.own_data import load_own_data
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record

_OUT_OF_BAND: Final = re.compile(r".*:output:\d+")
"""Keys that a workflow may have for each step, and that hardly ever exist."""

_DESCRIBED_FACTOR: Final = 5
"""How many times as long as its flow the description of a workflow is: a short text makes a million steps."""


def measure_workflows(connection: Connection, flows: FlowCache, records: Sequence[Record]) -> int | None:
    """Return how many bytes these workflows take together, with their items, but without their flows, which
    others may share, and without indexes. Large keys are estimated by the server. None if the server does not
    permit the command. (GET, HMGET, MEMORY USAGE)"""
    flow_by_reference = flows.fetch(connection, (record.reference for record in records))
    return _measure(
        connection,
        [
            ("MEMORY", "USAGE", key)
            for record in records
            for key in _measured_keys(connection, flows, record.id, flow_by_reference.get(record.reference))
        ],
    )


def measure_description(connection: Connection, id: str, *, values: bool) -> int | None:
    """Return about how many bytes that take which describes a workflow as a whole, with or without the
    `values` of its steps: those of Redis, and of its flow what the description of each step takes. None if
    the server does not permit the command. (HGET, MEMORY USAGE)"""
    values_of_steps = (keys.outputs(id), keys.large_values(id))
    left_out = (keys.task_log(id), *(() if values else values_of_steps))
    measured = [key for key in keys.whole_data(id) if key not in left_out]
    own = _measure(connection, [("MEMORY", "USAGE", key, "SAMPLES", 0) for key in measured])
    [record] = load_records(connection, [id])
    if own is None or record is None:
        return own
    flow = _measure(connection, [("MEMORY", "USAGE", keys.flow(record.reference.partition("/")[0]))])
    return None if flow is None else own + _DESCRIBED_FACTOR * flow


def measure_largest_flow(connection: Connection, references: Iterable[str]) -> int | None:
    """Return about how many bytes the description of a workflow with the largest of these flows takes,
    without values; 0: there are none. None if the server does not permit the command. (MEMORY USAGE)"""
    digests = {reference.partition("/")[0] for reference in references}
    sizes = [_measure(connection, [("MEMORY", "USAGE", keys.flow(digest))]) for digest in digests]
    return None if None in sizes else _DESCRIBED_FACTOR * max(filter(None, sizes), default=0)


def _measure(connection: Connection, commands: Sequence[Command]) -> int | None:
    """Return the sum of the replies; None if the server refuses a command or does not know it."""
    sizes = connection.execute_unchecked(commands)
    if any(isinstance(size, redis.ResponseError) for size in sizes):
        return None
    return sum(size or 0 for size in connection.check(sizes))


def _measured_keys(connection: Connection, flows: FlowCache, id: str, flow: Flow | None) -> list[str]:
    if flow is None:
        return list(keys.whole_data(id))
    try:
        return [
            key for key in load_own_data(connection, id, flow, flows).keys if not _OUT_OF_BAND.fullmatch(key)
        ]
    except WrongType:
        return list(keys.whole_data(id))
