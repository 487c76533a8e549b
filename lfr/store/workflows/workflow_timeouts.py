"""Fails the workflows whose deadline has come."""

from __future__ import annotations

import logging
from typing import Final

from lfr.engine.interventions import time_out
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.workflows.commit import transition_commands
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.load import load_whole
from lfr.store.workflows.standing_deadlines import find_standing, put_aside
from lfr.store.workflows.workflow_deadlines import read_workflow_deadline

LOGGER = logging.getLogger(__name__)

_MAX_WORKFLOWS: Final = 20
"""How many workflows are ended in one pass: each is loaded whole."""


def fire_workflow_deadlines(
    connection: Connection, route_cache: RouteCache, flows: FlowCache, now_ms: int
) -> None:
    """Fail some of the workflows whose deadline has come, each in a transaction. (ZRANGEBYSCORE; WATCH)"""
    ids = connection.call(
        "ZRANGEBYSCORE", keys.WORKFLOW_DEADLINES, "-inf", now_ms, "LIMIT", 0, _MAX_WORKFLOWS
    )
    for id in ids:
        if reason := _time_out(connection, route_cache, flows, id.decode()):
            LOGGER.warning("%s failed: %s", id.decode(), reason)


def _time_out(connection: Connection, route_cache: RouteCache, flows: FlowCache, id: str) -> str:
    """Fail a workflow if its deadline has still come, and return the reason; an empty text if it has not."""

    def attempt() -> tuple[list[Command] | None, str]:
        routes, workflow = load_whole(connection, flows, route_cache, id)
        deadline_ms = read_workflow_deadline(connection, id)
        if deadline_ms is None or deadline_ms > routes.now_ms:
            return None, ""  # another lifecycle was first, and it may have been restarted since
        timeout = None if workflow is None else workflow.flow.timeout
        if workflow is None or timeout is None or workflow.record.state is not WorkflowState.RUNNING:
            return [("ZREM", keys.WORKFLOW_DEADLINES, id)], ""
        if find_standing(connection, routes.pauses, [id]):
            return put_aside(connection, keys.WORKFLOW_DEADLINES, [id]), ""
        reason = f"timeout: the workflow has not ended within {timeout:.10g} s"
        transition = time_out(workflow.flow, workflow.progress, reason)
        workflow.apply(transition)
        return transition_commands(routes, workflow, [transition]), reason

    return retry_until_committed(connection, attempt)
