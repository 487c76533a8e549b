"""Reads workflows for people and programs, without a watch: records, lists, single steps and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lfr.engine.transition import Progress
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.load import (
    LIST_FIELDS,
    RECORD_FIELDS,
    Record,
    add_outputs,
    add_steps,
    parse_record,
)
from lfr.values.json import Json, decode_json

_SCAN_COUNT: Final = 2000
"""About how many ids one step of a search looks at."""


def load_records(
    connection: Connection, workflows: Sequence[str], *, for_list: bool = False
) -> list[Record | None]:
    """Return the records of these workflows, in this order, in one round trip. (HMGET)

    With `for_list`, reasons are cut to 300 characters. The record is None for a workflow that does not exist.
    """
    fields = LIST_FIELDS if for_list else RECORD_FIELDS
    replies = connection.execute([("HMGET", workflow, *fields) for workflow in workflows], keep_errors=True)
    return [parse_record(workflow, reply) for workflow, reply in zip(workflows, replies, strict=True)]


def load_names(connection: Connection, workflows: Sequence[str]) -> list[str]:
    """Return the flow names of these workflows, in this order; empty for an unknown workflow. (HGET)"""
    names = connection.execute([("HGET", workflow, "name") for workflow in workflows], keep_errors=True)
    return [name.decode() if isinstance(name, bytes) else "" for name in names]


def load_flow(connection: Connection, flows: FlowCache, id: str) -> Flow | None:
    """Return the flow of a workflow; None if the workflow or its flow is not stored. (HMGET, GET)"""
    record = load_records(connection, [id])[0]
    return None if record is None else flows.fetch(connection, [record.reference]).get(record.reference)


def load_step(connection: Connection, record: Record, index: int) -> Progress:
    """Return state and counts of `record` as a Progress of which only the step `index` is loaded. (HMGET)"""
    progress = record.progress()
    add_steps(progress, [index], connection.call("HMGET", keys.steps(record.id), index))
    return progress


def load_outputs(connection: Connection, id: str) -> dict[int, Json]:
    """Return all outputs of a workflow by step index; its input at -1. (HGETALL)"""
    return load_outputs_with_sizes(connection, id)[0]


def load_outputs_with_sizes(connection: Connection, id: str) -> tuple[dict[int, Json], dict[int, int]]:
    """Return all outputs of a workflow as `load_outputs` does, and how many bytes each has. (HGETALL)"""
    reply = connection.call("HGETALL", keys.outputs(id))
    indices, values = list(map(int, reply[::2])), reply[1::2]
    outputs: dict[int, Json] = {}
    add_outputs(outputs, indices, values)
    return outputs, dict(zip(indices, map(len, values), strict=True))


def load_some_outputs(connection: Connection, id: str, indices: Sequence[int]) -> dict[int, Json]:
    """Return the outputs of these steps, one at least, by index, without steps that have none. (HMGET)"""
    values = connection.call("HMGET", keys.outputs(id), *indices)
    return {index: decode_json(value) for index, value in zip(indices, values, strict=True) if value}


def load_page(
    connection: Connection, state: WorkflowState | None, after: tuple[int, str] | None, *, count: int
) -> list[tuple[int, str]]:
    """Return start (milliseconds since the epoch) and id of up to `count` workflows, the latest start first.

    `state` None: workflows in any state. `after` is the last member of the page before, which may be gone;
    None: begin with the newest. Workflows that start between pages do not move them; one that starts during
    the call, or an `after` that is gone, may repeat workflows. (ZREVRANK, ZCOUNT; ZREVRANGE)
    """
    key = keys.ALL if state is None else keys.state(state)
    first = 0
    if after is not None:
        started_ms, id = after
        rank, newer = connection.execute([("ZREVRANK", key, id), ("ZCOUNT", key, f"({started_ms}", "+inf")])
        first = newer if rank is None else rank + 1
    flat = connection.call("ZREVRANGE", key, first, first + count - 1, "WITHSCORES")
    return [(int(float(score)), id.decode()) for id, score in zip(flat[::2], flat[1::2], strict=True)]


def load_oldest(
    connection: Connection, state: WorkflowState, after: tuple[int, str] | None, until_ms: int, *, count: int
) -> list[tuple[int, str]]:
    """Return start and id of up to `count` workflows in this state that started no later than `until_ms`, the
    earliest start first; times are in milliseconds since the epoch.

    `after` is the last member of the page before, which may be gone; None: begin with the oldest. If it is
    gone, workflows that started in the same millisecond may be repeated. (ZRANK, ZCOUNT; ZRANGE)
    """
    key, first = keys.state(state), 0
    if after is not None:
        started_ms, id = after
        rank, older = connection.execute([("ZRANK", key, id), ("ZCOUNT", key, "-inf", f"({started_ms}")])
        first = older if rank is None else rank + 1
    flat = connection.call("ZRANGE", key, first, first + count - 1, "WITHSCORES")
    page = [(int(float(score)), id.decode()) for id, score in zip(flat[::2], flat[1::2], strict=True)]
    return [(started_ms, id) for started_ms, id in page if started_ms <= until_ms]


def find_ids(connection: Connection, beginning: str, *, count: int) -> list[str]:
    """Return the ids of workflows that begin with this text, sorted, at least `count` of them if there are so
    many; only that id if there is a workflow with exactly this one. (ZSCORE, EXISTS; ZSCAN)

    `beginning` is the beginning of an id with `workflow:`, so that no character of it has a meaning in a
    pattern.
    """
    score, exists = connection.execute([("ZSCORE", keys.ALL, beginning), ("EXISTS", beginning)])
    if score is not None or exists:
        return [beginning]
    ids: set[str] = set()
    cursor = "0"
    while True:
        reply = connection.call("ZSCAN", keys.ALL, cursor, "MATCH", f"{beginning}*", "COUNT", _SCAN_COUNT)
        cursor, members = reply[0].decode(), reply[1][::2]
        ids.update(member.decode() for member in members)
        if cursor == "0" or len(ids) >= count:
            return sorted(ids)


def count_states(connection: Connection) -> dict[WorkflowState, int]:
    """Return how many workflows are in each state. (ZCARD)"""
    counts = connection.execute([("ZCARD", keys.state(state)) for state in WorkflowState])
    return dict(zip(WorkflowState, counts, strict=True))


def count_all(connection: Connection) -> int:
    """Return how many workflows there are. (ZCARD)"""
    return int(connection.call("ZCARD", keys.ALL))
