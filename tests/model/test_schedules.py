"""Schedules hold in every state of their model; and mistakes are found."""

from __future__ import annotations

import pytest

from tests.model.schedules import MUTATIONS, OVERLAPS, search


@pytest.mark.slow
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_every_state_is_right_and_can_come_to_its_end(overlap: str) -> None:
    result = search(overlap)
    assert result.wrong == "", result.way
    assert result.states > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mistake_with_schedules_is_found(mutation: str) -> None:
    assert any(search(overlap, mutation).wrong for overlap in OVERLAPS)
