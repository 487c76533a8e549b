"""The children of calls in Redis: the flow that one runs, its first transition, its result.

A child is stored as an item is, but it runs a whole flow, which it uses as a workflow does that was started
by hand. Everything is read under the watch of the parent, and written in one transaction with its record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from lfr.engine.advance import begin
from lfr.engine.items import ItemResult
from lfr.engine.pauses import Hold
from lfr.events import cut_reason
from lfr.flow import Flow
from lfr.item_ids import ItemId
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command, Connection
from lfr.store.workflows.commit import create_workflow_commands
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_texts import (
    load_reference_names,
    release_commands,
    use_flow_commands,
    watch_references,
)
from lfr.store.workflows.flow_versions import FlowVersion, load_text_of, load_version
from lfr.store.workflows.history import read_failed_step
from lfr.store.workflows.items import delete_finished_command
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.values.json import Json
from lfr.values.work import LookBudget

_PAUSE_SECONDS: Final = 86_400
"""For how long no call may begin until those before count no more."""


class CalledFlow(NamedTuple):
    """A version of a stored flow that a child runs: the flow, its text, the number of the version."""

    flow: Flow
    text: str
    number: int


class EndedChild(NamedTuple):
    """A child that has finished or failed: its record, the flow that it ran, its result."""

    record: Record
    flow: Flow
    result: ItemResult


def watch_called_flow(connection: Connection, flows: FlowCache, version: FlowVersion) -> CalledFlow | None:
    """Watch the flow of a version, and return it; None if it has just been removed. (WATCH, EXISTS, GET)"""
    key = keys.flow(version.digest)
    _, exists = connection.execute([("WATCH", key), ("EXISTS", key)])
    flow = flows.fetch(connection, [version.digest]).get(version.digest) if exists else None
    return None if flow is None else CalledFlow(flow, load_text_of(connection, version), version.number)


def begin_child_commands(
    routes: Routes,
    child: ItemId,
    called: CalledFlow,
    input: Json,
    run: str,
    traceparent: str,
    shared: LookBudget,
    hold: Hold | None,
) -> list[Command]:
    """Return the commands that begin the child of a call. `input` is complete, see `complete_input`; `run`,
    `traceparent` and `shared` as for `begin_items_commands`; `hold` is that of the parent."""
    flow, text, number = called
    first = begin(flow, input, LookBudget(shared=shared))
    commands = use_flow_commands(flow, text, is_stored=True)
    hold = routes.pauses.hold_of_call(hold, flow.name)
    return commands + create_workflow_commands(
        *(routes, str(child), flow, text, first),
        run=run,
        version=number,
        hold=hold,
        traceparent=traceparent,
    )


def load_begun_calls(connection: Connection, root: str, run: str) -> int | None:
    """Return how many children of calls have begun for an outermost workflow; None if it is terminated or
    deleted, so that none may begin. (HGET, GET)"""
    state, begun = connection.execute([("HGET", root, "state"), ("GET", keys.begun_calls(root, run))])
    stopped = (b"", WorkflowState.TERMINATING.value.encode(), WorkflowState.TERMINATED.value.encode())
    return None if (state or b"") in stopped else int(begun or 0)


def count_begun_calls_commands(root: str, run: str, number: int) -> list[Command]:
    """Return the commands that count children of calls that begin. (INCRBY, EXPIRE)"""
    key = keys.begun_calls(root, run)
    return [("INCRBY", key, number), ("EXPIRE", key, _PAUSE_SECONDS)]


def load_ended_children(
    connection: Connection, flows: FlowCache, children: Iterable[ItemId]
) -> list[EndedChild]:
    """Return those of these children of calls that have finished or failed, each once. (HMGET, HGET)"""
    distinct = list(dict.fromkeys(children))
    records = load_records(connection, list(map(str, distinct)))
    flow_of = flows.fetch(connection, {record.reference for record in records if record is not None})
    ended: list[EndedChild] = []
    for child, record in zip(distinct, records, strict=True):
        if record is None or (flow := flow_of.get(record.reference)) is None:
            continue
        is_simulated = bool(record.simulated)
        if record.state is WorkflowState.FINISHED:
            output = connection.call("HGET", keys.outputs(record.id), flow.last)
            result = ItemResult(child, output or b"{}", is_simulated=is_simulated)
            ended.append(EndedChild(record, flow, result))
        elif record.state is WorkflowState.FAILED:
            reason = _describe_failure(record, flow, read_failed_step(connection, record.id))
            result = ItemResult(child, failure=reason, is_simulated=is_simulated)
            ended.append(EndedChild(record, flow, result))
    return ended


def collect_finished_children(connection: Connection, children: Sequence[EndedChild]) -> list[Command]:
    """Return the commands that delete children that have succeeded.

    Reads how many others use their flows. (WATCH, HGET, HMGET; DEL, HINCRBY, HDEL)
    """
    if not children:
        return []
    commands = [delete_finished_command(record.id, flow) for record, flow, _ in children]
    # As long as a version is stored it is a user of its flow and text, too, so no other is the last one. Who
    # removes versions writes FLOW_NAMES, and that is seldom; `flows:refs` is written by every start.
    connection.execute([("WATCH", keys.FLOW_NAMES)])
    versions = {
        (record.name, record.version): load_version(connection, record.name, record.version)
        for record, _, _ in children
    }
    uses: Counter[str] = Counter()
    are_stored = True
    for record, _, _ in children:
        names = load_reference_names(connection, record.id)
        uses.update(names)
        version = versions[record.name, record.version]
        are_stored = are_stored and version is not None and version.reference_names == names
    if are_stored:
        return commands + [("HINCRBY", keys.FLOW_REFERENCES, name, -count) for name, count in uses.items()]
    return commands + release_commands(watch_references(connection, list(uses)), uses)


def _describe_failure(record: Record, flow: Flow, index: int | None) -> str:
    """Return why a child has failed, with its step and its id; if a child of its own has, why that has."""
    if f"{record.id}/" in record.reason:
        return cut_reason(record.reason)
    step = "" if index is None else f"step {index}, {flow.steps[index].name or flow.steps[index].kind}: "
    return cut_reason(f"{record.id} of the flow {record.name} failed: {step}{record.reason}")
