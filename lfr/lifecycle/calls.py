"""Calls: begins a stored flow as the child of a step, and ends the step as the child ends.

The events that concern the calls of a workflow:

    start-task flow:NAME            begin a child; delete that of an earlier attempt
    end-workflow, failed-workflow   of a child: end or fail the step
    cancel-task flow:NAME           terminate the child: its attempt is over

`ItemsProcessor` processes them together with those of the items of the workflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lfr import events
from lfr.engine.calls import CallStart, advance_call, begins_anew
from lfr.engine.items import ItemCounts, ItemsTransition
from lfr.engine.transition import UNTOUCHED, StepResult
from lfr.errors import BadInput, NotFound
from lfr.flow import Flow
from lfr.flow_inputs import complete_input
from lfr.item_ids import ItemId, nesting_depth, root_workflow
from lfr.lifecycle.item_events import ItemEvents
from lfr.operations.find_flow import require_version
from lfr.operations.intervene import delete_child, terminate_run
from lfr.states import WorkflowState
from lfr.store.queues.routes import RouteCache, Routes
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.transaction import ReadAgain
from lfr.store.traces import keep_child_commands
from lfr.store.workflows.calls import (
    CalledFlow,
    EndedChild,
    begin_child_commands,
    collect_finished_children,
    count_begun_calls_commands,
    load_begun_calls,
    load_ended_children,
    watch_called_flow,
)
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.items import (
    delete_items_command,
    item_counts_command,
    load_child_flow,
    load_item_counts,
)
from lfr.store.workflows.load import LoadedWorkflow, load
from lfr.store.workflows.queries import load_records
from lfr.tasks.catalogue import CALL_PARAMETERS
from lfr.tasks.parameters import BadParameter, parse_parameters
from lfr.values.json import Json, decode_json
from lfr.values.work import LookBudget


@dataclass(slots=True)
class CallChanges:
    """What a pass changes in the calls of one workflow.

    transitions  what happens to each step
    results      the results of the steps
    commands     what begins children, deletes those that have succeeded, and notes which child a step has
    """

    transitions: list[ItemsTransition] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


class CallsProcessor:
    """Processes the events of calls for an `ItemsProcessor`."""

    def __init__(self, store: Store, flows: FlowCache, route_cache: RouteCache) -> None:
        self._store = store
        self._flows = flows
        self._route_cache = route_cache
        self._max_depth = store.settings.calls_depth
        self._max_total = store.settings.calls_total

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
        starts = _call_starts(workflow, item_events)
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
        shared: LookBudget,
    ) -> CallChanges:
        """Return what the events change in the calls of a workflow, once `prepare` has been called. Raises
        ReadAgain."""
        changes = CallChanges()
        id, flow = workflow.record.id, workflow.flow
        indices = [index for index in item_events.indices() if index < len(flow.steps)]
        indices = [index for index in indices if flow.steps[index].is_call]
        if not indices:
            return changes
        starts = _call_starts(workflow, item_events)
        root, run, begun = root_workflow(id), workflow.record.run, 0
        if starts:
            loaded_begun = load_begun_calls(connection, root, run)
            begun = loaded_begun or 0
            if loaded_begun is None:
                # What cancels this workflow, too, is on its way, unless the outermost one is restarted
                # before: so the starts are neither done nor dropped.
                changes.commands += _again_commands(routes, workflow, starts.values())
                starts = {}
        counts = load_item_counts(connection, id, indices)
        ended = {
            child.result.id: child
            for child in load_ended_children(
                connection, self._flows, [item for item in item_events.ended if item.index in indices]
            )
        }
        called = _Resolver(connection, self._flows)
        finished: list[EndedChild] = []
        for index in indices:
            change, commands = self._advance(
                routes, workflow, index, counts.get(index), starts.get(index), ended, called, shared, begun
            )
            if change.begins:
                begun += 1
                changes.commands += count_begun_calls_commands(root, run, 1)
            changes.transitions.append(change)
            changes.results += change.failures
            changes.commands += commands
            for result in change.completed:
                finished.append(ended[result.id])
                output = decode_json(result.output)
                changes.results.append(StepResult(index, output, attempt=result.id.round))
        for child in finished:
            changes.commands += keep_child_commands(
                routes, child.record.id, workflow.record, child.record.reference, child.record.name
            )
        changes.commands += collect_finished_children(connection, finished)
        return changes

    def _advance(
        self,
        routes: Routes,
        workflow: LoadedWorkflow,
        index: int,
        counts: ItemCounts | None,
        start: events.StartTask | None,
        ended: Mapping[ItemId, EndedChild],
        called: _Resolver,
        shared: LookBudget,
        all_begun: int,
    ) -> tuple[ItemsTransition, list[Command]]:
        """Return what happens to one call, and the commands for it but those that delete its child.
        `all_begun`: how many children have begun for the outermost workflow."""
        id, step = workflow.record.id, workflow.progress.step(index) or UNTOUCHED
        begun: tuple[CalledFlow, Json] | None = None
        call_start: CallStart | None = None
        if start is not None and begins_anew(step, counts, start.attempt):
            outcome = self._resolve(workflow, index, start, called, shared, all_begun)
            if isinstance(outcome, CallStart):
                call_start = outcome
            else:
                begun, call_start = outcome, CallStart(start.attempt)
        results = [child.result for item, child in ended.items() if item.index == index]
        change = advance_call(index, step, counts, start=call_start, results=results)
        if change.is_complete:
            return change, [delete_items_command(id, index)]
        if not change.begins or begun is None or change.counts is None:
            return change, []
        child = ItemId(id, index, 0, change.counts.round)
        record = workflow.record
        commands = begin_child_commands(
            routes, child, *begun, record.run, record.traceparent, shared, workflow.hold
        )
        return change, [*commands, item_counts_command(id, index, change.counts)]

    def _resolve(
        self,
        workflow: LoadedWorkflow,
        index: int,
        start: events.StartTask,
        called: _Resolver,
        shared: LookBudget,
        all_begun: int,
    ) -> tuple[CalledFlow, Json] | CallStart:
        """Return the flow that a call runs, with its input; or a start that says why there is none."""
        step = workflow.flow.steps[index]
        child = ItemId(workflow.record.id, index, 0, start.attempt)
        if nesting_depth(str(child)) > self._max_depth:
            reason = (
                f"{step.task} would run in {nesting_depth(str(child))} workflows, one within the other, and "
                f"the setting calls.depth allows {self._max_depth}"
            )
            return CallStart(start.attempt, reason, is_final=True)
        if all_begun >= self._max_total:
            reason = (
                f"{step.task} would be more than the {self._max_total:,} called flows of one workflow "
                "that the setting calls.total allows"
            )
            return CallStart(start.attempt, reason, is_final=True)
        parameters = workflow.flow.invocation_of(index).parameters
        try:
            number = parse_parameters(step.task, CALL_PARAMETERS, parameters)["version"]
            flow = called.find(step.called_flow, number)
            return flow, complete_input(flow.flow.parameters, start.input, shared)
        except BadParameter as error:
            return CallStart(start.attempt, str(error), is_final=True)
        except (NotFound, BadInput) as error:  # a flow may be stored before the next attempt
            hint = f" ({error.hint})" if error.hint else ""
            reason = f"{step.task}: {error.message}{hint}"
            return CallStart(start.attempt, reason, is_final=isinstance(error, BadInput))


class _Resolver:
    """Finds the stored flows that the calls of one transaction run, each once."""

    def __init__(self, connection: Connection, flows: FlowCache) -> None:
        self._connection = connection
        self._flows = flows
        self._called: dict[tuple[str, int | None], CalledFlow] = {}

    def find(self, name: str, number: int | None) -> CalledFlow:
        """Return a version of a stored flow, and watch it; `number` None: the latest. Raises NotFound, and
        ReadAgain if it is just being removed."""
        if (name, number) not in self._called:
            version = require_version(self._connection, name, number)
            called = watch_called_flow(self._connection, self._flows, version)
            if called is None:
                raise ReadAgain
            self._called[name, number] = called
        return self._called[name, number]


def _again_commands(
    routes: Routes, workflow: LoadedWorkflow, starts: Iterable[events.StartTask]
) -> list[Command]:
    """Return the commands that append again those of these starts whose attempt still runs. (XADD)"""
    commands: list[Command] = []
    for start in starts:
        step = workflow.progress.step(start.index) or UNTOUCHED
        if step.active and step.attempt == start.attempt:
            fields = {
                name: getattr(start, name)
                for name in ("workflow", "name", "base", "index", "input", "parameters", "attempt", "tries")
            }
            commands += routes.start_task_commands({**fields, **({"run": start.run} if start.run else {})})
    return commands


def _call_starts(workflow: LoadedWorkflow, item_events: ItemEvents) -> dict[int, events.StartTask]:
    """Return the starts of the calls of a workflow, by index."""
    steps = workflow.flow.steps
    return {
        index: start
        for index, start in item_events.current_starts(workflow.record.run).items()
        if index < len(steps) and steps[index].is_call
    }


def _children_of_calls(connection: Connection, id: str, flow: Flow) -> list[ItemId]:
    """Return the children that the calls of a workflow have, or have had last."""
    calls = [index for index in flow.steps_with_children if flow.steps[index].is_call]
    counts = load_item_counts(connection, id, calls)
    return [ItemId(id, index, 0, each.round) for index, each in counts.items()]
