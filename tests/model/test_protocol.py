"""The protocol of commit, claims and hand-over holds in every state of the model; and mistakes are found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.model.protocol import MUTATIONS, Limits
from tests.model.search import search

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "protocol.md"

LIMITS = (
    Limits(deaths=1, takeovers=1, duplicates=1, retries=0, claim_changes=0),
    Limits(deaths=1, takeovers=0, duplicates=0, retries=1, claim_changes=1),
    Limits(deaths=1, takeovers=1, duplicates=0, retries=0, claim_changes=1),
    Limits(deaths=0, takeovers=0, duplicates=1, retries=1, claim_changes=1),
    Limits(deaths=1, takeovers=0, duplicates=1, retries=1, claim_changes=0),
    Limits(deaths=0, takeovers=0, duplicates=0, retries=0, claim_changes=4),
)
"""What is searched, each whole. All at once has some millions of states."""


SMALL_LIMITS = (
    Limits(deaths=0, takeovers=0, duplicates=0, retries=0, claim_changes=0),
    Limits(deaths=1, takeovers=0, duplicates=0, retries=0, claim_changes=0),
    Limits(deaths=0, takeovers=1, duplicates=0, retries=0, claim_changes=0),
    Limits(deaths=0, takeovers=0, duplicates=1, retries=0, claim_changes=0),
    Limits(deaths=0, takeovers=0, duplicates=0, retries=1, claim_changes=0),
    Limits(deaths=0, takeovers=0, duplicates=0, retries=0, claim_changes=2),
    Limits(deaths=0, takeovers=0, duplicates=0, retries=0, claim_changes=3),
)
"""Where mistakes are looked for first."""


@pytest.mark.slow
@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_every_state_is_right_and_can_come_to_its_end(limits: Limits) -> None:
    result = search(limits)
    assert result.wrong == "", result.way
    assert result.states > 1000


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mistake_in_the_protocol_is_found(mutation: str) -> None:
    assert any(search(limits, mutation).wrong for limits in (*SMALL_LIMITS, *LIMITS))


def test_the_page_names_functions_that_exist() -> None:
    file = ""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    functions = [row for row in rows if len(row) == 3 and row[2].startswith("`")]
    assert len(functions) >= 12
    for _, place, function in functions:
        if named := re.search(r"`(lfr/[\w/]+\.py)`", place):
            file = named[1]
        name = function.strip("`| ")
        assert re.search(rf"^ *def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (file, name)
