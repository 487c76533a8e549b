"""The items of an iterated step: which of them begin, whose outputs are collected, when the step ends.

A workflow of its own runs for each item, up to a limit of them at once. When all items are done, the step
ends with the list of their outputs, in the order of the items. The step fails when an item fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lfr.engine.transition import Fact, FactKind, StepProgress, StepResult
from lfr.item_ids import ItemId
from lfr.values.json import Json

BUSY = "the loop has come back to this step while its items were still worked on"


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """How far the items of a step are.

    total, begun, done  how many items there are, have begun, and have ended with success
    round               the attempt of the step that began with these items, see ItemId
    """

    total: int
    begun: int
    done: int
    round: int


@dataclass(frozen=True, slots=True)
class ItemResult:
    """The result of an item: its output as JSON, or the reason of its failure (None: it has succeeded).

    is_simulated  whether no worker has done one of its tasks
    """

    id: ItemId
    output: bytes = b""
    failure: str | None = None
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class ItemsStart:
    """The start of an iterated step: its attempt, and its items, or None to go on with those that it has."""

    attempt: int
    items: list[Json] | None


@dataclass(slots=True)
class ItemsTransition:
    """What changes for the items of step `index`.

    counts       how far the items are afterwards; None if the step has no items
    new_items    the items, if the step has just been given them
    begins       the numbers of the items that begin
    completed    results of items that have succeeded: their outputs are to be stored with the parent
    facts        what happened to items
    failures     results of the step, not of items, with which it fails
    is_complete  whether all items are done: the step ends with the list of their outputs
    """

    index: int
    counts: ItemCounts | None
    new_items: list[Json] = field(default_factory=list)
    begins: range = range(0)
    completed: list[ItemResult] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    failures: list[StepResult] = field(default_factory=list)
    is_complete: bool = False


def item_limit(ceiling: int, running: Sequence[int], own_limit: int | None) -> int:
    """Return how many items of a step may run at once.

    `ceiling` is the setting. An iteration within others gets its share of it: `running` says for each of
    these, from the outermost on, how many of its items run. `own_limit` is that of the step's options, or
    None; it cannot be more than the share.
    """
    for count in running:
        ceiling = max(1, ceiling // max(1, count))
    return ceiling if own_limit is None else min(own_limit, ceiling)


def advance_items(
    index: int,
    step: StepProgress,
    counts: ItemCounts | None,
    *,
    start: ItemsStart | None = None,
    results: Sequence[ItemResult] = (),
    limit: int,
    may_begin: bool = True,
) -> ItemsTransition:
    """Return what a start of step `index`, and the results of its items, change.

    `step` is the progress of the step, `counts` that of its items, or None if it has none yet. `limit` is how
    many items may run at once; none begins unless `may_begin`. A start of another attempt, results of another
    round, and failures of items while the step does not run are ignored.
    """
    change = ItemsTransition(index, counts)
    if start is not None and step.active and start.attempt == step.attempt:
        if step.active > 1:
            change.failures.append(StepResult(index, failure=BUSY))
        elif counts is None and start.items is not None:
            change.counts = ItemCounts(len(start.items), begun=0, done=0, round=start.attempt)
            change.new_items = start.items
    if change.counts is None:
        return change
    for result in results:
        if result.id.round == change.counts.round:
            _add_result(change, step, result)
    _begin_items(change, step, limit if may_begin else 0)
    return change


def _add_result(change: ItemsTransition, step: StepProgress, result: ItemResult) -> None:
    index, number = change.index, result.id.number
    if result.failure is None:
        assert change.counts is not None
        change.counts = replace(change.counts, done=change.counts.done + 1)
        change.completed.append(result)
        change.facts.append(Fact(index, FactKind.ENDED, result.id.round, number, result.is_simulated))
    elif step.active:
        change.failures.append(StepResult(index, failure=f"item {number}: {result.failure}"))
        change.facts.append(Fact(index, FactKind.FAILED, result.id.round, number, result.is_simulated))


def _begin_items(change: ItemsTransition, step: StepProgress, limit: int) -> None:
    """Begin as many items as there is room for, or complete the step if all are done."""
    counts = change.counts
    assert counts is not None
    if not step.active:
        return
    if counts.done == counts.total:
        change.is_complete = True
        return
    if change.failures:
        return
    room = max(0, min(limit - (counts.begun - counts.done), counts.total - counts.begun))
    change.begins = range(counts.begun, counts.begun + room)
    change.counts = replace(counts, begun=counts.begun + room)
    change.facts += [Fact(change.index, FactKind.STARTED, counts.round, number) for number in change.begins]
