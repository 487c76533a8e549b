"""Iterated steps: one workflow for each item, so many at once, their outputs in the order of the items.

The lifecycle does what `lfr:each` asks for. What it hears, by workflow:

    start-task lfr:each             begin with the items; or, after a restart, go on with them
    end-workflow, failed-workflow   of an item: take its output in and begin the next; or fail the step
    terminated-workflow             terminate the items that run

All that is heard of one workflow is dealt with in one transaction, under the watch of that workflow's
record. Only items that are to be stopped or to go on are moved before, each in a transaction of its own:
those may be heard of twice without harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lfr import events
from lfr.engine import Fact, FactKind, StepResult, Transition
from lfr.item_ids import ItemId
from lfr.lifecycle.advance_batch import advance_all
from lfr.lifecycle.item_events import ItemNews
from lfr.operations.intervene import transition_to
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.stream.entries import ConsumerId, receipt_commands
from lfr.store.workflows.commit import commit, transition_commands
from lfr.store.workflows.flows import FlowCache
from lfr.store.workflows.items import (
    EndedItem,
    Items,
    Missing,
    begin_items_commands,
    complete_item_commands,
    drop_items_command,
    lay_out_commands,
    load_ended,
    load_items,
    load_open,
    load_outputs,
    load_values,
    write_items_command,
)
from lfr.store.workflows.load import LoadedWorkflow, load, load_whole, watch_state
from lfr.tasks.step_options import parse_step_options
from lfr.values.json import Json, decode_json

BUSY = "the loop has come back to this step while its items were still worked on"


@dataclass(slots=True)
class _Step:
    """An iterated step in the making of a transaction.

    items     how far its items are, as it is to be written; None if it has none
    values    its items, if they are new
    facts     what happened to items
    outputs   of the items that are done by this transaction, as JSON, by number
    ended     that the step has ended by this, and how
    """

    index: int
    items: Items | None
    values: list[Json] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    outputs: dict[int, bytes] = field(default_factory=dict)
    ended: list[StepResult] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def tell(self, what: FactKind, number: int) -> None:
        """Something happened to an item."""
        assert self.items is not None
        self.facts.append(Fact(self.index, what, self.items.round, number))


class Iteration:
    """Does the iterated steps of workflows, for a lifecycle."""

    def __init__(self, store: Store, consumer: ConsumerId, flows: FlowCache) -> None:
        self._stream = store.stream
        self._limit = store.settings.iterate_limit
        self._consumer_id = consumer
        self._flows = flows

    def process(self, connection: Connection, id: str, news: ItemNews) -> None:
        """Deal with what was heard of the iterated steps of workflow `id`, and acknowledge it."""
        if news.is_stopped:
            self._move_items(connection, id, None, WorkflowState.TERMINATED)
        moved = self._move_items(connection, id, news.starts, WorkflowState.RUNNING) if news.starts else []
        while not self._transact(connection, id, news, moved):
            pass  # somebody moved this workflow: look at it as it now stands

    def _move_items(
        self, connection: Connection, id: str, indices: Iterable[int] | None, wanted: WorkflowState
    ) -> list[ItemId]:
        """Terminate, or let go on, the items of these steps (None: of all), as far as the workflow itself
        is in that state. Which have been moved."""
        _, loaded = load(connection, self._flows, {id: ()})
        if id not in loaded:
            return []
        iterated = [step.index for step in loaded[id].flow.own_steps if step.iterate]
        chosen = iterated if indices is None else sorted(set(iterated) & set(indices))
        return [
            item
            for index, items in load_items(connection, id, chosen).items()
            for item in load_open(connection, id, index, items)
            if self._move_item(connection, item, wanted)
        ]

    def _move_item(self, connection: Connection, item: ItemId, wanted: WorkflowState) -> bool:
        while watch_state(connection, item.parent) is wanted:
            now_ms, found = load_whole(connection, self._flows, str(item))
            if found is None or wanted not in MAY_FOLLOW[found.record.state]:
                break
            transition = transition_to(found, wanted)
            found.take(transition)
            if commit(connection, transition_commands(self._stream, found, [transition], now_ms)):
                return True
        connection.execute([("UNWATCH",)])
        return False

    def _transact(self, connection: Connection, id: str, news: ItemNews, moved: Iterable[ItemId]) -> bool:
        """Load, work out, commit. False if somebody else has moved the workflow meanwhile."""
        try:
            now_ms, commands = self._work_out(connection, id, news, moved)
        except Missing:
            if connection.transact([]) is not None:
                raise  # nobody has: it is lost
            return False
        receipts = {entry.id: "processed" for entry in news.entries}
        return commit(
            connection,
            [*commands, *receipt_commands(self._consumer_id, receipts, events.timestamp(now_ms / 1000))],
        )

    def _work_out(
        self, connection: Connection, id: str, news: ItemNews, moved: Iterable[ItemId]
    ) -> tuple[int, list[Command]]:
        """The time of Redis, and the commands that write what the news change. Raises Missing."""
        now_ms, loaded = load(connection, self._flows, {id: news.indices()})
        commands: list[Command] = []
        if id in loaded:
            steps = self._take_news(connection, loaded[id], news, now_ms)
            for item in moved:
                steps[item.index].tell(FactKind.STARTED, item.number)
            commands = self._change(connection, loaded, id, list(steps.values()), now_ms)
        return now_ms, commands

    def _change(
        self,
        connection: Connection,
        loaded: Mapping[str, LoadedWorkflow],
        id: str,
        steps: Sequence[_Step],
        now_ms: int,
    ) -> list[Command]:
        """The commands that write all that has changed, in the items and in their parent."""
        workflow = loaded[id]
        facts = [fact for step in steps for fact in step.facts]
        told = [Transition(state=workflow.progress.state, facts=facts)] if facts else []
        moved = advance_all(connection, loaded, {id: [ended for step in steps for ended in step.ended]})
        commands = [command for step in steps for command in step.commands]
        return commands + transition_commands(self._stream, workflow, told + moved[id], now_ms)

    def _take_news(
        self, connection: Connection, workflow: LoadedWorkflow, news: ItemNews, now_ms: int
    ) -> dict[int, _Step]:
        """What the news change in each step that they are about."""
        id, flow = workflow.record.id, workflow.flow
        indices = [index for index in news.indices() if index < len(flow.steps) and flow.steps[index].iterate]
        laid_out = load_items(connection, id, indices)
        steps = {index: _Step(index, laid_out.get(index)) for index in indices}
        last = {index: self._flows.part(flow, index).last for index in indices}
        ended = _load_ended(connection, id, news, laid_out, last)
        for index, step in steps.items():
            if index in news.starts:
                _lay_out(workflow, step, news.starts[index])
            _take_in(workflow, step, [each for each in ended if each.id.index == index])
            self._go_on(connection, workflow, step, now_ms)
        return steps

    def _go_on(self, connection: Connection, workflow: LoadedWorkflow, step: _Step, now_ms: int) -> None:
        """With all items done, end the step; else begin as many as there is room for."""
        items, id, index = step.items, workflow.record.id, step.index
        if items is None:
            return
        if items.done == items.total and _runs(workflow, index):
            outputs = load_outputs(connection, id, index, items.total, step.outputs)
            step.ended.append(StepResult(index, list(map(decode_json, outputs))))
            step.commands.append(drop_items_command(id, index))
            return
        step.commands += lay_out_commands(id, index, step.values)  # also if none can begin now, for a restart
        if workflow.progress.state is WorkflowState.RUNNING and _runs(workflow, index) and not step.ended:
            limit = parse_step_options(workflow.flow.steps[index].parameters).limit or self._limit
            room = limit - (items.begun - items.done)
            self._begin(
                connection, workflow, step, items, max(0, min(room, items.total - items.begun)), now_ms
            )
        step.commands.append(write_items_command(id, index, items))

    def _begin(
        self,
        connection: Connection,
        workflow: LoadedWorkflow,
        step: _Step,
        items: Items,
        count: int,
        now_ms: int,
    ) -> None:
        id, index = workflow.record.id, step.index
        numbers = range(items.begun, items.begun + count)
        values = step.values[: len(numbers)] or load_values(connection, id, index, numbers)
        ids = [ItemId(id, index, number, items.round) for number in numbers]
        part = self._flows.part(workflow.flow, index)
        step.commands += begin_items_commands(self._stream, part, ids, values, now_ms)
        items.begun += count
        for number in numbers:
            step.tell(FactKind.STARTED, number)


def _load_ended(
    connection: Connection, id: str, news: ItemNews, laid_out: Mapping[int, Items], last: Mapping[int, int]
) -> list[EndedItem]:
    """The items that have ended: those of which it was heard; and, of steps that go on, those that are done
    without that anybody will tell it any more, for the stream may have been lost."""
    heard = [item for item in news.ended if item.index in last]
    found = [
        item
        for index in laid_out.keys() & news.starts.keys()
        for item in load_open(connection, id, index, laid_out[index])
    ]
    ended = load_ended(connection, [*heard, *found], last)
    return [each for each in ended if each.failure is None or each.id in heard]


def _runs(workflow: LoadedWorkflow, index: int) -> bool:
    progress = workflow.progress.step(index)
    return progress is not None and progress.active > 0


def _lay_out(workflow: LoadedWorkflow, step: _Step, start: events.StartTask) -> None:
    """A step has started: with new items, or to go on with those that it has."""
    progress = workflow.progress.step(step.index)
    if progress is None or not progress.active or start.attempt != progress.attempt:
        return  # it was stopped before this was read
    if progress.active > 1:
        step.ended.append(StepResult(step.index, failure=BUSY))
    elif step.items is None and isinstance(start.input, list):
        step.items = Items(len(start.input), begun=0, done=0, round=start.attempt)
        step.values = start.input


def _take_in(workflow: LoadedWorkflow, step: _Step, ended: Sequence[EndedItem]) -> None:
    """Items have ended: take their outputs in, or let the step fail."""
    if step.items is None:
        return
    for each in ended:
        if each.id.round != step.items.round:
            continue
        if each.failure is None:
            step.items.done += 1
            step.outputs[each.id.number] = each.output
            step.commands += complete_item_commands(each)
            step.tell(FactKind.ENDED, each.id.number)
        elif _runs(workflow, step.index):
            step.ended.append(StepResult(step.index, failure=f"item {each.id.number}: {each.failure}"))
            step.tell(FactKind.FAILED, each.id.number)
