"""A short run under faults, as a test; `python3 build.py faults` is the long one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lfr.engine.local import LocalFailure, Task, run_flow
from lfr.flow import Flow, StepKind
from lfr.local import compile_flow, run_local
from lfr.values.json import Json
from tests.faults.generate import LITERALS, STORED_FLOWS, Surroundings, make_plan
from tests.faults.oracle import task_output
from tests.faults.run import Scale, run
from tests.faults.syntax import Call, Program, Scope
from tests.faults.workers.behaviour import digest

SEED = int(datetime.now(UTC).strftime("%Y%m%d"))
"""Other flows and faults each day. A failure names it."""

SHORT = Scale(workflows=200, seconds=40, window=60, faults=60, actions=60, size="small")


@pytest.mark.needs_file
def test_nothing_is_lost_doubled_invented_or_left_over(tmp_path: Path) -> None:
    findings, journal, _ = run(SEED, SHORT, "valkey", tmp_path)
    assert findings.is_clean, (SEED, findings)
    assert len(journal.faults) >= 14, journal.faults


@pytest.mark.parametrize("numbers", [range(150)])
def test_the_oracle_and_the_engine_agree_where_nothing_goes_wrong(numbers: range) -> None:
    """Both may be wrong, but not in the same way: they share no code."""
    surroundings = Surroundings("/resources", "http://127.0.0.1:1")
    for number in numbers:
        plan = make_plan(SEED, number, surroundings)
        flow = compile_flow(plan.program.text())
        if plan.turns or plan.input is None:  # a loop has no end; no input at all is another one than null
            continue
        executed: list[tuple[int, str]] = []
        try:
            output = run_local(flow, _tasks(plan.program, flow, executed), plan.input)
        except LocalFailure:
            assert plan.expectation.has_failed, (SEED, number)
            continue
        assert output == plan.expectation.output, (SEED, number)
        expected = [(index, digest(each.input)) for (_, index), each in plan.expectation.executions.items()]
        assert sorted(executed) == sorted(expected), (SEED, number)


def _own_calls(scope: Scope) -> Iterator[Call]:
    """Yield the calls of a flow, without those of the stored flows that it calls."""
    for step in (step for statement in scope.statements for step in statement.steps):
        yield from step.calls
        if step.scope is not None and not step.stored:
            yield from _own_calls(step.scope)


def _tasks(program: Program, flow: Flow, executed: list[tuple[int, str]]) -> Task:
    """Return a function that does all tasks as the oracle has them, and notes which."""
    calls = {call.index: call for call in _own_calls(program.scope)}

    def do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        if stored := STORED_FLOWS.get(base.removeprefix("flow:")):
            called = compile_flow(stored.text())
            return run_flow(called, _tasks(stored, called, executed), input)
        step = flow.steps[index]
        if step.kind is StepKind.RESOURCE:
            return {} if step.sink else LITERALS[int(step.uri.rpartition("-")[2].partition(".")[0])]
        assert base == calls[index].base
        executed.append((index, digest(input)))
        return task_output(calls[index], input)

    return do
