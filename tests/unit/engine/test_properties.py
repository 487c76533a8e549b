"""What must hold for every acyclic flow, in whatever order its tasks end."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from lfr.engine.advance import advance, begin
from lfr.engine.interventions import restart, terminate
from lfr.engine.transition import FactKind, LoadRequest, Progress, StaleResult, Start, StepResult, Transition
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.values.json import Json
from tests.support.flows import acyclic_flows, do, interpret

INPUTS = st.sampled_from([{}, {"yes": 1}, {"n": 1}, [{"n": 9}]])


class Run:
    """A workflow in memory: takes transitions, keeps what a store would keep."""

    def __init__(self, flow: Flow, input: Json) -> None:
        self.flow = flow
        self.progress = Progress(is_whole=True)
        self.outputs: dict[int, Json] = {}
        self.open: list[Start] = []
        self.facts: Counter[tuple[int | None, FactKind]] = Counter()
        self.take(begin(flow, input))

    def take(self, transition: Transition) -> None:
        self.progress.apply(transition)
        self.outputs.update(transition.outputs)
        self.open += transition.starts
        self.facts.update((fact.index, fact.kind) for fact in transition.facts)

    def end(self, start: Start) -> Transition | LoadRequest | StaleResult:
        output = do(self.flow.steps[start.index], start.input)
        return advance(
            self.flow, self.progress, self.outputs, StepResult(start.index, output, attempt=start.attempt)
        )

    def finish(self, order: random.Random) -> None:
        while self.open:
            start = self.open.pop(order.randrange(len(self.open)))
            answer = self.end(start)
            assert isinstance(answer, Transition)
            self.take(answer)

    @property
    def skipped(self) -> set[int]:
        return {index for (index, what) in self.facts if what is FactKind.SKIPPED and index is not None}


def oracle(flow: Flow, input: Json) -> tuple[dict[int, Json], set[int]]:
    try:
        return interpret(flow, input)
    except TypeError:  # a literal list of numbers that `>` cannot merge: not the matter here
        assume(False)
        raise


@given(acyclic_flows(), INPUTS, st.randoms(use_true_random=False))
def test_any_order_of_ends_gives_what_the_definition_says(
    flow: Flow, input: Json, order: random.Random
) -> None:
    outputs, skipped = oracle(flow, input)
    run = Run(flow, input)
    run.finish(order)
    assert run.progress.state is WorkflowState.FINISHED
    assert {index: run.outputs[index] for index in outputs} == outputs
    assert run.skipped == skipped


@given(acyclic_flows(), INPUTS, st.randoms(use_true_random=False))
def test_every_step_runs_exactly_once(flow: Flow, input: Json, order: random.Random) -> None:
    oracle(flow, input)
    run = Run(flow, input)
    run.finish(order)
    ends = Counter[int | None]()
    for (index, what), times in run.facts.items():
        if what in (FactKind.ENDED, FactKind.PASSED, FactKind.SKIPPED):
            ends[index] += times
    assert ends == Counter(range(len(flow.steps)))
    assert run.progress.active == 0
    assert all(step.waiting == 0 and step.active == 0 for step in run.progress.steps.values())


@given(acyclic_flows(), INPUTS, st.randoms(use_true_random=False))
def test_a_duplicate_end_changes_nothing(flow: Flow, input: Json, order: random.Random) -> None:
    outputs, _ = oracle(flow, input)
    run = Run(flow, input)
    ended: list[Start] = []
    while run.open:
        for start in ended:
            assert isinstance(run.end(start), StaleResult)
        ended.append(run.open.pop(order.randrange(len(run.open))))
        answer = run.end(ended[-1])
        assert isinstance(answer, Transition)
        run.take(answer)
    assert {index: run.outputs[index] for index in outputs} == outputs


@given(acyclic_flows(), INPUTS, st.randoms(use_true_random=False))
def test_what_is_loaded_on_demand_gives_the_same_as_the_whole(
    flow: Flow, input: Json, order: random.Random
) -> None:
    oracle(flow, input)
    run = Run(flow, input)
    while run.open:
        start = run.open.pop(order.randrange(len(run.open)))
        whole = run.end(start)
        assert isinstance(whole, Transition)
        assert advance_on_demand(run, start) == whole
        run.take(whole)


def advance_on_demand(run: Run, start: Start) -> Transition | StaleResult:
    """Advance as the store does: load nothing at first, then what the engine requests."""
    loaded = Progress(state=run.progress.state, active=run.progress.active)
    outputs: dict[int, Json] = {}
    ended = StepResult(start.index, do(run.flow.steps[start.index], start.input), attempt=start.attempt)
    for _ in range(2 * len(run.flow.steps)):
        answer = advance(run.flow, loaded, outputs, ended)
        if not isinstance(answer, LoadRequest):
            return answer
        assert answer.steps or answer.outputs
        assert not answer.steps & loaded.steps.keys()
        assert not answer.outputs & outputs.keys()
        for index in answer.steps:
            step = run.progress.step(index)
            assert step is not None
            loaded.steps[index] = step
        for index in answer.outputs:
            outputs[index] = run.outputs.get(index, {})
    raise AssertionError("the engine never has enough")


@given(acyclic_flows(), INPUTS, st.randoms(use_true_random=False), st.data())
def test_a_failed_workflow_restarts_to_the_same_end(
    flow: Flow, input: Json, order: random.Random, data: st.DataObject
) -> None:
    outputs, _ = oracle(flow, input)
    run = Run(flow, input)
    fails = data.draw(st.sets(st.integers(1, len(flow.steps) - 2), max_size=3))
    while run.open:
        start = run.open.pop(order.randrange(len(run.open)))
        if start.index in fails:
            fails.discard(start.index)
            ended = StepResult(start.index, failure="no", attempt=start.attempt)
            answer = advance(flow, run.progress, run.outputs, ended)
        else:
            answer = run.end(start)
        assert isinstance(answer, Transition)
        run.take(answer)
        if run.progress.state is WorkflowState.FAILED and (not run.open or order.random() < 0.5):
            again = restart(flow, run.progress, run.outputs)
            assert isinstance(again, Transition)
            run.take(again)
    assert run.progress.state is WorkflowState.FINISHED
    assert {index: run.outputs[index] for index in outputs} == outputs


@given(acyclic_flows(), INPUTS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_a_terminated_workflow_restarts_to_the_same_end(
    flow: Flow, input: Json, order: random.Random, steps: int
) -> None:
    outputs, _ = oracle(flow, input)
    run = Run(flow, input)
    while run.open and steps:
        steps -= 1
        answer = run.end(run.open.pop(order.randrange(len(run.open))))
        assert isinstance(answer, Transition)
        run.take(answer)
    assume(run.open)
    late, run.open = run.open, []
    run.take(terminate(flow, run.progress))
    assert run.progress.state is WorkflowState.TERMINATED
    assert run.progress.active == 0
    again = restart(flow, run.progress, run.outputs)
    assert isinstance(again, Transition)
    assert {start.index for start in again.starts} == {start.index for start in late}
    run.take(again)
    assert all(isinstance(run.end(start), StaleResult) for start in late)  # an old attempt
    run.finish(order)
    assert run.progress.state is WorkflowState.FINISHED
    assert {index: run.outputs[index] for index in outputs} == outputs
