"""Every case: its graph, or the place of its error."""

from __future__ import annotations

import pytest

from lfr.language import FlowError, compile_flow
from lfr.language.compile import build_flow
from tests.conformance.cases import CASES, RIGHT, WRONG, Case, case_id


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_steps_and_edges(case: Case) -> None:
    flow = build_flow(case["flow"]).to_dict()
    assert flow["steps"] == case["steps"]
    assert flow["edges"] == case["edges"]


@pytest.mark.parametrize("case", WRONG, ids=case_id)
def test_place_of_the_error(case: Case) -> None:
    with pytest.raises(FlowError) as caught:
        compile_flow(case["flow"])
    first = caught.value.errors[0]
    assert case["error_contains_line"] in (None, first.line)
    assert case["column"] in (None, first.column)


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_what_cannot_be_run_yet_is_refused(case: Case) -> None:
    needs_more = any(step.get("iterate") or step["kind"] == "resource" for step in case["steps"])
    if needs_more:
        with pytest.raises(FlowError, match="not supported yet"):
            compile_flow(case["flow"])
    else:
        assert compile_flow(case["flow"]) == build_flow(case["flow"])


def test_no_case_is_left_out() -> None:
    assert len(CASES) == len(RIGHT) + len(WRONG) == 129
    assert len({case["name"] for case in CASES}) == len(CASES)
