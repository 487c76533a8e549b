"""Calls: begins a stored flow as the child of a step, and ends the step as the child ends.

The events that concern the calls of a workflow:

    start-task flow:NAME            begin a child; delete that of an earlier attempt
    end-workflow, failed-workflow   of a child: end or fail the step
    cancel-task flow:NAME           terminate the child: its attempt is over

`ItemsProcessor` processes them together with those of the items of the workflow.
"""

from __future__ import annotations

from collections.abc import Iterator

from lfr.engine.calls import begins_anew
from lfr.engine.transition import UNTOUCHED
from lfr.flow import Flow
from lfr.item_ids import ItemId
from lfr.lifecycle.call_changes import CallChanges, CallDecider, call_starts
from lfr.lifecycle.item_events import ItemEvents
from lfr.operations.intervene import delete_child, terminate_run
from lfr.states import WorkflowState
from lfr.store.queues.routes import RouteCache, Routes
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.items import (
    load_child_flow,
    load_item_counts,
)
from lfr.store.workflows.load import LoadedWorkflow, load
from lfr.store.workflows.queries import load_records
from lfr.values.work import LookBudget


class CallsProcessor:
    """Processes the events of calls for an `ItemsProcessor`."""

    def __init__(self, store: Store, flows: FlowCache, route_cache: RouteCache) -> None:
        self._store = store
        self._flows = flows
        self._route_cache = route_cache

    def prepare(self, connection: Connection, id: str, item_events: ItemEvents) -> None:
        """Terminate the children whose attempt is over. Delete those that are in the way: of the earlier
        attempts of calls that start, and what is left of calls in children that have finished. To do that
        twice does no harm."""
        for cancel in item_events.cancels:
            child = ItemId(cancel.workflow, cancel.index, 0, cancel.attempt)
            terminate_run(self._store, connection, str(child), cancel.run)
        former_flow = self._flows.flow_of(id)
        if former_flow is not None and not former_flow.has_calls:
            return
        _, loaded = load(connection, self._flows, self._route_cache, {id: item_events.indices()})
        connection.unwatch()
        if id not in loaded or not loaded[id].flow.has_calls:
            return
        workflow = loaded[id]
        if item_events.is_terminated:
            for child in self._children_that_are_over(connection, workflow):
                terminate_run(self._store, connection, str(child), workflow.record.run)
        for child in self._former_children(connection, workflow, item_events):
            delete_child(self._store, connection, self._flows, str(child))
        ended = list(dict.fromkeys(item_events.ended))
        records = load_records(connection, list(map(str, ended)))
        for child, record in zip(ended, records, strict=True):
            if record is None or record.state is not WorkflowState.FINISHED:
                continue  # what a failed one runs may end
            child_flow = self._child_flow(connection, workflow, child)
            if child_flow is not None and child_flow.has_calls:
                for leftover in _children_of_calls(connection, str(child), child_flow):
                    delete_child(self._store, connection, self._flows, str(leftover))

    def _children_that_are_over(self, connection: Connection, workflow: LoadedWorkflow) -> list[ItemId]:
        """Return the children of attempts that are over. One that has failed may still run tasks."""
        id = workflow.record.id
        children = _children_of_calls(connection, id, workflow.flow)
        _, loaded = load(connection, self._flows, self._route_cache, {id: [each.index for each in children]})
        connection.unwatch()
        if id not in loaded:
            return []
        steps = {each: loaded[id].progress.step(each.index) or UNTOUCHED for each in children}
        return [each for each, step in steps.items() if not step.active or step.attempt != each.round]

    def _former_children(
        self, connection: Connection, workflow: LoadedWorkflow, item_events: ItemEvents
    ) -> Iterator[ItemId]:
        """Yield the children that calls which start anew have had before."""
        starts = call_starts(workflow, item_events)
        for index, counts in load_item_counts(connection, workflow.record.id, list(starts)).items():
            if begins_anew(workflow.progress.step(index) or UNTOUCHED, counts, starts[index].attempt):
                yield ItemId(workflow.record.id, index, 0, counts.round)

    def _child_flow(self, connection: Connection, workflow: LoadedWorkflow, child: ItemId) -> Flow | None:
        if child.index >= len(workflow.flow.steps):
            return None
        return load_child_flow(connection, self._flows, workflow.flow, child)

    def decide(
        self,
        connection: Connection,
        routes: Routes,
        workflow: LoadedWorkflow,
        item_events: ItemEvents,
        budget: LookBudget,
    ) -> CallChanges:
        """Return what the events change in the calls of a workflow, once `prepare` has been called. Raises
        ReadAgain."""
        flow = workflow.flow
        indices = [index for index in item_events.indices() if index < len(flow.steps)]
        indices = [index for index in indices if flow.steps[index].is_call]
        if not indices:
            return CallChanges()
        decider = CallDecider(connection, routes, workflow, self._flows, self._store.settings, budget)
        return decider.decide(indices, item_events)


def _children_of_calls(connection: Connection, id: str, flow: Flow) -> list[ItemId]:
    """Return the children that the calls of a workflow have, or have had last."""
    calls = [index for index in flow.steps_with_children if flow.steps[index].is_call]
    counts = load_item_counts(connection, id, calls)
    return [ItemId(id, index, 0, each.round) for index, each in counts.items()]
