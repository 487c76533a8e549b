"""Steps that are iterated, and resources: to the engine, tasks that start with a list of items."""

from __future__ import annotations

import pytest

from lfr.engine.advance import advance, begin
from lfr.engine.interventions import restart
from lfr.engine.local import run_flow
from lfr.engine.transition import FactKind, Progress, StepResult, Transition
from lfr.flow import StepKind
from lfr.language import compile_flow
from lfr.states import WorkflowState
from lfr.values.json import Json


def do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
    """Return the input for the task `echo`, and name and index for any other."""
    return input if base == "echo" else {base: index}


def attempts(transition: Transition) -> list[tuple[int, str, Json, int]]:
    """Return index, task, input and attempt of each start."""
    return [(start.index, start.invocation.base, start.input, start.attempt) for start in transition.starts]


@pytest.mark.parametrize(
    ("text", "input", "output"),
    [
        ("* a", [1, 2], [{"a": 1}, {"a": 1}]),
        ("* echo", [1, None, "x", {}], [1, None, "x", {}]),
        ("* echo", {"x": 1}, [{"x": 1}]),
        ("* echo", {}, [{}]),
        ("* a", [], []),
        ("* { a -> b  c }", [1, 2], [[{"b": 3}, {"c": 4}], [{"b": 3}, {"c": 4}]]),
        ("* { a } -> echo", [], []),
        ("* a|b", [1], [[{"a": 2}, {"b": 3}]]),
        ("* { * echo }", [[1, 2], [], [3]], [[1, 2], [], [3]]),
        ("* ?`$.x` { a }", {"y": 1}, {"y": 1}),
        ("* ?`$[*]` { a }", [7], [{"a": 2}]),
        ("@task X { a -> > b } * X", [7], [{"b": 3}]),
    ],
)
def test_in_this_process(text: str, input: Json, output: Json) -> None:
    assert run_flow(compile_flow(text), do, input) == output


def test_the_numbers_of_an_item_are_those_of_the_whole() -> None:
    trace: list[tuple[int, str, Json]] = []
    run_flow(compile_flow("x -> * { a -> b }"), do, {}, lambda *step: trace.append(step))
    assert trace == [(1, "x", {}), (3, "a", {"x": 1}), (4, "b", {"a": 3})]


def test_a_part_is_the_step_alone_or_what_is_between_the_brackets() -> None:
    flow = compile_flow("x -> * { a -> * b  c -> > :end } -> y")
    whole = flow.part(2)
    assert (whole.first, whole.last) == (2, 6)
    assert whole.edges == ((2, 3), (2, 5), (3, 4), (4, 6), (5, 6))
    assert [step.kind for step in whole.steps[2:7:4]] == [StepKind.START, StepKind.END]
    assert (whole.steps[6].merge, whole.steps[4].iterate) == (True, True)
    alone = whole.part(4)
    assert (alone.first, alone.last, alone.edges) == (4, 4, ())
    assert not alone.steps[4].iterate


def test_a_step_that_is_iterated_runs_until_its_end_is_told() -> None:
    flow = compile_flow("* { a } -> b")
    first = begin(flow, [1, 2])
    assert attempts(first) == [(1, "lfr:each", [1, 2], 1)]
    progress = Progress(is_whole=True)
    progress.apply(first)
    ended = advance(flow, progress, first.outputs, StepResult(1, [{}, {}]))
    assert isinstance(ended, Transition)
    assert [(fact.index, fact.kind) for fact in ended.facts] == [
        (1, FactKind.ENDED),
        (3, FactKind.PASSED),
        (4, FactKind.STARTED),
    ]
    assert ended.outputs[3] == [{}, {}]
    assert first.done + ended.done == 3


def test_a_restart_tells_items_that_still_run_to_go_on() -> None:
    flow = compile_flow("* a  b")
    progress = Progress(is_whole=True)
    first = begin(flow, [1])
    progress.apply(first)
    failed = advance(flow, progress, first.outputs, StepResult(2, failure="no"))
    assert isinstance(failed, Transition)
    progress.apply(failed)
    assert progress.state is WorkflowState.FAILED
    again = restart(flow, progress, first.outputs)
    assert isinstance(again, Transition)
    assert attempts(again) == [(1, "lfr:each", None, 1), (2, "b", [1], 2)]


def test_a_resource_runs_as_a_task_does() -> None:
    assert attempts(begin(compile_flow("<a.json> -> b"), {"x": 1})) == [(1, "resource:load", {}, 1)]
    flow = compile_flow('b -> <http://h/x> ({"method": "PUT"})')
    assert attempts(begin(flow, {"x": 1})) == [(1, "b", {"x": 1}, 1)]
    calls: list[tuple[str, Json, Json]] = []

    def record_call(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        calls.append((base, input, parameters))
        return {"b": 1} if base == "b" else {}

    assert run_flow(flow, record_call, {}) == {}
    assert calls[1] == ("resource:store", {"b": 1}, {"method": "PUT", "uri": "http://h/x"})
