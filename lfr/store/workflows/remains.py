"""What is left of a workflow that is half lost: its record or flow was deleted, or an old backup restored.

Nothing can continue such a workflow; its keys can be found and deleted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lfr.states import WorkflowState
from lfr.store import key_patterns, keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.workflows.record import Record

_SCAN_COUNT = 5000


def has_remains(connection: Connection, id: str) -> bool:
    """Return whether Redis holds data of a workflow besides its record, or lists it. (EXISTS, ZSCORE)"""
    return bool(find_remains(connection, [id]))


def find_remains(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of these workflows for which `has_remains` holds. (EXISTS, ZSCORE)"""
    commands: list[Command] = []
    for id in ids:
        # A worker may store a large output of a deleted workflow: a lifecycle deletes it with its end-task.
        data = [key for key in keys.whole_data(id) if key != keys.large_values(id)]
        commands += [("EXISTS", *data), ("ZSCORE", keys.ALL, id)]
    replies = connection.execute(commands)
    results = zip(ids, replies[::2], replies[1::2], strict=True)
    return {id for id, exists, score in results if exists or score is not None}


def find_keys(connection: Connection, id: str) -> list[str]:
    """Return all keys of a workflow and its items that exist. Looks at every key in Redis. (SCAN)"""
    own = re.compile(rf"{re.escape(id)}(?:/\d+\.\d+(?:\.\d+)?)*(?:{key_patterns.OWN_SUFFIX.pattern})?")
    own_keys: set[str] = set()
    cursor = 0
    while True:
        reply = connection.call("SCAN", cursor, "MATCH", f"{id}*", "COUNT", _SCAN_COUNT)
        cursor, page = int(reply[0]), [key.decode(errors="replace") for key in reply[1]]
        own_keys.update(key for key in page if own.fullmatch(key))
        if not cursor:
            return sorted(own_keys)


def unlist_commands(id: str) -> list[Command]:
    """Return the commands that remove a workflow from all lists, whatever its state. (ZREM)"""
    indexes = (keys.ALL, *(keys.state(state) for state in WorkflowState))
    return [("ZREM", index, id) for index in (*indexes, keys.WORKFLOW_DEADLINES)]


def load_lost_records(connection: Connection, ids: Sequence[str]) -> dict[str, Record]:
    """Return, by id, a record in place of that of each of these workflows that is listed and has none. It has
    the state under which the workflow is listed, its start, and the reason. (EXISTS, ZSCORE)"""
    states = list(WorkflowState)
    pipeline = Pipeline(connection)
    replies = [
        (
            pipeline.add("EXISTS", id),
            pipeline.add("ZSCORE", keys.ALL, id),
            [pipeline.add("ZSCORE", keys.state(state), id) for state in states],
        )
        for id in ids
    ]
    pipeline.send()
    return {
        id: _lost_record(id, float(started.value), [score.value is not None for score in scores])
        for id, (exists, started, scores) in zip(ids, replies, strict=True)
        if started.value is not None and not exists.value
    }


def _lost_record(id: str, started_ms: float, has_state: Sequence[bool]) -> Record:
    state = next(
        (state for state, has in zip(WorkflowState, has_state, strict=True) if has), WorkflowState.TERMINATED
    )
    return Record(
        id=id,
        reference="",
        state=state,
        started_ms=int(started_ms),
        active=0,
        done=0,
        skipped=0,
        failed=0,
        name="",
        ended_ms=0,
        total=None,
        simulated=0,
        reason=f"its record is gone from Redis; lfr delete {id} removes what is left of it",
    )
