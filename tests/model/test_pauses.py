"""Pauses hold in every state of their model; and mistakes are found."""

from __future__ import annotations

import pytest

from tests.model.pauses import MUTATIONS, search


@pytest.mark.slow
def test_every_state_is_right_and_can_come_to_its_end() -> None:
    result = search()
    assert result.wrong == "", result.way
    assert result.states > 50_000


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mistake_with_pauses_is_found(mutation: str) -> None:
    assert search(mutation).wrong
