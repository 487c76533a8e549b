"""Iterated steps: begins a workflow for each item, collects their outputs, and ends the step.

The events that concern the items of a workflow:

    start-task lfr:each             begin with the items; or, after a restart, go on with them
    end-workflow, failed-workflow   of an item: collect its output and begin the next item; or fail the step
    terminated-workflow             terminate the items that run

All events of one workflow, those of its calls included (`lfr.lifecycle.calls`), are processed in one
transaction, under the watch of its record. Only the children that are to be terminated, restarted or deleted
are changed before, each in a transaction of its own: to do that twice does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from lfr import events
from lfr.engine.items import (
    ItemCounts,
    ItemResult,
    ItemsStart,
    ItemsTransition,
    advance_items,
    item_limit,
)
from lfr.engine.transition import UNTOUCHED, Fact, FactKind, StepResult, Transition
from lfr.item_ids import ItemId
from lfr.lifecycle.calls import CallsProcessor
from lfr.lifecycle.history_trimmer import HistoryTrimmer
from lfr.lifecycle.item_events import ItemEvents
from lfr.operations.intervene import intervene, transition_if_allowed
from lfr.states import WorkflowState
from lfr.step_options import EACH
from lfr.store import keys
from lfr.store.queues.routes import RouteCache, Routes
from lfr.store.queues.settle import processed_commands
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.stream.entries import ConsumerId, append_command
from lfr.store.traces import keep_child_commands
from lfr.store.workflows.attempt_status import is_active
from lfr.store.workflows.commit import transition_commands
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.items import (
    ItemsMissing,
    begin_items_commands,
    collect_output_commands,
    delete_items_command,
    item_counts_command,
    load_item_counts,
    load_item_inputs,
    load_item_outputs,
    load_item_results,
    load_open_items,
    load_outer_counts,
    new_items_commands,
)
from lfr.store.workflows.load import LoadedWorkflow, advance_workflows, load, watch_state
from lfr.values.json import Json
from lfr.values.times import format_timestamp
from lfr.values.work import MAX_LOOKS, LookBudget, TooMuchWork

_MAX_LOOKS: Final = 4 * MAX_LOOKS
"""How many looks the guards and merges of all items that begin together may take."""


class ItemsProcessor:
    """Processes the events of iterated steps and calls for a consumer of the lifecycle role."""

    def __init__(
        self,
        store: Store,
        consumers: Sequence[ConsumerId],
        flows: FlowCache,
        route_cache: RouteCache,
        history_trimmer: HistoryTrimmer,
    ) -> None:
        self._limit = store.settings.iterate_limit
        self._calls = CallsProcessor(store, flows, route_cache)
        self._consumers = consumers
        self._flows = flows
        self._route_cache = route_cache
        self._history_trimmer = history_trimmer

    def process(self, connection: Connection, id: str, item_events: ItemEvents, looks: LookBudget) -> None:
        """Process and acknowledge the events that concern the children of workflow `id`. Before that,
        terminate or restart open items, if they say so. Raises ItemsMissing if inputs or outputs are lost.

        The guards and merges of each item that begins have a budget, and share one; what they use of it is
        taken from `looks`, the budget of the pass."""
        self._calls.prepare(connection, id, item_events)
        if item_events.is_terminated:
            self._change_open_items(connection, id, None, WorkflowState.TERMINATED)
        restarted: list[ItemId] = []
        if item_events.starts:
            restarted = self._change_open_items(connection, id, item_events, WorkflowState.RUNNING)

        def attempt() -> tuple[list[Command], None]:
            shared = LookBudget(_MAX_LOOKS)
            try:
                routes, commands = self._decide(connection, id, item_events, restarted, shared)
            except ItemsMissing:
                if connection.transact([]) is not None:
                    raise  # no other client has changed the workflow: the items are lost
                raise ReadAgain from None
            with suppress(TooMuchWork):  # then later events of this pass have a pass of their own
                looks.spend(shared.used)
            return [*commands, *processed_commands(routes, self._consumers, item_events.entries)], None

        retry_until_committed(connection, attempt, self._history_trimmer.note)

    def fail(self, connection: Connection, id: str, item_events: ItemEvents, reason: str) -> None:
        """Fail the steps that these events concern, because what follows from them cannot be written, and
        acknowledge the events. (WATCH; MULTI/EXEC: XADD, XACK)"""

        def attempt() -> tuple[list[Command], None]:
            routes = self._route_cache.watch(connection)
            at = format_timestamp(routes.now_ms / 1000)
            failure = {"workflow": id, "status": events.Status.FAILURE, "reason": reason, "retry": False}
            commands = [
                append_command(keys.ENDS, events.END_TASK, at, {**failure, "name": EACH, "index": index})
                for index in item_events.indices()
            ]
            return [*commands, *processed_commands(routes, self._consumers, item_events.entries)], None

        retry_until_committed(connection, attempt)

    def _change_open_items(
        self, connection: Connection, id: str, item_events: ItemEvents | None, state: WorkflowState
    ) -> list[ItemId]:
        """Terminate or restart the open items of the steps that start, or of all steps; return the items that
        changed. Nothing changes once the workflow itself is in another state than `state`."""
        _, loaded = load(connection, self._flows, self._route_cache, {id: ()})
        if id not in loaded:
            return []
        workflow = loaded[id]
        chosen = [step.index for step in workflow.flow.own_steps if step.iterate]
        if item_events is not None:
            starts = item_events.current_starts(workflow.record.run)
            chosen = [index for index in chosen if index in starts]
        return [
            item
            for index, counts in load_item_counts(connection, id, chosen).items()
            for item in load_open_items(connection, id, index, counts)
            if self._change_item(connection, item, state)
        ]

    def _change_item(self, connection: Connection, item: ItemId, state: WorkflowState) -> bool:
        """Terminate or restart an item if its parent is in this state; return whether that was done.

        The items of a workflow that was failed because it took too long are terminated, too: then their step
        does not run.
        """

        def decide(workflow: LoadedWorkflow | None) -> Transition | None:
            parent = watch_state(connection, item.parent)
            is_stopped = parent is WorkflowState.FAILED and not is_active(connection, item.parent, item.index)
            expected = WorkflowState.TERMINATED if is_stopped else parent
            return (
                None if workflow is None or expected is not state else transition_if_allowed(workflow, state)
            )

        return intervene(connection, self._route_cache, self._flows, str(item), decide) is not None

    def _decide(
        self,
        connection: Connection,
        id: str,
        item_events: ItemEvents,
        restarted: Sequence[ItemId],
        shared: LookBudget,
    ) -> tuple[Routes, list[Command]]:
        """Load the workflow; return the routes and commands for all changes. Raises ItemsMissing."""
        routes, loaded = load(connection, self._flows, self._route_cache, {id: item_events.indices()})
        if id not in loaded:
            return routes, []
        workflow = loaded[id]
        workflow.budget = LookBudget(shared=shared)
        commands: list[Command] = []
        facts: list[Fact] = []
        results: list[StepResult] = []
        for change in self._transitions(connection, workflow, item_events):
            inputs = self._load_inputs(connection, id, change)
            commands += self._item_commands(routes, workflow, change, inputs, shared)
            facts += change.facts
            starts = item_events.current_starts(workflow.record.run)
            same_step = (item for item in restarted if item.index == change.index and item.index in starts)
            facts += [Fact(item.index, FactKind.STARTED, item.round, item.number) for item in same_step]
            results += change.failures
            if change.is_complete:
                results.append(self._result(connection, id, change))
        calls = self._calls.decide(connection, routes, workflow, item_events, shared)
        commands += calls.commands
        results += calls.results
        facts += (fact for change in calls.transitions for fact in change.facts)
        simulated = sum(fact.is_simulated for fact in facts)
        transitions = (
            [Transition(state=workflow.progress.state, facts=facts, simulated=simulated)] if facts else []
        )
        transitions += advance_workflows(connection, loaded, {id: results})[id]
        return routes, commands + transition_commands(routes, workflow, transitions)

    def _transitions(
        self, connection: Connection, workflow: LoadedWorkflow, item_events: ItemEvents
    ) -> Iterator[ItemsTransition]:
        """Yield what the events change in the items of each step."""
        id, flow = workflow.record.id, workflow.flow
        indices = [index for index in item_events.indices() if index < len(flow.steps)]
        indices = [index for index in indices if flow.steps[index].iterate]
        counts = load_item_counts(connection, id, indices)
        results = self._load_results(connection, workflow, item_events, indices, counts)
        starts = item_events.current_starts(workflow.record.run)
        running = load_outer_counts(connection, id)
        for index in indices:
            yield advance_items(
                index,
                workflow.progress.step(index) or UNTOUCHED,
                counts.get(index),
                start=_items_start(starts.get(index)),
                results=[result for result in results if result.id.index == index],
                limit=item_limit(self._limit, running, flow.invocation_of(index).options.limit),
                may_begin=workflow.progress.state is WorkflowState.RUNNING,
            )

    def _load_results(
        self,
        connection: Connection,
        workflow: LoadedWorkflow,
        item_events: ItemEvents,
        indices: Sequence[int],
        counts: Mapping[int, ItemCounts],
    ) -> list[ItemResult]:
        """Return the results of the items that have ended according to the events. If a step goes on with its
        items, add the open items that have succeeded: the stream that reported it may be lost."""
        ended = dict.fromkeys(item for item in item_events.ended if item.index in indices)
        others = [
            item
            for index in counts.keys() & item_events.starts.keys()
            for item in load_open_items(connection, workflow.record.id, index, counts[index])
        ]
        last_steps = {index: self._flows.part(workflow.flow, index).last for index in indices}
        results = load_item_results(connection, [*ended, *others], last_steps)
        return [result for result in results if result.failure is None or result.id in ended]

    def _load_inputs(self, connection: Connection, id: str, change: ItemsTransition) -> list[Json]:
        """Return the inputs of the items that begin. Raises ItemsMissing."""
        if change.new_items:
            return change.new_items[: len(change.begins)]
        return load_item_inputs(connection, id, change.index, change.begins)

    def _item_commands(
        self,
        routes: Routes,
        workflow: LoadedWorkflow,
        change: ItemsTransition,
        inputs: Sequence[Json],
        shared: LookBudget,
    ) -> list[Command]:
        """Return the commands that collect outputs, begin items and update the counts of one step."""
        id, index, counts = workflow.record.id, change.index, change.counts
        part = self._flows.part(workflow.flow, index)
        record = workflow.record
        commands = [
            command
            for result in change.completed
            for command in (
                *keep_child_commands(routes, str(result.id), record, part.reference, record.name),
                *collect_output_commands(part, result),
            )
        ]
        if counts is None:
            return commands
        if change.is_complete:
            return [*commands, delete_items_command(id, index)]
        commands += new_items_commands(id, index, change.new_items)  # also if none begins: for a restart
        items = [ItemId(id, index, number, counts.round) for number in change.begins]
        run, traceparent = workflow.record.run, workflow.record.traceparent
        commands += begin_items_commands(routes, part, items, inputs, run, traceparent, shared, workflow.hold)
        return [*commands, item_counts_command(id, index, counts)]

    def _result(self, connection: Connection, id: str, change: ItemsTransition) -> StepResult:
        """Return the result of a step whose items are all done. Raises ItemsMissing."""
        assert change.counts is not None
        new_outputs = {result.id.number: result.output for result in change.completed}
        outputs = load_item_outputs(connection, id, change.index, change.counts.total, new_outputs)
        return StepResult(change.index, outputs)


def _items_start(start: events.StartTask | None) -> ItemsStart | None:
    if start is None:
        return None
    return ItemsStart(start.attempt, start.input if isinstance(start.input, list) else None)
