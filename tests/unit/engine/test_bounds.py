"""Attacks on the time that one transition takes: each ends with a step that has failed, and says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lfr.engine import advance as engine
from lfr.engine.advance import advance, begin
from lfr.engine.interventions import restart, terminate
from lfr.engine.step_inputs import InputError, merge
from lfr.engine.transition import Progress, StepProgress, StepResult, Transition
from lfr.flow import Flow
from lfr.language import compile_flow
from lfr.states import WorkflowState
from lfr.values.work import MAX_LOOKS, LookBudget

NO_SUCH = ",".join(f'"a{number}"' for number in range(1000))


def hostile_flow(**changes: Any) -> Flow:
    """Return a flow that no text compiles to: `A`, with other steps or edges."""
    return Flow.from_dict({**json.loads(compile_flow("A").canonical_json), **changes})


def ended(flow: Flow, output: Any) -> Transition:
    """Return the transition after the end of step 1."""
    progress = Progress(is_whole=True)
    first = begin(flow, {})
    progress.apply(first)
    transition = advance(flow, progress, dict(first.outputs), StepResult(1, output))
    assert isinstance(transition, Transition)
    return transition


def test_a_guard_that_looks_for_a_thousand_names_in_every_value_fails_its_step() -> None:
    transition = ended(compile_flow(f"A -> ? `$..[{NO_SUCH}]` B"), [{} for _ in range(100_000)])
    assert transition.state is WorkflowState.FAILED
    assert transition.reason == f"its guard would take more than {MAX_LOOKS:,} looks at values"


def test_many_guards_share_the_budget_of_their_transition() -> None:
    guards = "; ".join([f"? `$..[{NO_SUCH}]` B"] * 60)
    transition = ended(compile_flow(f"A -> {{ {guards} }}"), [{} for _ in range(100)])
    assert transition.state is WorkflowState.FAILED
    assert "its guard would take" in transition.reason
    one = ended(compile_flow(f"A -> ? `$..[{NO_SUCH}]` B"), [{} for _ in range(100)])
    assert one.state is WorkflowState.FINISHED


def test_many_merges_share_the_budget_of_their_transition() -> None:
    wide = json.dumps({f"k{number}": 0 for number in range(1000)})
    sources = "; ".join([f"<{wide}> -> ? `$.never` B -> :x"] * 100)
    merges = "; ".join([":x -> > ? `$.never` B"] * 100)
    transition = begin(compile_flow(f"{sources}; {merges}"), {})
    assert transition.state is WorkflowState.FAILED
    assert transition.reason == f"its merge would take more than {MAX_LOOKS:,} looks at values"


def test_a_merge_counts_every_key_and_every_member() -> None:
    budget = LookBudget()
    merge([{"a": 1, "b": 2}, [{"c": 3}, None]], budget)
    assert budget.used == 3 + 1 + 2 + 1
    with pytest.raises(InputError, match="more than 10 looks"):
        merge([{}] * 11, LookBudget(10))


@pytest.mark.parametrize("edges", [[[0, 0], [0, 1], [1, 2]], [[0, 1], [0, 2], [1, 0], [2, 0]]])
def test_a_circle_without_a_task_ends(edges: list[list[int]]) -> None:
    transition = begin(hostile_flow(edges=edges), {})
    assert transition.state is WorkflowState.FAILED
    assert "without a task" in transition.reason
    assert len(transition.facts) < 3 * engine.MAX_STARTS


@pytest.mark.parametrize("index", [0, 1])
def test_activations_without_end_end(index: int) -> None:
    flow = compile_flow("A")
    progress = Progress(WorkflowState.TERMINATED, {index: StepProgress(2**53 - 1)}, is_whole=True)
    transition = restart(flow, progress, {-1: {}})
    assert transition.state is WorkflowState.FAILED
    assert len(transition.starts) <= engine.MAX_STARTS + 4 * flow.size


def test_invocations_without_end_are_terminated_at_once() -> None:
    flow = compile_flow("A")
    progress = Progress(WorkflowState.RUNNING, {1: StepProgress(0, 2**53 - 1, 1)}, True, 2**53 - 1)
    transition = terminate(flow, progress)
    assert (len(transition.cancels), transition.active) == (1, -(2**53 - 1))
    assert transition.steps[1][:2] == (2**53 - 1, 0)


def test_a_flow_may_start_as_many_steps_as_it_has() -> None:
    flow = compile_flow("; ".join(["<[1]> -> ? `$.never` B"] * (2 * engine.MAX_STARTS)))
    assert begin(flow, {}).state is WorkflowState.FINISHED
