"""Loads the spans of a workflow and of its children from Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from lfr.item_ids import parse_item_id
from lfr.operations.lost_workflows import missing_workflow
from lfr.operations.traces.runs import TracedWorkflow, WorkflowRun, make_runs
from lfr.operations.traces.span import Span, export_request
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.traces import EndedWorkflow, load_kept_child
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.history import read_whole_history
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.store.workflows.task_logs import read_attempts
from lfr.trace_context import TraceContext, trace_of

MAX_SPANS: Final = 10_000
"""How many spans a run of a workflow has, with those of its children; of more, the first."""


def describe_trace(store: Store, id: str) -> dict[str, Any]:
    """Return the spans of a workflow, or of a child, with those of the children that are still stored, as
    the request with which OTLP/HTTP exports them. What has not ended ends now.

    Raises BadInput for the id, and NotFound.
    """
    id = parse_workflow_id(id)
    with store.connect() as connection:
        record, flows = load_records(connection, [id])[0], FlowCache()
        if record is None:
            raise missing_workflow(connection, id)
        workflow = load_traced(connection, flows, record, read_time_ms(connection))
        spans = [
            span
            for run in make_runs(workflow)
            for span in load_spans_of_run(connection, flows, workflow, run)
        ]
    return export_request(span.to_dict() for span in spans)


def load_traced(connection: Connection, flows: FlowCache, record: Record, now_ms: int) -> TracedWorkflow:
    """Load what the spans of a workflow are made of. `now_ms` is the time, in milliseconds since the epoch.
    (LRANGE, HMGET, GET)"""
    id = record.id
    history = read_whole_history(connection, id)
    attempts = {
        (fact.index, fact.attempt)
        for entry in history.entries
        for fact in entry.facts
        if fact.index is not None and fact.item is None
    }
    return TracedWorkflow(
        record,
        flows.fetch(connection, [record.reference]).get(record.reference),
        history,
        read_attempts(connection, id, attempts),
        trace_of(id, record.run, record.traceparent),
        now_ms,
    )


def load_spans_of_child(connection: Connection, flows: FlowCache, ended: EndedWorkflow) -> list[Span] | None:
    """Return the spans of the steps of a child that has succeeded, and of its own children; that of the child
    itself is one of its parent's. None: what was kept of it has expired."""
    loaded = load_kept_child(connection, ended)
    if loaded is None:
        return None
    record, history = loaded
    flow = flows.fetch(connection, [record.reference]).get(record.reference)
    trace = trace_of(ended.id, record.run, record.traceparent)
    run = make_runs(TracedWorkflow(record, flow, history, {}, trace, ended.at_ms))[-1]
    return [*run.spans, *(child.span for child in run.children)][:MAX_SPANS]


def load_spans_of_run(
    connection: Connection, flows: FlowCache, workflow: TracedWorkflow, run: WorkflowRun
) -> list[Span]:
    """Return the spans of a run: of the workflow itself first, then those of its steps, its children, and of
    what those have done that are still stored. Of more than MAX_SPANS, the first; the attribute
    `lfr.spans.omitted` of the first one says how many are missing, without those within children, which are
    not read any more: there may be a hundred thousand."""
    first = run.span(workflow, _parent_id(workflow.trace))
    spans, omitted = [first], 0
    for span in _spans_within(connection, flows, run, first, lambda: len(spans) < MAX_SPANS):
        if len(spans) < MAX_SPANS:
            spans.append(span)
        else:
            omitted += 1
    if omitted:
        spans[0] = replace(first, attributes={**first.attributes, "lfr.spans.omitted": omitted})
    return spans


def _spans_within(
    connection: Connection, flows: FlowCache, run: WorkflowRun, around: Span, has_room: Callable[[], bool]
) -> Iterator[Span]:
    for span in run.spans:
        yield span.within(around)
    for child in run.children:
        of_child_run = child.span.within(around)
        yield of_child_run
        if child.is_stored and has_room():
            record = load_records(connection, [child.id])[0]
            inner = None if record is None else load_traced(connection, flows, record, around.end_ms)
            runs = [] if inner is None else make_runs(inner)
            if child.number < len(runs):
                yield from _spans_within(connection, flows, runs[child.number], of_child_run, has_room)


def _parent_id(trace: TraceContext) -> str:
    """Return the id of the span around a workflow: of who has started it; of a child, that of the step."""
    child = parse_item_id(trace.workflow)
    if child is None:
        return trace.parent_id
    return trace.of_child(child.parent).step_span_id(child.index, child.round)
