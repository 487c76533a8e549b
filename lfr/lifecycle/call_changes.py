"""What the events of a pass change in the calls of one workflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lfr import events
from lfr.config.settings import Settings
from lfr.engine.calls import CallStart, advance_call, begins_anew
from lfr.engine.items import ItemCounts, ItemsTransition
from lfr.engine.transition import UNTOUCHED, StepResult
from lfr.errors import BadInput, NotFound
from lfr.flow_inputs import complete_input
from lfr.item_ids import ItemId, nesting_depth, root_workflow
from lfr.lifecycle.item_events import ItemEvents
from lfr.operations.find_flow import require_version
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command, Connection
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
from lfr.store.workflows.items import delete_items_command, item_counts_command, load_item_counts
from lfr.store.workflows.load import LoadedWorkflow
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


class CallDecider:
    """Decides what the events of a pass change in the calls of a workflow that is loaded and watched. For one
    transaction; `budget` is for the looks into the inputs of children."""

    def __init__(
        self,
        connection: Connection,
        routes: Routes,
        workflow: LoadedWorkflow,
        flows: FlowCache,
        settings: Settings,
        budget: LookBudget,
    ) -> None:
        self._connection = connection
        self._routes = routes
        self._workflow = workflow
        self._flows = flows
        self._budget = budget
        self._max_depth = settings.calls_depth
        self._max_total = settings.calls_total
        self._called_flows = _CalledFlows(connection, flows)
        self._ended: dict[ItemId, EndedChild] = {}
        self._begun_total = 0  # how many children have begun for the outermost workflow
        self._changes = CallChanges()

    def decide(self, indices: Sequence[int], item_events: ItemEvents) -> CallChanges:
        """Return what the events change in the calls with these indices, one at least. Raises ReadAgain."""
        connection, record = self._connection, self._workflow.record
        starts = self._load_starts(item_events)
        counts = load_item_counts(connection, record.id, indices)
        items = [item for item in item_events.ended if item.index in indices]
        self._ended = {
            child.result.id: child for child in load_ended_children(connection, self._flows, items)
        }
        finished: list[EndedChild] = []
        for index in indices:
            change = self._advance(index, counts.get(index), starts.get(index))
            finished += (self._ended[result.id] for result in change.completed)
        commands = self._changes.commands
        for child in finished:
            commands += keep_child_commands(
                self._routes, child.record.id, record, child.record.reference, child.record.name
            )
        commands += collect_finished_children(connection, finished)
        return self._changes

    def _load_starts(self, item_events: ItemEvents) -> Mapping[int, events.StartTask]:
        """Return the starts of calls, by index. If there are some, load how many children have begun."""
        starts = call_starts(self._workflow, item_events)
        if starts:
            record = self._workflow.record
            begun_total = load_begun_calls(self._connection, root_workflow(record.id), record.run)
            if begun_total is None:
                # What cancels this workflow, too, is on its way, unless the outermost one is restarted
                # before: so the starts are neither done nor dropped.
                self._changes.commands += _again_commands(self._routes, self._workflow, starts.values())
                return {}
            self._begun_total = begun_total
        return starts

    def _advance(
        self, index: int, counts: ItemCounts | None, start: events.StartTask | None
    ) -> ItemsTransition:
        """Add what happens to one call to the changes, without what deletes its child; return it."""
        id, step = self._workflow.record.id, self._workflow.progress.step(index) or UNTOUCHED
        called: tuple[CalledFlow, Json] | None = None
        call_start: CallStart | None = None
        if start is not None and begins_anew(step, counts, start.attempt):
            outcome = self._resolve(index, start)
            if isinstance(outcome, CallStart):
                call_start = outcome
            else:
                called, call_start = outcome, CallStart(start.attempt)
        results = [child.result for item, child in self._ended.items() if item.index == index]
        change = advance_call(index, step, counts, start=call_start, results=results)
        changes = self._changes
        changes.transitions.append(change)
        changes.results += change.failures
        if change.is_complete:
            changes.commands.append(delete_items_command(id, index))
        elif change.begins and called is not None and change.counts is not None:
            changes.commands += self._begin_commands(index, change.counts, *called)
        for result in change.completed:
            output = decode_json(result.output)
            changes.results.append(StepResult(index, output, attempt=result.id.round))
        return change

    def _begin_commands(
        self, index: int, counts: ItemCounts, called: CalledFlow, input: Json
    ) -> list[Command]:
        """Return the commands that begin the child of a call."""
        record = self._workflow.record
        child = ItemId(record.id, index, 0, counts.round)
        self._begun_total += 1
        return [
            *count_begun_calls_commands(root_workflow(record.id), record.run, 1),
            *begin_child_commands(
                *(self._routes, child, called, input, record.run, record.traceparent),
                *(self._budget, self._workflow.hold),
            ),
            item_counts_command(record.id, index, counts),
        ]

    def _resolve(self, index: int, start: events.StartTask) -> tuple[CalledFlow, Json] | CallStart:
        """Return the flow that a call runs, with its input; or a start that says why there is none."""
        workflow = self._workflow
        step = workflow.flow.steps[index]
        depth = nesting_depth(str(ItemId(workflow.record.id, index, 0, start.attempt)))
        if depth > self._max_depth:
            reason = (
                f"{step.task} would run in {depth} workflows, one within the other, and "
                f"the setting calls.depth allows {self._max_depth}"
            )
            return CallStart(start.attempt, reason, is_final=True)
        if self._begun_total >= self._max_total:
            reason = (
                f"{step.task} would be more than the {self._max_total:,} called flows of one workflow "
                "that the setting calls.total allows"
            )
            return CallStart(start.attempt, reason, is_final=True)
        parameters = workflow.flow.invocation_of(index).parameters
        try:
            number = parse_parameters(step.task, CALL_PARAMETERS, parameters)["version"]
            called = self._called_flows.find(step.called_flow, number)
            return called, complete_input(called.flow.parameters, start.input, self._budget)
        except BadParameter as error:
            return CallStart(start.attempt, str(error), is_final=True)
        except (NotFound, BadInput) as error:  # a flow may be stored before the next attempt
            hint = f" ({error.hint})" if error.hint else ""
            reason = f"{step.task}: {error.message}{hint}"
            return CallStart(start.attempt, reason, is_final=isinstance(error, BadInput))


class _CalledFlows:
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


def call_starts(workflow: LoadedWorkflow, item_events: ItemEvents) -> dict[int, events.StartTask]:
    """Return the starts of the calls of a workflow, by index."""
    steps = workflow.flow.steps
    return {
        index: start
        for index, start in item_events.current_starts(workflow.record.run).items()
        if index < len(steps) and steps[index].is_call
    }


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
