"""The deadlines of workflows whose flow has a timeout: set and removed by `commit`, with the state; fired by
any lifecycle, see `workflow_timeouts`."""

from __future__ import annotations

from collections.abc import Iterator

from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection


def deadline_commands(id: str, flow: Flow, state: WorkflowState, now_ms: int) -> Iterator[Command]:
    """Yield the command that sets the deadline of a workflow that begins to run, or removes that of one that
    does no more, if its flow has a timeout. (ZADD or ZREM)"""
    if flow.timeout is not None and state is WorkflowState.RUNNING:
        yield ("ZADD", keys.WORKFLOW_DEADLINES, now_ms + round(1000 * flow.timeout), id)
    elif flow.timeout is not None:
        yield ("ZREM", keys.WORKFLOW_DEADLINES, id)


def read_workflow_deadline(connection: Connection, id: str) -> int | None:
    """Return when a workflow fails unless it has ended, in milliseconds since the epoch; None: it has no
    deadline. (ZSCORE)"""
    score = connection.call("ZSCORE", keys.WORKFLOW_DEADLINES, id)
    return None if score is None else int(float(score))
