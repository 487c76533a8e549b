"""Reads workflows for people and programs, without a watch: records, lists, single steps and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lfr.engine.transition import Progress
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import TIME, Connection, parse_time_ms
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.load import add_outputs, add_steps
from lfr.store.workflows.record import ADVANCE_FIELDS, LIST_FIELDS, RECORD_FIELDS, Record, parse_record
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


def read_time_and_record(connection: Connection, workflow: str) -> tuple[int, Record | None]:
    """Return the time of the server, in milliseconds since the epoch, and the record of a workflow as it is
    then; None: there is none. The record has no details. (TIME, HMGET)"""
    commands = [TIME, ("HMGET", workflow, *ADVANCE_FIELDS)]
    now, record = connection.execute(commands, keep_errors=True)
    return parse_time_ms(now), parse_record(workflow, record)


def read_ids_by_rank(connection: Connection, first: int, count: int) -> list[str]:
    """Return the ids of so many workflows, newest first, from the one with this number on. (ZREVRANGE)"""
    return [id.decode() for id in connection.call("ZREVRANGE", keys.ALL, first, first + count - 1)]


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
    return load_steps(connection, record, [index])


def load_steps(connection: Connection, record: Record, indices: Sequence[int]) -> Progress:
    """Return state and counts of `record` as a Progress of which these steps, one at least, are loaded.
    (HMGET)"""
    progress = record.progress()
    add_steps(progress, indices, connection.call("HMGET", keys.steps(record.id), *indices))
    return progress


def load_running_steps(connection: Connection, id: str) -> dict[int, int]:
    """Return the steps of a workflow that run, by index, with the number of the latest attempt. (HGETALL)"""
    progress = Progress()
    reply = connection.call("HGETALL", keys.steps(id))
    add_steps(progress, map(int, reply[::2]), reply[1::2])
    return {index: step.attempt for index, step in progress.steps.items() if step.active}


def load_outputs_up_to(
    connection: Connection, id: str, most: int, always: Sequence[int]
) -> tuple[dict[int, Json], dict[int, int]]:
    """Return outputs of a workflow by step index, its input at -1, and how many bytes each output has.

    They are those of `always`, and of the others, by ascending index, as many as have `most` bytes together.
    The sizes are of all. (HKEYS, HSTRLEN; HMGET)
    """
    key = keys.outputs(id)
    indices = sorted(map(int, connection.call("HKEYS", key)))
    lengths = connection.execute([("HSTRLEN", key, index) for index in indices])
    sizes = dict(zip(indices, lengths, strict=True))
    outputs: dict[int, Json] = {}
    chosen = [index for index in always if index in sizes]
    for index, size in sizes.items():
        if size <= most and index not in always:
            most -= size
            chosen.append(index)
    if chosen:
        add_outputs(outputs, chosen, connection.call("HMGET", key, *chosen))
    return outputs, sizes


def load_some_outputs(connection: Connection, id: str, indices: Sequence[int]) -> dict[int, Json]:
    """Return the outputs of these steps, one at least, by index, without steps that have none. (HMGET)"""
    values = connection.call("HMGET", keys.outputs(id), *indices)
    return {index: decode_json(value) for index, value in zip(indices, values, strict=True) if value}


def load_range(
    connection: Connection,
    key: str,
    after: tuple[int, str] | None,
    *,
    count: int,
    since_ms: int | None = None,
    until_ms: int | None = None,
    newest_first: bool = True,
) -> list[tuple[int, str]]:
    """Return start and id of up to `count` workflows in the index with this key that started within these
    times, which belong to it; in milliseconds since the epoch. Fewer than `count`: there are no more.

    They begin with the latest start, or with the earliest one. `after` is the last member of the page before,
    which may be gone; None: begin at the first. Whatever is added or removed between two pages, no other
    workflow is repeated or missing. (ZREVRANGEBYSCORE, or ZRANGEBYSCORE)
    """
    least, most = since_ms, until_ms
    if after is not None and newest_first:
        most = after[0] if most is None else min(most, after[0])
    elif after is not None:
        least = after[0] if least is None else max(least, after[0])
    low, high = "-inf" if least is None else least, "+inf" if most is None else most
    command, bounds = ("ZREVRANGEBYSCORE", (high, low)) if newest_first else ("ZRANGEBYSCORE", (low, high))
    limit = count
    while True:
        flat = connection.call(command, key, *bounds, "WITHSCORES", "LIMIT", 0, limit)
        members = [(int(float(score)), id.decode()) for id, score in zip(flat[::2], flat[1::2], strict=True)]
        page = [each for each in members if after is None or (each < after if newest_first else each > after)]
        if len(page) >= count or len(members) < limit:
            return page[:count]
        limit = 2 * limit  # those of the same millisecond as `after` come first


def count_range(
    connection: Connection, indexes: Sequence[str], since_ms: int | None, until_ms: int | None
) -> list[int]:
    """Return how many workflows of each index started within these times. (ZCOUNT)"""
    low, high = "-inf" if since_ms is None else since_ms, "+inf" if until_ms is None else until_ms
    return list(map(int, connection.execute([("ZCOUNT", index, low, high) for index in indexes])))


def load_members(connection: Connection, indexes: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Return those of these ids that are in one of the indexes, in their order. (ZMSCORE)"""
    replies = connection.execute([("ZMSCORE", index, *ids) for index in indexes])
    return [
        id for id, *scores in zip(ids, *replies, strict=True) if any(score is not None for score in scores)
    ]


def load_short_outputs(
    connection: Connection, id: str, indices: Sequence[int], most: int
) -> dict[int, str | int]:
    """Return the outputs of these steps as JSON text, by index; of one of more than `most` bytes how many it
    has; without steps that have none. (HSTRLEN; HMGET)"""
    key = keys.outputs(id)
    sizes = connection.execute([("HSTRLEN", key, index) for index in indices])
    outputs: dict[int, str | int] = {index: size for index, size in zip(indices, sizes, strict=True) if size}
    short = [index for index, size in outputs.items() if isinstance(size, int) and size <= most]
    if short:
        texts = zip(short, connection.call("HMGET", key, *short), strict=True)
        outputs |= {index: text.decode(errors="replace") for index, text in texts if text is not None}
    return outputs


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
