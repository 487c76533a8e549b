"""A workflow as one JSON document, and back: also on another Redis. A restored one goes on by a restart."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from lfr.engine import Progress, StepProgress, terminate
from lfr.errors import Conflict, NotFound
from lfr.flow import Flow
from lfr.operations.archive.check import FORMAT, VERSION, parse_archive
from lfr.operations.archive.littleflow import convert_littleflow_archive, is_littleflow_archive
from lfr.operations.permitted_actions import WorkflowAction, check_action
from lfr.operations.workflow_ids import PREFIX, generate_workflow_id, parse_new_workflow_id, parse_workflow_id
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from lfr.store.workflows.commit import index_commands, use_flow_commands
from lfr.store.workflows.export import Gone, load_snapshot, snapshot_commands
from lfr.store.workflows.load import FlowCache, watch_new, watch_state
from lfr.store.workflows.queries import load_flow


def archive_workflow(store: Store, id: str) -> dict[str, Any]:
    """All that is kept of a workflow, as a document that `restore_workflow` takes. One that runs is told as
    it stands at one moment. Raises NotFound, and Conflict for an item of another."""
    id = parse_workflow_id(id)
    with store.connect() as connection:
        while True:
            state = watch_state(connection, id)
            check_action(WorkflowAction.ARCHIVE, id, state)
            flow = load_flow(connection, FlowCache(), id)
            if flow is None:
                raise NotFound(f"the flow of {id} is gone from Redis")
            try:
                snapshot = load_snapshot(connection, id, flow)
            except Gone as gone:
                if connection.transact([("PING",)]) is not None:
                    raise NotFound(f"{gone} is gone from Redis") from None
                continue  # somebody has moved it meanwhile
            if connection.transact([("PING",)]) is not None:
                return {"format": FORMAT, "version": VERSION, "id": id, "flow": flow.to_dict(), **snapshot}


def archive_file_name(document: dict[str, Any]) -> str:
    """What the file of an archive is called."""
    name = str(document["id"]).removeprefix("workflow:")
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)[:200] + ".json"


def restore_workflow(store: Store, document: Any, workflow_id: str | None = None) -> str:
    """Make a workflow of what `archive_workflow` gave; its id: `workflow_id`, else the one in the document
    if it is free, else a new one. What ran counts as terminated. Archives of littleflow_redis are taken, too.

    Raises BadInput for what is no such document, and Conflict if `workflow_id` is taken.
    """
    if is_littleflow_archive(document):
        document = convert_littleflow_archive(document, f"{PREFIX}{uuid4()}")
    flow, snapshot, archived_id = parse_archive(document)
    stopped = _stopped(flow, snapshot)
    with store.connect() as connection:
        id = parse_new_workflow_id(workflow_id or archived_id)
        while True:
            _, present, is_stored = watch_new(connection, id, flow.digest)
            if present is not None:
                connection.execute([("UNWATCH",)])
                if workflow_id is not None:
                    raise Conflict(f"{id} is there already", hint="choose another id")
                id = generate_workflow_id(flow, uuid4())
                continue
            state = WorkflowState(stopped["record"]["state"])
            commands = use_flow_commands(flow, is_stored=is_stored)
            commands += snapshot_commands(id, flow, stopped)
            commands += index_commands(id, state, stopped["record"]["started"])
            if connection.transact(commands) is not None:
                return id


def _stopped(flow: Flow, snapshot: dict[str, Any]) -> dict[str, Any]:
    """The snapshot of a workflow of which nothing runs: a restart starts again what did. It ended when the
    last thing happened that is known of it."""
    items = {
        index: {
            **items,
            "open": {number: _stopped(flow.part(int(index)), item) for number, item in items["open"].items()},
        }
        for index, items in snapshot["items"].items()
    }
    state = WorkflowState(snapshot["record"]["state"])
    active, done, skipped, failed = snapshot["counts"]
    if state.has_ended and not active:
        return {**snapshot, "items": items}
    steps = {int(index): StepProgress(*step) for index, step in snapshot["steps"].items()}
    progress = Progress(state, steps, True, active, done, skipped, failed)
    change = terminate(flow, progress)
    progress.apply(change)
    record, history = snapshot["record"], snapshot["history"]
    at_ms = history[-1]["at"] if history else record["started"]
    return {
        **snapshot,
        "record": {**record, "state": progress.state.value, "ended": at_ms},
        "history": [*history, {"at": at_ms, "facts": " ".join(map(str, change.facts))}],
        "counts": [progress.active, progress.done, progress.skipped, progress.failed],
        "steps": {str(index): list(step) for index, step in progress.steps.items() if any(step)},
        "items": items,
    }
