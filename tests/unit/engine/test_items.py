"""The items of an iterated step, in whatever order their results arrive."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.engine.items import (
    BUSY,
    ItemCounts,
    ItemResult,
    ItemsStart,
    ItemsTransition,
    advance_items,
)
from lfr.engine.transition import Fact, FactKind, StepProgress
from lfr.item_ids import ItemId

PARENT = "workflow:parent"
RUNNING = StepProgress(active=1, attempt=1)


def succeeded(number: int, *, round: int = 1) -> ItemResult:
    return ItemResult(ItemId(PARENT, 1, number, round), b"%d" % number)


def failed(number: int) -> ItemResult:
    return ItemResult(ItemId(PARENT, 1, number), failure="no disk")


def started(total: int, limit: int) -> ItemsTransition:
    return advance_items(1, RUNNING, None, start=ItemsStart(1, list(range(total))), limit=limit)


def test_a_step_begins_with_as_many_items_as_the_limit_allows() -> None:
    transition = started(5, limit=2)
    assert transition.counts == ItemCounts(total=5, begun=2, done=0, round=1)
    assert transition.new_items == [0, 1, 2, 3, 4]
    assert transition.begins == range(0, 2)
    assert transition.facts == [
        Fact(1, FactKind.STARTED, 1, item=0),
        Fact(1, FactKind.STARTED, 1, item=1),
    ]


def test_a_completed_item_makes_room_for_the_next() -> None:
    counts = ItemCounts(total=5, begun=2, done=0, round=1)
    transition = advance_items(1, RUNNING, counts, results=[succeeded(1)], limit=2)
    assert transition.counts == ItemCounts(total=5, begun=3, done=1, round=1)
    assert transition.completed == [succeeded(1)]
    assert transition.begins == range(2, 3)
    assert not transition.is_complete


def test_the_last_completed_item_completes_the_step() -> None:
    counts = ItemCounts(total=2, begun=2, done=1, round=1)
    transition = advance_items(1, RUNNING, counts, results=[succeeded(0)], limit=2)
    assert transition.is_complete
    assert transition.completed == [succeeded(0)]


def test_a_failed_item_fails_the_step_and_no_item_begins() -> None:
    counts = ItemCounts(total=5, begun=2, done=0, round=1)
    transition = advance_items(1, RUNNING, counts, results=[succeeded(0), failed(1)], limit=2)
    assert [result.failure for result in transition.failures] == ["item 1: no disk"]
    assert transition.counts == ItemCounts(total=5, begun=2, done=1, round=1)
    assert transition.begins == range(0)


@pytest.mark.parametrize("is_running", [True, False])
def test_a_stopped_step_collects_outputs_and_begins_nothing(is_running: bool) -> None:
    counts = ItemCounts(total=2, begun=1, done=0, round=1)
    step = StepProgress(waiting=1, attempt=1) if is_running else RUNNING
    transition = advance_items(1, step, counts, results=[succeeded(0)], limit=2, may_begin=is_running)
    assert transition.counts == ItemCounts(total=2, begun=1, done=1, round=1)
    assert transition.begins == range(0)
    assert not transition.is_complete
    assert transition.failures == []


def test_a_restarted_step_goes_on_with_the_items_that_it_has() -> None:
    counts = ItemCounts(total=3, begun=1, done=1, round=1)
    step = StepProgress(active=1, attempt=2)
    transition = advance_items(1, step, counts, start=ItemsStart(2, [7, 8, 9]), limit=5)
    assert transition.new_items == []
    assert transition.begins == range(1, 3)
    assert transition.counts == ItemCounts(total=3, begun=3, done=1, round=1)


@pytest.mark.parametrize("step", [StepProgress(attempt=1), StepProgress(active=1, attempt=2)])
def test_a_start_that_is_over_is_ignored(step: StepProgress) -> None:
    assert advance_items(1, step, None, start=ItemsStart(1, [1, 2]), limit=5) == ItemsTransition(1, None)


def test_a_loop_that_comes_back_while_items_run_fails_the_step() -> None:
    step = StepProgress(active=2, attempt=2)
    counts = ItemCounts(total=2, begun=2, done=0, round=1)
    transition = advance_items(1, step, counts, start=ItemsStart(2, [1]), limit=5)
    assert [result.failure for result in transition.failures] == [BUSY]
    assert transition.counts == counts


def test_a_result_of_another_round_is_ignored() -> None:
    counts = ItemCounts(total=2, begun=2, done=0, round=3)
    transition = advance_items(1, RUNNING, counts, results=[succeeded(0, round=1)], limit=5)
    assert transition == ItemsTransition(1, counts)


@given(st.integers(1, 20), st.integers(1, 5), st.sets(st.integers(0, 19)), st.randoms(use_true_random=False))
def test_every_item_begins_once_within_the_limit_and_all_outputs_are_collected(
    total: int, limit: int, failing: set[int], order: random.Random
) -> None:
    transition = started(total, limit)
    running, begun, outputs = list(transition.begins), list(transition.begins), dict[int, bytes]()
    attempt = 1
    while not transition.is_complete:
        assert 0 < len(running) <= limit
        numbers = [running.pop(order.randrange(len(running))) for _ in range(order.randint(1, len(running)))]
        results = [failed(number) if number in failing else succeeded(number) for number in numbers]
        step = StepProgress(active=1, attempt=attempt)
        transition = advance_items(1, step, transition.counts, results=results, limit=limit)
        if transition.failures:  # a restart continues the failed items, and begins others
            running += failing & set(numbers)
            failing -= set(numbers)
            outputs |= {result.id.number: result.output for result in transition.completed}
            attempt += 1
            step = StepProgress(active=1, attempt=attempt)
            start = ItemsStart(attempt, list(range(total)))
            transition = advance_items(1, step, transition.counts, start=start, limit=limit)
        running += transition.begins
        begun += transition.begins
        outputs |= {result.id.number: result.output for result in transition.completed}
    assert begun == list(range(total))
    assert outputs == {number: b"%d" % number for number in range(total)}
