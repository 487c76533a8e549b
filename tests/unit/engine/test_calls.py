"""The call of a stored flow: in whatever order its events arrive, an attempt has one child and one result."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lfr.engine.advance import advance, begin
from lfr.engine.calls import BUSY, CallStart, advance_call
from lfr.engine.interventions import restart, retry_step, skip_step, terminate
from lfr.engine.items import ItemCounts, ItemResult
from lfr.engine.transition import (
    UNTOUCHED,
    Fact,
    FactKind,
    Progress,
    StepProgress,
    StepResult,
    Transition,
)
from lfr.item_ids import ItemId
from lfr.language import compile_flow
from lfr.states import WorkflowState

PARENT = "workflow:parent"
RUNNING = StepProgress(active=1, attempt=1)
CHILD = ItemCounts(total=1, begun=1, done=0, round=1)


def ended(round: int = 1, failure: str | None = None) -> ItemResult:
    return ItemResult(ItemId(PARENT, 1, 0, round), b"7", failure)


def test_a_start_begins_a_child_in_the_round_of_its_attempt() -> None:
    change = advance_call(1, StepProgress(active=1, attempt=3), CHILD, start=CallStart(3))
    assert change.counts == ItemCounts(total=1, begun=1, done=0, round=3)
    assert change.begins == range(1)
    assert change.facts == [Fact(1, FactKind.STARTED, 3, 0)]


def test_a_start_that_is_repeated_or_over_begins_nothing() -> None:
    assert not advance_call(1, RUNNING, CHILD, start=CallStart(1)).begins
    assert not advance_call(1, StepProgress(active=1, attempt=2), None, start=CallStart(1)).begins
    assert not advance_call(1, StepProgress(attempt=1), None, start=CallStart(1)).begins


def test_a_call_that_cannot_begin_fails() -> None:
    change = advance_call(1, RUNNING, None, start=CallStart(1, "no such flow"))
    assert change.failures == [StepResult(1, failure="no such flow", attempt=1)]
    assert (change.counts, change.facts) == (None, [])


def test_a_loop_that_comes_back_while_the_child_runs_fails_every_invocation() -> None:
    change = advance_call(1, StepProgress(active=2, attempt=2), CHILD, start=CallStart(2))
    assert [failure.failure for failure in change.failures] == [BUSY, BUSY]
    assert not change.begins


def test_the_end_of_the_child_ends_the_step() -> None:
    change = advance_call(1, RUNNING, CHILD, results=[ended()])
    assert (change.is_complete, change.completed) == (True, [ended()])
    change = advance_call(1, RUNNING, CHILD, results=[ended(failure="bad")])
    assert change.failures == [StepResult(1, failure="bad", attempt=1)]
    assert not change.is_complete


def test_the_end_of_another_child_changes_nothing() -> None:
    for step, round in ((RUNNING, 2), (StepProgress(active=1, attempt=2), 1), (UNTOUCHED, 1)):
        change = advance_call(1, step, CHILD, results=[ended(round)])
        assert (change.completed, change.failures, change.facts) == ([], [], [])
    second = ItemCounts(total=1, begun=1, done=0, round=2)
    change = advance_call(1, StepProgress(active=1, attempt=2), second, results=[ended(1)])
    assert (change.completed, change.failures, change.facts) == ([], [], [])


FLOW = compile_flow("flow:sub (- lfr: {retry: {times: 2, delay: 0}} -)")

EVENTS = st.lists(
    st.sampled_from(("start", "again", "end", "fail", "retry", "terminate", "restart", "skip")), max_size=40
)


@given(EVENTS)
def test_each_attempt_has_at_most_one_child_and_only_the_latest_ends_the_step(names: list[str]) -> None:
    """A workflow of one call, with interventions between its events, which arrive late and twice."""
    progress, outputs = Progress(is_whole=True), {}
    starts: list[int] = []
    begun: list[int] = []
    counts: ItemCounts | None = None

    def apply(transition: object) -> None:
        if isinstance(transition, Transition):
            progress.apply(transition)
            outputs.update(transition.outputs)
            starts.extend(start.attempt for start in transition.starts)

    def process(start: int | None, results: list[ItemResult]) -> None:
        nonlocal counts
        before = progress.step(1) or UNTOUCHED
        call = None if start is None else CallStart(start)
        change = advance_call(1, before, counts, start=call, results=results)
        counts = None if change.is_complete else change.counts
        if change.begins:
            assert change.counts is not None
            begun.append(change.counts.round)
            assert change.counts.round == before.attempt
        assert len(change.completed) + len(change.failures) <= 1
        for result in change.completed:
            assert result.id.round == before.attempt and before.active
            apply(advance(FLOW, progress, outputs, StepResult(1, 7, attempt=result.id.round)))
            assert progress.state is WorkflowState.FINISHED or not progress.active
        for failure in change.failures:
            assert isinstance(advance(FLOW, progress, outputs, failure), Transition)
            apply(advance(FLOW, progress, outputs, failure))

    apply(begin(FLOW, {}))
    for name in names:
        is_running = progress.state is WorkflowState.RUNNING
        if name == "start" and starts:
            process(starts.pop(0), [])
        elif name == "again" and begun:
            process(begun[-1], [])
        elif name in ("end", "fail") and begun:
            process(None, [ended(round, "bad" if name == "fail" else None) for round in begun])
        elif name == "retry" and is_running:
            apply(retry_step(FLOW, progress, outputs, 1))
        elif name == "terminate" and is_running:
            apply(terminate(FLOW, progress))
        elif name == "restart" and progress.state in (WorkflowState.FAILED, WorkflowState.TERMINATED):
            apply(restart(FLOW, progress, outputs))
        elif name == "skip" and is_running:
            apply(skip_step(FLOW, progress, outputs, 1, "skipped"))
    assert len(begun) == len(set(begun))
    assert begun == sorted(begun)
    if progress.state is WorkflowState.RUNNING:  # what is still to come ends it
        while starts:
            process(starts.pop(0), [])
        process(None, [ended(round) for round in begun])
        assert progress.state is WorkflowState.FINISHED
