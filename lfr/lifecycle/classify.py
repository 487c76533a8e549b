"""What the events of a pass are to the lifecycle: ended steps, news of items, news to receipt, foreign, or
dead."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lfr import events
from lfr.engine import StepResult
from lfr.item_ids import is_item, read_item_id
from lfr.lifecycle.item_events import ItemNews
from lfr.store.redis.connection import Command
from lfr.store.stream.dead_letters import dead_letter_command
from lfr.store.stream.entries import ConsumerId, Entry, receipt_commands
from lfr.store.workflows.commit import drop_out_of_band_commands
from lfr.store.workflows.load import LoadedWorkflow
from lfr.tasks.catalogue import EACH, REQUEST_PREFIX
from lfr.values.json import InvalidJson, decode_json


@dataclass(slots=True)
class Judgement:
    """The events of one pass, sorted.

    ended        end-tasks by workflow, in the order of the stream
    items        what was heard of iterated steps, by workflow
    news         events that only tell of a workflow or a step: they are owed a receipt
    dead         events that cannot be understood, by entry, with the reason
    foreign      ids of all others: theirs to whom they are addressed
    handed_over  outputs that stand beside the stream, by (workflow, index), as JSON
    taken        the steps, likewise, for which nothing is to stand there any more
    """

    ended: dict[str, list[tuple[Entry, events.EndTask]]] = field(default_factory=dict)
    items: dict[str, ItemNews] = field(default_factory=dict)
    news: list[Entry] = field(default_factory=list)
    dead: list[tuple[Entry, str]] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    handed_over: dict[tuple[str, int], bytes] = field(default_factory=dict)
    taken: set[tuple[str, int]] = field(default_factory=set)

    @property
    def concerns_us(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.ended or self.news or self.dead)

    def by_workflow(self) -> Iterator[Judgement]:
        """The same in parts of which each concerns one workflow."""
        for workflow, ended in self.ended.items():
            yield Judgement(ended={workflow: ended})
        if self.news or self.dead:
            yield Judgement(news=self.news, dead=self.dead)

    def by_event(self) -> Iterator[Judgement]:
        """The same in parts of which each concerns one ended step."""
        for workflow, ended in self.ended.items():
            for each in ended:
                yield Judgement(ended={workflow: [each]})
        if self.news or self.dead:
            yield Judgement(news=self.news, dead=self.dead)

    @property
    def is_several(self) -> bool:
        """Whether several steps have ended."""
        return len(self.ended) > 1 or any(len(ended) > 1 for ended in self.ended.values())

    @property
    def size(self) -> int:
        """How many bytes have come with the ended steps."""
        entries = (entry for ended in self.ended.values() for entry, _ in ended)
        beside = sum(map(len, self.handed_over.values()))
        return beside + sum(sum(map(len, entry.fields.values())) for entry in entries)

    def indices(self) -> dict[str, list[int]]:
        """Which steps have ended, by workflow."""
        return {id: [task.index for _, task in ended] for id, ended in self.ended.items()}

    def without_output(self) -> list[tuple[str, int]]:
        """The ended steps whose worker may have put the output beside the stream."""
        return [
            (id, task.index)
            for id, ended in self.ended.items()
            for _, task in ended
            if not task.has_output and task.status is events.Status.SUCCESS
        ]

    def ended_steps(
        self, loaded: Mapping[str, LoadedWorkflow]
    ) -> tuple[dict[str, list[StepResult]], list[tuple[Entry, str]]]:
        """The ended steps as the engine takes them; and those that are steps of nothing, with the reason."""
        steps: dict[str, list[StepResult]] = defaultdict(list)
        lost: list[tuple[Entry, str]] = []
        for id, ended in self.ended.items():
            for entry, task in ended:
                workflow = loaded.get(id)
                if workflow is None and (id, task.index) in self.handed_over:
                    self.taken.add((id, task.index))  # nobody else will
                if workflow is None and is_item(id):
                    continue  # said twice: an item that is done is gone
                if workflow is None:
                    lost.append((entry, f"there is no workflow {id}"))
                elif task.index >= len(workflow.flow.steps):
                    lost.append((entry, f"{id} has no step {task.index}"))
                else:
                    steps[id].append(self._ended(task))
                    self._take_from_beside(workflow, task)
        return steps, lost

    def _take_from_beside(self, workflow: LoadedWorkflow, task: events.EndTask) -> None:
        """What was left for this step has been taken in; or, by the far side of a request, it is not needed.
        But what a later attempt has left is not for the end of this one."""
        step = workflow.progress.step(task.index)
        if step is not None and task.attempt not in (None, step.attempt):
            return
        beside = (task.workflow, task.index)
        if beside in self.handed_over or workflow.flow.steps[task.index].task.startswith(REQUEST_PREFIX):
            self.taken.add(beside)

    def settle(self, consumer: ConsumerId, lost: Sequence[tuple[Entry, str]], now_ms: int) -> list[Command]:
        """The commands that do with: receipts, dead letters, and the acknowledgement of it all."""
        at = events.timestamp(now_ms / 1000)
        ours = [entry for ended in self.ended.values() for entry, _ in ended] + self.news
        buried = [*self.dead, *lost]
        actions = {entry.id: "processed" for entry in ours} | {entry.id: "buried" for entry, _ in buried}
        commands: list[Command] = [dead_letter_command(entry, reason, at) for entry, reason in buried]
        commands += drop_out_of_band_commands(self.taken)
        return commands + receipt_commands(consumer, actions, at)

    def _ended(self, task: events.EndTask) -> StepResult:
        if task.status is events.Status.FAILURE:
            reason = task.reason or "the worker gave no reason"
            return StepResult(task.index, failure=reason, attempt=task.attempt, chance=random.random())
        output, beside = task.output, self.handed_over.get((task.workflow, task.index))
        if not task.has_output and beside is not None:
            try:
                output = decode_json(beside)
            except InvalidJson:
                return StepResult(task.index, failure="the output that its worker wrote is not JSON")
        return StepResult(task.index, output, attempt=task.attempt)


def judge(batch: Sequence[Entry]) -> Judgement:
    """Sort the events of a pass."""
    judged = Judgement()
    decoded = events.decode_all([entry.fields for entry in batch])
    for entry, values in zip(batch, decoded, strict=True):
        try:
            _place(judged, entry, values)
        except events.Malformed as error:
            judged.dead.append((entry, str(error)))
    return judged


def _place(judged: Judgement, entry: Entry, values: events.Values | events.Malformed) -> None:
    if isinstance(values, events.Malformed):
        task = _ended_without_output(entry, values)
        judged.ended.setdefault(task.workflow, []).append((entry, task))
        return
    kind = events.parse_kind(values)
    if kind == events.END_TASK:
        task = events.parse_end_task(values)
        judged.ended.setdefault(task.workflow, []).append((entry, task))
    elif kind in events.WORKFLOW_EVENTS:
        _place_news(judged, entry, kind, values)
    elif kind == events.CANCEL_TASK:
        events.parse_cancel_task(values)
        judged.news.append(entry)
    elif kind == events.START_TASK and values.get(b"base") == EACH:
        start = events.parse_start_task(values)
        judged.items.setdefault(start.workflow, ItemNews()).add_start(entry, start)
    else:
        events.check_event(kind, values)
        judged.foreign.append(entry.id)


def _place_news(judged: Judgement, entry: Entry, kind: str, values: events.Values) -> None:
    """News of a workflow: those of an item concern its parent, and a termination concerns the items."""
    id = str(values.get(b"workflow"))
    item = read_item_id(id)
    if kind == events.TERMINATED_WORKFLOW:
        judged.items.setdefault(id, ItemNews()).add_stop(entry)
    elif item is not None and kind != events.START_WORKFLOW:
        judged.items.setdefault(item.parent, ItemNews()).add_ended(entry, item)
    else:
        judged.news.append(entry)


def _ended_without_output(entry: Entry, error: events.Malformed) -> events.EndTask:
    """An end-task of which only the output is unusable: the task has failed, for nobody is to wait for
    it for ever. Raises `error` for any other event."""
    rest = {name: value for name, value in entry.fields.items() if name != b"output"}
    if not events.is_kind(entry.fields, events.END_TASK) or len(rest) == len(entry.fields):
        raise error
    task = events.parse_end_task(events.decode(rest))
    return replace(task, status=events.Status.FAILURE, reason=f"its worker's answer is unusable: {error}")
