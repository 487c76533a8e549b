"""The table of mutations is true: each old text stands in its file once, and the tests exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutations.table import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_old_text_stands_in_its_file_once(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text()
    assert text.count(mutation.old) == 1, "the code has changed: adapt tests/mutations/table.py, and try it"
    for path in mutation.tests:
        assert (ROOT / path).exists(), path


def test_there_are_mutations_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 20
