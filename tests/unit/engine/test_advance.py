"""The algorithm case by case: where the properties do not reach."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.engine.advance import advance, begin, gather_input
from lfr.engine.interventions import restart, retry_step, skip_step, terminate
from lfr.engine.local import LocalFailure, run_flow
from lfr.engine.step_inputs import InputError, merge
from lfr.engine.transition import (
    Fact,
    FactKind,
    LoadRequest,
    Progress,
    StaleResult,
    StepProgress,
    StepResult,
    Transition,
)
from lfr.flow import Flow, Step, StepKind
from lfr.language import compile_flow
from lfr.states import WorkflowState
from lfr.values.json import Json
from lfr.values.work import LookBudget
from tests.support.flows import chain, fan, graph


def started(flow: Flow, input: Json = None) -> tuple[Progress, dict[int, Json]]:
    progress = Progress(is_whole=True)
    first = begin(flow, input or {})
    progress.apply(first)
    return progress, dict(first.outputs)


def checked(outcome: Transition | LoadRequest | StaleResult) -> Transition:
    assert isinstance(outcome, Transition)
    return outcome


def test_the_end_of_a_step_that_never_started_is_ignored() -> None:
    flow = chain("A", "B")
    progress, outputs = started(flow)
    assert isinstance(advance(flow, progress, outputs, StepResult(2, {})), StaleResult)


def test_a_failure_stops_the_workflow_and_keeps_what_ends_later() -> None:
    flow = fan(2)
    progress, outputs = started(flow)
    for result in (StepResult(1, {"a": 1}), StepResult(2, failure="no disk")):
        transition = checked(advance(flow, progress, outputs, result))
        progress.apply(transition)
        outputs |= transition.outputs
    assert transition.state is WorkflowState.FAILED
    assert transition.reason == "no disk"
    assert transition.facts == [Fact(2, FactKind.FAILED, 1), Fact(None, FactKind.FAILED)]
    late = checked(advance(flow, progress, outputs, StepResult(3, {"c": 3})))
    assert late.starts == []
    assert late.state is WorkflowState.FAILED
    progress.apply(late)
    again = checked(restart(flow, progress, outputs | late.outputs))
    assert [(start.index, start.attempt) for start in again.starts] == [(2, 2)]


def test_an_old_attempt_comes_too_late() -> None:
    flow = chain("A")
    progress, outputs = started(flow)
    progress.apply(checked(advance(flow, progress, outputs, StepResult(1, failure="once"))))
    progress.apply(checked(restart(flow, progress, outputs)))
    assert isinstance(advance(flow, progress, outputs, StepResult(1, {"late": 1}, attempt=1)), StaleResult)
    assert (
        checked(advance(flow, progress, outputs, StepResult(1, {}, attempt=2))).state
        is WorkflowState.FINISHED
    )


def test_a_worker_that_knows_no_attempts_is_believed() -> None:
    flow = chain("A")
    progress, outputs = started(flow)
    assert checked(advance(flow, progress, outputs, StepResult(1, {}))).state is WorkflowState.FINISHED


def test_what_cannot_be_merged_fails_the_step_at_its_place_and_a_restart_does_not_hang() -> None:
    steps = [
        Step(1, StepKind.TASK, name="A"),
        Step(2, StepKind.TASK, name="B"),
        Step(3, StepKind.TASK, name="C", merge=True),
    ]
    flow = graph(steps, [(1, 3), (2, 3)])
    progress, outputs = started(flow)
    for result in (StepResult(1, [1]), StepResult(2, {"b": 1})):
        transition = checked(advance(flow, progress, outputs, result))
        progress.apply(transition)
        outputs |= transition.outputs
    assert transition.state is WorkflowState.FAILED
    assert "cannot merge 1" in transition.reason
    assert checked(restart(flow, progress, outputs)).state is WorkflowState.FAILED


def test_a_loop_to_the_start_runs_again_with_the_workflows_input_and_counts_its_attempts() -> None:
    flow = Flow(
        (Step(0, StepKind.START), Step(1, StepKind.TASK, name="A"), Step(2, StepKind.END)),
        ((0, 1), (1, 0), (1, 2)),
    )
    progress, outputs = started(flow, {"in": 1})
    for attempt in (1, 2, 3):
        transition = checked(
            advance(flow, progress, outputs, StepResult(1, {"out": attempt}, attempt=attempt))
        )
        progress.apply(transition)
        outputs |= transition.outputs
        assert [(start.input, start.attempt) for start in transition.starts] == [({"in": 1}, attempt + 1)]
        assert transition.state is WorkflowState.RUNNING
    assert isinstance(advance(flow, progress, outputs, StepResult(1, {}, attempt=2)), StaleResult)


def test_the_end_of_an_endless_flow_is_refused_locally() -> None:
    flow = Flow(
        (Step(0, StepKind.START), Step(1, StepKind.TASK, name="A"), Step(2, StepKind.END)),
        ((0, 1), (1, 0), (1, 2)),
    )
    with pytest.raises(LocalFailure):
        run_flow(flow, lambda *_: {}, {}, limit=100)


def test_the_work_for_one_end_does_not_grow_with_the_flow() -> None:
    flow = fan(2000)
    progress, outputs = started(flow)
    transition = checked(advance(flow, progress, outputs, StepResult(1, {})))
    progress.apply(transition)
    one = checked(advance(flow, progress, outputs | transition.outputs, StepResult(7, {})))
    assert one.steps.keys() == {7, 2002}


def test_a_long_row_of_steps_that_end_at_once_takes_few_rounds_of_loading() -> None:
    row = [Step(1, StepKind.TASK, name="A")]
    row += [Step(index, StepKind.TASK, name="B", guard="$.never") for index in range(2, 1002)]
    flow = graph(row, [])
    loaded = Progress(active=1, steps={})
    rounds = 0
    while isinstance(answer := advance(flow, loaded, {0: {}}, StepResult(1, {"x": 1})), LoadRequest):
        rounds += 1
        for index in answer.steps:
            loaded.steps[index] = StepProgress(active=1, attempt=1) if index == 1 else StepProgress()
    assert checked(answer).state is WorkflowState.FINISHED
    assert rounds < 12


VALUES: list[Json] = [{}, [], "", "x", 0, 5, 1.5, True, False, None, {"a": None}, [None]]
"""Values of all six kinds of JSON."""


@pytest.mark.parametrize("value", VALUES)
def test_an_output_of_any_kind_is_the_input_of_the_next_step_as_it_is(value: Json) -> None:
    flow = compile_flow("a -> ? `$` b -> { c } -> d")
    inputs: list[Json] = []

    def task(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        inputs.append(input)
        return value

    output = run_flow(flow, task, value)
    assert [type(each) for each in (output, *inputs)] == [type(value)] * 5
    assert [output, *inputs] == [value] * 5


@pytest.mark.parametrize("value", VALUES)
def test_an_item_of_any_kind_is_an_input_and_an_output_as_it_is(value: Json) -> None:
    output = run_flow(compile_flow("* a"), lambda name, base, index, input, parameters: input, [value, value])
    assert output == [value, value]
    assert type(output[0]) is type(value)


@pytest.mark.parametrize(
    ("outputs", "input", "merged"),
    [
        ([{}, {}], {}, {}),
        ([{}, {"a": 1}], {"a": 1}, {"a": 1}),
        ([{}, None], None, {}),
        ([{}, 5], 5, ...),
        ([None, None], [None, None], {}),
        ([None, {"a": 1}], [None, {"a": 1}], {"a": 1}),
        ([1, "x"], [1, "x"], ...),
        ([[], {"a": 1}], [[], {"a": 1}], {"a": 1}),
        ([False, 0], [False, 0], ...),
    ],
)
def test_of_several_outputs_only_empty_objects_are_left_out_and_a_merge_takes_objects_and_nulls(
    outputs: list[Json], input: Json, merged: Json
) -> None:
    flow = compile_flow("a -> :x; b -> :x; :x -> c; :x -> > d")
    by_index = dict(zip((1, 2), outputs, strict=True))
    gathered = gather_input(flow, by_index.__getitem__, 3)
    assert gathered == input
    assert type(gathered) is type(input)
    if merged is ...:
        with pytest.raises(InputError, match="only objects can be merged"):
            gather_input(flow, by_index.__getitem__, 4)
    else:
        assert gather_input(flow, by_index.__getitem__, 4) == merged


@pytest.mark.parametrize("value", [5, "x", True])
def test_a_single_output_that_is_no_object_cannot_be_merged(value: Json) -> None:
    with pytest.raises(InputError, match="only objects can be merged"):
        gather_input(compile_flow("a -> > b"), lambda source: value, 2)
    assert gather_input(compile_flow("a -> > b"), lambda source: None, 2) == {}


def test_merge_takes_lists_apart_in_place_however_deep() -> None:
    assert merge([{"a": 1}, [{"a": 2}, [{"b": 3}]], {"c": 4}]) == {"a": 2, "b": 3, "c": 4}
    deep: Json = {"a": 1}
    for _ in range(50_000):
        deep = [deep]
    assert merge(deep) == {"a": 1}


def test_merge_refuses_anything_else() -> None:
    with pytest.raises(InputError):
        merge([{"a": 1}, 5])


def test_a_guard_that_is_too_much_work_for_its_input_fails_the_step() -> None:
    flow = graph([Step(1, StepKind.TASK, name="A", guard="$..[?(@..x)]")], [])
    first = begin(flow, {"list": [[] for _ in range(200)]}, LookBudget(100))
    assert first.state is WorkflowState.FAILED
    assert "its guard would take more than 100 looks" in first.reason


TIMED = {"lfr": {"timeout": 60, "retry": {"times": 2, "delay": 5}}}


def test_a_start_carries_the_options_of_its_step_and_its_end_drops_the_deadline() -> None:
    flow = graph([Step(1, StepKind.TASK, name="x", base="A", parameters={**TIMED, "size": 1})], [])
    progress, outputs = started(flow)
    (start,) = begin(flow, {}).starts
    assert (start.invocation.name, start.invocation.base) == ("x", "A")
    assert start.invocation.parameters == {"size": 1}
    assert start.invocation.options.timeout == 60
    transition = checked(advance(flow, progress, outputs, StepResult(1, {})))
    assert [(over.index, over.attempt) for over in transition.over] == [(1, 1)]
    assert not transition.over[0].may_be_delayed  # the first attempt never is


def test_a_retry_is_delayed_and_a_termination_drops_it() -> None:
    flow = graph([Step(1, StepKind.TASK, name="A", parameters=TIMED)], [])
    progress, outputs = started(flow)
    failure = checked(advance(flow, progress, outputs, StepResult(1, failure="no disk")))
    assert [(start.attempt, start.delay) for start in failure.starts] == [(2, 5.0)]
    assert [(over.index, over.attempt) for over in failure.over] == [(1, 1)]
    assert failure.facts == [Fact(1, FactKind.RETRIED, 1)]
    progress.apply(failure)
    termination = terminate(flow, progress)
    for attempts in (termination.cancels, termination.over):
        assert [(over.index, over.attempt, over.may_be_delayed) for over in attempts] == [(1, 2, True)]


def test_a_fact_is_a_word_and_back() -> None:
    words = "+5 -5 =6 ~7 !8.2 ^8.3 +9/0 -9/12.2 -9/3.2* -4* finished"
    assert " ".join(str(Fact.parse(word)) for word in words.split()) == words
    assert Fact.parse("!8.2") == Fact(8, FactKind.FAILED, 2)
    assert Fact.parse("!8.2*") == Fact(8, FactKind.FAILED, 2, is_simulated=True)
    assert Fact.parse("-9/12.2") == Fact(9, FactKind.ENDED, 2, 12)
    with pytest.raises(ValueError, match="nonsense"):
        Fact.parse("nonsense")


def test_tries_count_the_attempts_of_one_turn_and_attempts_go_on_counting() -> None:
    flow = compile_flow("a (- lfr: {retry: 1} -) -> :start")
    progress = Progress(is_whole=True)
    outputs: dict[int, Json] = {}

    def apply(transition: Transition) -> list[tuple[int, int]]:
        progress.apply(transition)
        outputs.update(transition.outputs)
        return [(start.attempt, start.tries) for start in transition.starts]

    def end(**result: Any) -> list[tuple[int, int]]:
        return apply(checked(advance(flow, progress, outputs, StepResult(1, **result))))

    assert apply(begin(flow, {})) == [(1, 1)]
    assert end(output={}) == [(2, 1)]
    assert end(failure="busy") == [(3, 2)]
    assert end(output={}) == [(4, 1)]
    assert apply(terminate(flow, progress)) == []
    assert apply(restart(flow, progress, outputs)) == [(5, 2)]
    assert end(failure="busy") == [(6, 3)]
    assert end(failure="busy") == []
    assert apply(restart(flow, progress, outputs)) == [(7, 4)]
    assert apply(retry_step(flow, progress, outputs, 1)) == [(8, 5)]
    assert end(output={}) == [(9, 1)]
    assert apply(skip_step(flow, progress, outputs, 1, {})) == [(10, 1)]
