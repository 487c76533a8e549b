"""The call of a stored flow: whether its child begins, and how it ends the step.

A call is like an iterated step with one item, which is the input of the step. But the child runs a flow of
its own, and each attempt of the step begins a new one, as its item 0 in the round of that attempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lfr.engine.items import ItemCounts, ItemResult, ItemsTransition
from lfr.engine.transition import Fact, FactKind, StepProgress, StepResult

BUSY = "the loop has come back to this step while its child was still running"


@dataclass(frozen=True, slots=True)
class CallStart:
    """The start of a call: its attempt, and why no child can begin, or None if one can. `is_final`: a retry
    would not help."""

    attempt: int
    refusal: str | None = None
    is_final: bool = False


def begins_anew(step: StepProgress, counts: ItemCounts | None, attempt: int) -> bool:
    """Return whether a start of this attempt begins a child. `step` is the progress of the step, `counts`
    that of the child that it has had before; a start that is repeated or over begins none."""
    is_current = step.active > 0 and attempt == step.attempt
    return is_current and (counts is None or counts.round != attempt)


def advance_call(
    index: int,
    step: StepProgress,
    counts: ItemCounts | None,
    *,
    start: CallStart | None = None,
    results: Iterable[ItemResult] = (),
) -> ItemsTransition:
    """Return what a start of step `index`, and the result of its child, change.

    `step` is the progress of the step, `counts` that of its child, or None if it has none. The result of a
    child whose attempt is over is ignored.
    """
    change = ItemsTransition(index, counts)
    if start is not None and begins_anew(step, counts, start.attempt):
        _begin(change, step, start)
    elif counts is not None and step.active and counts.round == step.attempt:
        for result in results:
            if result.id.round == counts.round:
                _end(change, result)
    return change


def _begin(change: ItemsTransition, step: StepProgress, start: CallStart) -> None:
    index, attempt = change.index, start.attempt
    if step.active > 1:  # all invocations fail: the child of the former one is deleted
        change.failures = [StepResult(index, failure=BUSY, is_final=True) for _ in range(step.active)]
    elif start.refusal is not None:
        refusal = StepResult(index, failure=start.refusal, attempt=attempt, is_final=start.is_final)
        change.failures = [refusal]
    else:
        change.counts = ItemCounts(total=1, begun=1, done=0, round=attempt)
        change.begins = range(1)
        change.facts = [Fact(index, FactKind.STARTED, attempt, 0)]


def _end(change: ItemsTransition, result: ItemResult) -> None:
    index, attempt = change.index, result.id.round
    if result.failure is None:
        change.completed = [result]
        change.is_complete = True
        change.facts = [Fact(index, FactKind.ENDED, attempt, 0, result.is_simulated)]
    else:
        change.failures = [StepResult(index, failure=result.failure, attempt=attempt)]
        change.facts = [Fact(index, FactKind.FAILED, attempt, 0, result.is_simulated)]
