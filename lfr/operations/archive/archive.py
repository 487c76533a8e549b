"""Archives a workflow as one JSON document and restores it, on the same Redis or on another one."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from lfr.engine.interventions import terminate
from lfr.engine.pauses import Pause, PauseScope
from lfr.engine.transition import Progress, StepProgress
from lfr.errors import Conflict, NotFound
from lfr.flow import Flow, FlowParts
from lfr.item_ids import is_item
from lfr.operations.archive.littleflow import convert_littleflow_archive, is_littleflow_archive
from lfr.operations.archive.parse import FORMAT, VERSION, parse_archive
from lfr.operations.inspect.summary import describe_pause
from lfr.operations.inspect.workflow import require_flow
from lfr.operations.lost_workflows import missing_workflow, remains_in_the_way
from lfr.operations.operator_actions import note_action
from lfr.operations.permitted_actions import WorkflowAction, check_action
from lfr.operations.start import require_memory
from lfr.operations.workflow_ids import (
    PREFIX,
    generate_run,
    generate_workflow_id,
    parse_new_workflow_id,
    parse_workflow_id,
)
from lfr.states import WorkflowState
from lfr.store.queues.pauses import pause_commands, watch_pauses
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Store
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.stream.groups import note_stream_command
from lfr.store.workflows.export import (
    WorkflowMissing,
    child_flow_of,
    load_snapshot,
    snapshot_commands,
)
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_texts import use_flow_commands
from lfr.store.workflows.load import watch_new, watch_state
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.remains import has_remains
from lfr.store.workflows.search_indexes import index_commands
from lfr.store.workflows.sizes import measure_workflows


def archive_workflow(store: Store, id: str) -> dict[str, Any]:
    """Return all data of a workflow as a document for `restore_workflow`.

    It shows the state at one point in time, even if the workflow runs, and includes the items. Writes
    nothing. Raises BadInput for the id, NotFound, and Conflict for an item.
    """
    id = parse_workflow_id(id)

    with store.connect() as connection:

        def attempt() -> tuple[list[Command], dict[str, Any] | NotFound]:
            state = watch_state(connection, id)
            if state is None and not is_item(id):
                raise missing_workflow(connection, id)
            check_action(WorkflowAction.ARCHIVE, id, state)
            flow = require_flow(connection, id)
            try:
                snapshot = load_snapshot(connection, id, flow, FlowCache())
                pause = watch_pauses(connection).workflows.get(id)
            except WorkflowMissing as missing:
                return [], NotFound(f"{missing} is gone from Redis")
            if pause is not None:
                snapshot["record"]["paused"] = {"deadlines": describe_pause(pause)["deadlines"]}
            return [], {"format": FORMAT, "version": VERSION, "id": id, "flow": flow.to_dict(), **snapshot}

        document = retry_until_committed(connection, attempt)
    if isinstance(document, NotFound):
        raise document
    return document


def archive_bytes(store: Store, id: str) -> int | None:
    """Return about how many bytes of Redis a workflow takes, with its items; 0 if there is none. None if the
    server does not permit to ask. Raises BadInput for the id."""
    id = parse_workflow_id(id)
    with store.connect() as connection:
        records = [record for record in load_records(connection, [id]) if record is not None]
        return measure_workflows(connection, FlowCache(), records)


def archive_file_name(document: dict[str, Any]) -> str:
    """Return the file name for an archive: its id in safe ASCII, without `workflow:`, and `.json`."""
    name = str(document["id"]).removeprefix("workflow:")
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)[:200] + ".json"


def restore_workflow(store: Store, document: Any, workflow_id: str | None = None) -> str:
    """Create a workflow from an archive, of lfr or of littleflow_redis, and return its id.

    The id is `workflow_id`, or else the archived one if it is free, or else a new one. A workflow that was
    running is stored as terminated; a restart continues it. Raises BadInput if the document is no archive or
    `workflow_id` no id, Conflict if `workflow_id` is in use, and NoMemory if Redis uses more than
    `limits.memory`.
    """
    if is_littleflow_archive(document):
        document = convert_littleflow_archive(document, f"{PREFIX}{uuid4()}")
    flow, snapshot, archived_id = parse_archive(document)
    parts = FlowParts()
    stopped = _stopped(flow, snapshot, parts)
    state, started_ms = WorkflowState(stopped["record"]["state"]), stopped["record"]["started"]
    id = parse_new_workflow_id(workflow_id or archived_id)

    with store.connect() as connection:

        def attempt() -> tuple[list[Command], str]:
            nonlocal id
            routes, [record], is_stored = watch_new(connection, RouteCache(store), [id], flow.digest)
            is_half_lost = record is None and has_remains(connection, id)
            if is_half_lost and connection.transact([]) is None:
                raise ReadAgain  # it has just been created
            if record is not None or is_half_lost:
                if workflow_id is not None:
                    connection.unwatch()
                    if is_half_lost:
                        raise remains_in_the_way(id)
                    raise Conflict(f"{id} already exists", hint="choose another id")
                id = generate_workflow_id(stopped["record"]["name"], uuid4())
                raise ReadAgain
            require_memory(connection, store.settings.limits_memory, "restored")
            commands = use_flow_commands(flow, stopped["record"]["source"], is_stored=is_stored)
            commands += snapshot_commands(id, flow, stopped, generate_run(), parts)
            if (paused := snapshot["record"].get("paused")) is not None:
                stops_deadlines = paused["deadlines"] == "stop"
                pause = Pause(PauseScope.WORKFLOW, id, routes.now_ms, stops_deadlines)
                commands += pause_commands(pause)
            commands.append(note_stream_command(store.stream))
            labels = stopped["record"].get("labels", {})
            commands += index_commands(id, state, started_ms, stopped["record"]["name"], labels)
            return commands + note_action(store, "restore", workflow=id), id

        return retry_until_committed(connection, attempt)


def _stopped(flow: Flow, snapshot: dict[str, Any], parts: FlowParts) -> dict[str, Any]:
    """Return the snapshot with all running steps stopped; a restart starts them again. The time of its end is
    that of its latest history entry."""
    items = {
        index: {
            **items,
            "open": {
                number: _stopped(child_flow_of(flow, int(index), child, parts), child, parts)
                for number, child in items["open"].items()
            },
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
