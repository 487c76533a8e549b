"""The graph of every case, or the location of its error."""

from __future__ import annotations

import pytest

from lfr.language import FlowError, compile_flow
from lfr.language.graph_rules import check_graph
from tests.conformance.cases import CASES, RIGHT, WRONG, Case, case_id


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_steps_and_edges(case: Case) -> None:
    flow = compile_flow(case["flow"]).to_dict()
    assert flow["steps"] == case["steps"]
    assert flow["edges"] == case["edges"]


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_the_rules_for_archives_refuse_no_flow_that_compiles(case: Case) -> None:
    check_graph(compile_flow(case["flow"]))


@pytest.mark.parametrize("case", WRONG, ids=case_id)
def test_location_of_the_error(case: Case) -> None:
    with pytest.raises(FlowError) as caught:
        compile_flow(case["flow"])
    first = caught.value.errors[0]
    assert case["error_contains_line"] in (None, first.line)
    assert case["column"] in (None, first.column)


def test_no_case_is_missing() -> None:
    assert len(CASES) == len(RIGHT) + len(WRONG) == 129
    assert len({case["name"] for case in CASES}) == len(CASES)
