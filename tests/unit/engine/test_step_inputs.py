"""Values that grow from step to step: a step fails before nobody can write or read them any more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.engine.advance import advance, begin
from lfr.engine.step_inputs import MAX_VALUES, PayloadMeter, TooBig
from lfr.engine.transition import Progress, StepResult, Transition
from lfr.flow import Flow
from lfr.language import compile_flow
from lfr.states import WorkflowState
from lfr.values.json import MAX_DEPTH, Json, decode_json, encode_json

NOBODY = "{ ? `$.never` a; ? `$.never` b }"
"""Hands on the list of twice what it is given."""

DEEPER = "{ ? `$.never` a; <[1]> -> ? `$.never` b }"
"""Hands on a list of what it is given, and of `[1]`."""


def test_what_doubles_with_each_step_fails_in_time() -> None:
    transition = begin(compile_flow(" -> ".join([NOBODY] * 200)), {"x": 1})
    assert transition.state is WorkflowState.FAILED
    assert transition.reason == f"its input is too big: more than {MAX_VALUES:,} values at once"


def test_what_one_transition_makes_counts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.engine.step_inputs.MAX_VALUES", 500)
    wide = "t -> { " + "; ".join(["{ ? `$.never` a; ? `$.never` b }"] * 10) + " }"
    for length, state in ((5, WorkflowState.FINISHED), (50, WorkflowState.FAILED)):
        flow = compile_flow(wide)
        progress = Progress(is_whole=True)
        first = begin(flow, {})
        progress.apply(first)
        ended = advance(flow, progress, dict(first.outputs), StepResult(1, [1] * length))
        assert isinstance(ended, Transition)
        assert ended.state is state


def test_what_gets_deeper_with_each_step_fails_where_it_could_not_be_read_again() -> None:
    flow = compile_flow(" -> ".join([DEEPER] * 1200))
    transition = begin(flow, {"x": 1})
    assert transition.state is WorkflowState.FAILED
    assert transition.reason == f"its input is nested more than {MAX_DEPTH} levels deep"
    for output in transition.outputs.values():
        assert decode_json(encode_json(output).encode()) == output
    begin(compile_flow(" -> ".join([DEEPER] * (MAX_DEPTH - 1))), {"x": 1})


def deep(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH])
def test_the_outputs_of_items_are_a_list_around_them(levels: int) -> None:
    flow = compile_flow("* a -> b")
    progress = Progress(is_whole=True)
    first = begin(flow, [1])
    progress.apply(first)
    ended = advance(flow, progress, dict(first.outputs), StepResult(1, [deep(levels)]))
    assert isinstance(ended, Transition)
    if levels < MAX_DEPTH:
        assert [start.index for start in ended.starts] == [2]
    else:
        assert ended.reason == f"its output is nested more than {MAX_DEPTH} levels deep"


JSON = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=20,
)


def measured(value: Json) -> tuple[int, int]:
    """Depth and number of values, straight from the definition."""
    if not isinstance(value, dict | list):
        return 0, 1
    inner = [measured(part) for part in (value.values() if isinstance(value, dict) else value)]
    return 1 + max((depth for depth, _ in inner), default=0), 1 + sum(count for _, count in inner)


@given(st.lists(JSON, min_size=2, max_size=3), st.integers(0, 4))
def test_a_measured_value_counts_as_if_it_were_measured_again(values: list[Json], rounds: int) -> None:
    meter = PayloadMeter()
    made: Json = values
    for _ in range(rounds):
        assert meter._size(made)[:2] == measured(made)
        made = [made, *values, made]
    assert meter._size(made)[:2] == measured(made)


FAN = compile_flow("a -> { " + " ".join(f"b{n}" for n in range(100)) + " } -> z")


def ended(flow: Flow, outputs: list[Json]) -> Transition:
    """The last transition of a flow whose tasks give these outputs, in their order."""
    progress, outputs_by_index = Progress(is_whole=True), dict[int, Json]()
    transition = begin(flow, {})
    for output in outputs:
        progress.apply(transition)
        outputs_by_index.update(transition.outputs)
        index = next(index for index, step in progress.steps.items() if step.active)
        last = advance(flow, progress, outputs_by_index, StepResult(index, output))
        assert isinstance(last, Transition)
        transition = last
    return transition


@pytest.mark.parametrize(
    ("output", "state"),
    [
        ({"text": "x" * 10_000}, WorkflowState.RUNNING),
        ({"text": "x" * 11_000}, WorkflowState.FAILED),
        ({"text": "ü" * 1_000}, WorkflowState.RUNNING),
        ({"text": "ü" * 2_000}, WorkflowState.FAILED),
        ([1] * 1000, WorkflowState.RUNNING),
        ([1] * 2000, WorkflowState.FAILED),
        ({"x" * 11_000: 1}, WorkflowState.FAILED),
    ],
)
def test_what_many_steps_are_given_at_once_has_an_end(
    monkeypatch: pytest.MonkeyPatch, output: Json, state: WorkflowState
) -> None:
    monkeypatch.setattr("lfr.engine.step_inputs.MAX_BYTES", 2**20)
    transition = ended(FAN, [output])
    assert transition.state is state
    if state is WorkflowState.FAILED:
        assert transition.reason == "its input is too big: more than 1 MiB for the steps that start at once"
        assert 50 < len(transition.starts) < 100


def test_what_comes_together_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.engine.step_inputs.MAX_BYTES", 2**20)
    for size, state in ((4_500, WorkflowState.RUNNING), (11_000, WorkflowState.FAILED)):
        assert ended(FAN, [{}, *["x" * size] * 100]).state is state


def test_nothing_is_kept_of_a_transition_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.engine.step_inputs.MAX_VALUES", 1000)
    for _ in range(3):
        PayloadMeter().check([0] * 500)
    with pytest.raises(TooBig, match="too big"):
        PayloadMeter().check([0] * 1000)
